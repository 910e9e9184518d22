/** Who a request says it comes from, and how: before anything of it is believed. */

import { invalidArgument, invalidRequest, S3Error } from '../errors/s3-error.ts'
import type { S3Request } from '../request/s3-request.ts'
import { headerClaim } from './header-claim.ts'
import type { PayloadMode } from './payload-mode.ts'
import { presignedClaim } from './presigned-claim.ts'

export interface Claim {
  readonly kind: 'header' | 'presigned'
  /** The credential with its scope, as it came: `AKID/20130524/us-east-1/s3/aws4_request`. */
  readonly credential: string
  /** Lower-case names with semicolons between them, as they came. */
  readonly signedHeaders: string
  readonly signature: string
  /** `20130524T000000Z`, and as an instant. */
  readonly timestamp: string
  readonly timestampMs: number
  /** Of a presigned URL. */
  readonly expiresSeconds?: number
  /** As it stands in the canonical request. */
  readonly payloadHash: string
  readonly payload: PayloadMode
}

/**
 * The one claim of a request. None is `AccessDenied`: nothing here is public. Two of them, or one of a kind that this
 * front end does not take, is refused, whatever they say.
 */
export function claimOf(request: S3Request): Claim | S3Error {
  const authorization = request.wireHeaders.get('authorization')
  const inQuery = queryMechanism(request)
  if (authorization === undefined || authorization === '') {
    if (inQuery === undefined) return new S3Error('AccessDenied')
    return inQuery === 'v2' ? unsupportedMechanism() : presignedClaim(request)
  }
  if (inQuery !== undefined) {
    return invalidArgument(
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      'Authorization',
      mechanismOf(authorization),
    )
  }
  return authorization.startsWith('AWS4-HMAC-SHA256')
    ? headerClaim(request, authorization)
    : otherMechanism(authorization)
}

function queryMechanism({ query }: S3Request): 'v4' | 'v2' | undefined {
  if (query.size === 0) return undefined
  // Any of them, so that a part of the one mechanism never rides along with the other.
  if (query.has('x-amz-algorithm') || query.has('x-amz-signature') || query.has('x-amz-credential')) return 'v4'
  return query.has('AWSAccessKeyId') || query.has('Signature') ? 'v2' : undefined
}

function otherMechanism(authorization: string): S3Error {
  const mechanism = mechanismOf(authorization)
  if (mechanism === 'AWS4-ECDSA-P256-SHA256')
    return new S3Error('NotImplemented', { elements: { Header: 'Authorization' } })
  // SigV2 is `AWS id:signature`.
  if (mechanism === 'AWS' && authorization.includes(':')) return unsupportedMechanism()
  return invalidArgument('Unsupported Authorization Type', 'Authorization', mechanism)
}

/** Only this much of the header is ever shown: the rest may be a password (RFC 7617). */
function mechanismOf(authorization: string): string {
  return authorization.split(' ', 1)[0] as string
}

function unsupportedMechanism(): S3Error {
  return invalidRequest('The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.')
}
