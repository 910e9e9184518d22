/** The claim in the query of a presigned URL. */

import { S3Error } from '../errors/s3-error.ts'
import { parseDecimal } from '../request/decimal.ts'
import { parseBasicDate } from '../request/http-date.ts'
import type { S3Request } from '../request/s3-request.ts'
import type { Claim } from './claim.ts'
import { parsePayloadMode, unsignedPayload } from './payload-mode.ts'

/** One week. */
export const maxExpiresSeconds = 604_800

export function presignedClaim(request: S3Request): Claim | S3Error {
  const { query } = request
  const algorithm = query.get('x-amz-algorithm')
  const credential = query.get('x-amz-credential')
  const signature = query.get('x-amz-signature')
  const timestamp = query.get('x-amz-date')
  const signedHeaders = query.get('x-amz-signedheaders')
  const expires = query.get('x-amz-expires')
  if (
    algorithm === undefined ||
    credential === undefined ||
    signature === undefined ||
    timestamp === undefined ||
    signedHeaders === undefined ||
    expires === undefined
  ) {
    return malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    )
  }
  if (algorithm !== 'AWS4-HMAC-SHA256') return otherAlgorithm(algorithm)
  const timestampMs = parseBasicDate(timestamp)
  if (timestampMs === undefined) {
    return malformedQuery(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
  }
  const expiresSeconds = parseExpires(expires)
  if (expiresSeconds instanceof S3Error) return expiresSeconds

  // The body of a presigned request is not known when it is signed, unless the signer says otherwise.
  const payloadHash = request.headers.get('x-amz-content-sha256') ?? unsignedPayload
  const payload = parsePayloadMode(payloadHash)
  if (payload instanceof S3Error) return payload
  return {
    kind: 'presigned',
    credential,
    signedHeaders,
    signature,
    timestamp,
    timestampMs,
    expiresSeconds,
    payloadHash,
    payload,
  }
}

export function malformedQuery(message: string, elements: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('AuthorizationQueryParametersError', { message, elements })
}

function otherAlgorithm(algorithm: string): S3Error {
  if (algorithm === 'AWS4-ECDSA-P256-SHA256')
    return new S3Error('NotImplemented', { elements: { Header: 'X-Amz-Algorithm' } })
  return malformedQuery('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
}

function parseExpires(text: string): number | S3Error {
  const seconds = parseDecimal(text)
  if (seconds !== undefined && seconds >= 1 && seconds <= maxExpiresSeconds) return seconds
  if (/^-\d+$/.test(text)) return malformedQuery('X-Amz-Expires must be non-negative')
  if (!/^\d+$/.test(text)) return malformedQuery('X-Amz-Expires should be a number')
  if (seconds === 0) return malformedQuery('X-Amz-Expires must be greater than zero')
  return malformedQuery(
    'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
  )
}
