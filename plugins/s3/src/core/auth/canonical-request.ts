/**
 * The canonical request of SigV4 for S3: the path is encoded once and never normalised.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

import { decodePercent, encodePath, isCanonical } from '../request/percent.ts'
import type { S3Request } from '../request/s3-request.ts'
import { canonicalQuery, withoutSignature } from './canonical-query.ts'
import type { Claim } from './claim.ts'

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
export function canonicalRequest(request: S3Request, claim: Claim, target: CanonicalTarget): string {
  return `${request.method}\n${target.path}\n${target.query}\n${canonicalHeaders(request, claim)}\n${claim.signedHeaders}\n${claim.payloadHash}`
}

function coveredQuery(request: S3Request, claim: Claim): string {
  return claim.kind === 'presigned' ? withoutSignature(request.rawQuery) : request.rawQuery
}

function canonicalPath(raw: string): string {
  return isCanonical(raw, 'plain') ? raw : encodePath(decodePercent(raw) ?? raw)
}

/** In the order of the list, as the specification has it. A signed header that was not sent counts as an empty one. */
function canonicalHeaders(request: S3Request, claim: Claim): string {
  const list = claim.signedHeaders
  let text = ''
  let start = 0
  while (start <= list.length) {
    const semicolon = list.indexOf(';', start)
    const end = semicolon < 0 ? list.length : semicolon
    const name = list.slice(start, end)
    text += `${name}:${foldBlanks(request.wireHeaders.get(name) ?? '')}\n`
    start = end + 1
  }
  return text
}

/** Runs of white space count as one space. */
function foldBlanks(value: string): string {
  return value.includes('  ') || value.includes('\t') ? value.replace(/[ \t]+/g, ' ') : value
}
