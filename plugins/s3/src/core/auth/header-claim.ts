/** The claim in an `Authorization` header. */

import { invalidRequest, S3Error } from '../errors/s3-error.ts'
import { formatBasicDate, parseBasicDate, parseHttpDate } from '../request/http-date.ts'
import type { S3Request } from '../request/s3-request.ts'
import type { Claim } from './claim.ts'
import { parsePayloadMode } from './payload-mode.ts'

const algorithm = 'AWS4-HMAC-SHA256'

/** `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, with or without spaces, in any order. */
export function headerClaim(request: S3Request, authorization: string): Claim | S3Error {
  const fields = parseFields(authorization)
  if (fields === undefined) {
    return malformedHeader(
      'the authorization header requires three components: Credential, SignedHeaders, and Signature.',
    )
  }
  const time = requestTime(request)
  if (time === undefined) {
    return new S3Error('AccessDenied', {
      message: 'AWS authentication requires a valid Date or x-amz-date header',
    })
  }
  const payloadHash = request.wireHeaders.get('x-amz-content-sha256')
  if (payloadHash === undefined) {
    return invalidRequest('Missing required header for this request: x-amz-content-sha256')
  }
  const payload = parsePayloadMode(payloadHash)
  if (payload instanceof S3Error) return payload
  const { credential, signedHeaders, signature } = fields
  const { timestamp, timestampMs } = time
  return { kind: 'header', credential, signedHeaders, signature, timestamp, timestampMs, payloadHash, payload }
}

export function malformedHeader(what: string, elements: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', {
    message: `The authorization header is malformed; ${what}`,
    elements,
  })
}

type Fields = Pick<Claim, 'credential' | 'signedHeaders' | 'signature'>

/** Undefined unless each of the three is there once and nothing else is. */
function parseFields(authorization: string): Fields | undefined {
  const fields: Record<keyof Fields, string | undefined> = {
    credential: undefined,
    signedHeaders: undefined,
    signature: undefined,
  }
  let start = algorithm.length
  if (authorization[start] !== ' ') return undefined
  while (start < authorization.length) {
    while (authorization[start] === ' ') start++
    const comma = authorization.indexOf(',', start)
    const end = comma < 0 ? authorization.length : comma
    const equals = authorization.indexOf('=', start)
    if (equals < 0 || equals > end) return undefined
    const field = fieldNames.get(authorization.slice(start, equals))
    if (field === undefined || fields[field] !== undefined) return undefined
    fields[field] = authorization.slice(equals + 1, end)
    start = end + 1
  }
  const { credential, signedHeaders, signature } = fields
  if (credential === undefined || signedHeaders === undefined || signature === undefined) return undefined
  return { credential, signedHeaders, signature }
}

const fieldNames: ReadonlyMap<string, keyof Fields> = new Map([
  ['Credential', 'credential'],
  ['SignedHeaders', 'signedHeaders'],
  ['Signature', 'signature'],
])

/** `x-amz-date`, or `Date` without it. */
function requestTime(request: S3Request): Pick<Claim, 'timestamp' | 'timestampMs'> | undefined {
  const amzDate = request.wireHeaders.get('x-amz-date')
  if (amzDate !== undefined) {
    const timestampMs = parseBasicDate(amzDate)
    return timestampMs === undefined ? undefined : { timestamp: amzDate, timestampMs }
  }
  const date = request.wireHeaders.get('date') ?? ''
  const timestampMs = parseBasicDate(date) ?? parseHttpDate(date)
  return timestampMs === undefined ? undefined : { timestamp: formatBasicDate(timestampMs), timestampMs }
}
