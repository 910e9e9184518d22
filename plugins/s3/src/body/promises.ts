/** Everything that a request promised about its body, and whether it was kept. */

import type { ChecksumAlgorithm, DigestAlgorithm, Digests } from '@o3/protocol-bus/api'
import { assert } from '@o3/common/errors'
import { checksumHeader, checksumName } from '../checksum/algorithms.ts'
import { decodeDigest, encodeBase64, encodeHex, sameBytes } from '../checksum/base64.ts'
import { invalidValue, promisedChecksum } from '../checksum/request-checksum.ts'
import type { PromisedChecksum } from '../checksum/request-checksum.ts'
import type { PayloadMode } from '../core/auth/payload-mode.ts'
import type { Trailer } from '../core/body/chunk-decoder.ts'
import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'

export interface BodyPromises {
  /** Hexadecimal, of the bytes as signed. */
  readonly sha256: string | undefined
  /** `Content-MD5`. */
  readonly md5: Uint8Array | undefined
  readonly checksum: PromisedChecksum | undefined
}

type Headers = ReadonlyMap<string, string>

/** `InvalidDigest`, `InvalidRequest`, `NotImplemented`. */
export function promisesOf(headers: Headers, payload: PayloadMode): BodyPromises | S3Error {
  const md5 = promisedMd5(headers)
  if (md5 instanceof S3Error) return md5
  const checksum = promisedChecksum(headers)
  if (checksum instanceof S3Error) return checksum
  if (checksum?.kind === 'trailer' && !(payload.kind === 'chunked' && payload.trailer)) {
    return invalidRequest('The x-amz-trailer header needs a body with trailers.')
  }
  return { sha256: payload.kind === 'sha256' ? payload.hex : undefined, md5, checksum }
}

export function promisedMd5(headers: Headers): Uint8Array | undefined | S3Error {
  const text = headers.get('content-md5')
  if (text === undefined) return undefined
  return decodeDigest(text, 'md5') ?? new S3Error('InvalidDigest', { elements: { 'Content-MD5': text } })
}

/** What must be computed to tell. */
export function digestsFor(promises: BodyPromises): readonly DigestAlgorithm[] {
  const wanted = new Set<DigestAlgorithm>()
  if (promises.md5 !== undefined) wanted.add('md5')
  if (promises.sha256 !== undefined) wanted.add('sha256')
  if (promises.checksum !== undefined) wanted.add(promises.checksum.algorithm)
  return [...wanted]
}

/**
 * Throws `XAmzContentSHA256Mismatch`, `BadDigest`, `MalformedTrailerError` or `InvalidRequest` for the first that was
 * broken. `trailers` are those that followed the body, none for a body without.
 */
export function checkPromises(promises: BodyPromises, digests: Digests, trailers: readonly Trailer[]): void {
  checkSha256(promises.sha256, digests)
  checkMd5(promises.md5, digests)
  const promised = checksumBytes(promises.checksum, trailers)
  if (promised === undefined) return
  const computed = digestFrom(digests, promised.algorithm)
  if (sameBytes(promised.bytes, computed)) return
  throw new S3Error('BadDigest', {
    message: `The ${checksumName[promised.algorithm]} you specified did not match the calculated checksum.`,
  })
}

/** The digest of `algorithm`, which was asked for. */
export function digestFrom(digests: Digests, algorithm: DigestAlgorithm): Uint8Array {
  const digest = digests[algorithm]
  assert(digest !== undefined, `the store computes the digests that it is asked for: ${algorithm}`)
  return digest
}

function checkSha256(promised: string | undefined, digests: Digests): void {
  if (promised === undefined) return
  const computed = encodeHex(digestFrom(digests, 'sha256'))
  if (computed === promised) return
  throw new S3Error('XAmzContentSHA256Mismatch', {
    elements: { ClientComputedContentSHA256: promised, S3ComputedContentSHA256: computed },
  })
}

function checkMd5(promised: Uint8Array | undefined, digests: Digests): void {
  if (promised === undefined) return
  const computed = digestFrom(digests, 'md5')
  if (sameBytes(promised, computed)) return
  throw new S3Error('BadDigest', {
    elements: { ExpectedDigest: encodeBase64(promised), CalculatedDigest: encodeBase64(computed) },
  })
}

/** Exactly the announced trailers must have come: one more or less is not what the client meant to send. */
function checksumBytes(
  promised: PromisedChecksum | undefined,
  trailers: readonly Trailer[],
): { readonly algorithm: ChecksumAlgorithm; readonly bytes: Uint8Array } | undefined {
  if (promised?.kind !== 'trailer') {
    if (trailers.length > 0) throw new S3Error('MalformedTrailerError')
    return promised
  }
  const { algorithm } = promised
  const header = checksumHeader[algorithm]
  const [trailer] = trailers
  if (trailers.length !== 1 || trailer?.name !== header) throw new S3Error('MalformedTrailerError')
  const bytes = decodeDigest(trailer.value, algorithm)
  if (bytes === undefined) throw invalidValue(header)
  return { algorithm, bytes }
}
