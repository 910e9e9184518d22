/** What can be wrong with a claim before its signature is looked at. */

import { S3Error } from '../errors/s3-error.ts'
import { formatIsoDate } from '../request/http-date.ts'
import type { Claim } from './claim.ts'
import { describeFault } from './credential-scope.ts'
import type { ScopeFault } from './credential-scope.ts'
import { malformedHeader } from './header-claim.ts'
import { malformedQuery } from './presigned-claim.ts'

/** How far the clocks of a client and of this server may differ. */
export const maxSkewMs = 15 * 60 * 1000

export function scopeError(claim: Claim, fault: ScopeFault, region: string): S3Error {
  return malformedCredential(claim, describeFault(fault, region), fault.kind === 'region' ? { Region: region } : {})
}

/** A signing key is of one day, and the request must be of that day. */
export function checkScopeDate(claim: Claim, date: string): S3Error | undefined {
  if (claim.timestamp.startsWith(date)) return undefined
  return malformedCredential(
    claim,
    `Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${claim.timestamp.slice(0, 8)}".`,
  )
}

export function checkTime(claim: Claim, nowMs: number): S3Error | undefined {
  if (claim.expiresSeconds !== undefined) return checkExpiry(claim.timestampMs, claim.expiresSeconds, nowMs)
  if (Math.abs(nowMs - claim.timestampMs) <= maxSkewMs) return undefined
  return new S3Error('RequestTimeTooSkewed', {
    elements: {
      RequestTime: claim.timestamp,
      ServerTime: formatIsoDate(nowMs),
      MaxAllowedSkewMilliseconds: String(maxSkewMs),
    },
  })
}

function checkExpiry(startMs: number, expiresSeconds: number, nowMs: number): S3Error | undefined {
  if (startMs - nowMs > maxSkewMs) return new S3Error('AccessDenied', { message: 'Request is not yet valid' })
  const endMs = startMs + expiresSeconds * 1000
  if (nowMs <= endMs) return undefined
  return new S3Error('AccessDenied', {
    message: 'Request has expired',
    elements: {
      'X-Amz-Expires': String(expiresSeconds),
      Expires: formatIsoDate(endMs),
      ServerTime: formatIsoDate(nowMs),
    },
  })
}

function malformedCredential(claim: Claim, what: string, elements: Readonly<Record<string, string>> = {}): S3Error {
  return claim.kind === 'header'
    ? malformedHeader(what, elements)
    : malformedQuery(`Error parsing the X-Amz-Credential parameter; ${what}`, elements)
}
