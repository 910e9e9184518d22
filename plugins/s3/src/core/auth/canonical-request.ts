/**
 * The canonical request of SigV4 for S3: the path is encoded once and never normalised.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

import { decodePercent, encodePath, isCanonical } from '../request/percent.ts'
import type { S3Request } from '../request/s3-request.ts'
import { canonicalQuery, withoutSignature } from './canonical-query.ts'
import type { Claim } from './claim.ts'
import { canonicalHeaders } from './signed-headers.ts'
import type { SignedHeaders } from './signed-headers.ts'

export interface CanonicalTarget {
  readonly path: string
  readonly query: string
}

/** The target in the form that the specification gives it. */
export function canonicalTarget(request: S3Request, claim: Claim): CanonicalTarget {
  return { path: canonicalPath(request.rawPath), query: canonicalQuery(coveredQuery(request, claim)) }
}

/**
 * The target as it was sent. Some signers (curl before version 8, for one) sign that. It pins what we parse at least
 * as well: bytes that differ cannot have this signature.
 */
export function verbatimTarget(request: S3Request, claim: Claim): CanonicalTarget {
  return { path: request.rawPath, query: coveredQuery(request, claim) }
}

/** Characters 0–255: bytes, because header values are. */
export function canonicalRequest(
  request: S3Request,
  claim: Claim,
  target: CanonicalTarget,
  signed: SignedHeaders,
): string {
  return `${request.method}\n${target.path}\n${target.query}\n${canonicalHeaders(request.wireHeaders, signed)}\n${signed.text}\n${claim.payloadHash}`
}

function coveredQuery(request: S3Request, claim: Claim): string {
  return claim.kind === 'presigned' ? withoutSignature(request.rawQuery) : request.rawQuery
}

function canonicalPath(raw: string): string {
  return isCanonical(raw, 'plain') ? raw : encodePath(decodePercent(raw) ?? raw)
}
