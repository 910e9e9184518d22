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

/**
 * The forms of the target that a signer may have meant: usually one. The first is the specification's; but SDKs sign
 * the path as they send it, whatever they leave unescaped, and some tools (curl before version 8, for one) the query
 * too. What was signed as it was sent pins what we parse at least as well.
 */
export function canonicalTargets(request: S3Request, claim: Claim): readonly [CanonicalTarget, ...CanonicalTarget[]] {
  const { rawPath } = request
  const rawQuery = claim.kind === 'presigned' ? withoutSignature(request.rawQuery) : request.rawQuery
  const path = canonicalPath(rawPath)
  const query = canonicalQuery(rawQuery)
  const targets: [CanonicalTarget, ...CanonicalTarget[]] = [{ path, query }]
  if (path !== rawPath) targets.push({ path: rawPath, query })
  if (query !== rawQuery) targets.push({ path, query: rawQuery })
  if (path !== rawPath && query !== rawQuery) targets.push({ path: rawPath, query: rawQuery })
  return targets
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

function canonicalPath(raw: string): string {
  return isCanonical(raw, 'plain') ? raw : encodePath(decodePercent(raw) ?? raw)
}
