/** A request's body as the store wants it, and everything that was promised about it. */

import type { ByteSource, Checksum, ChecksumAlgorithm, DigestAlgorithm, Digests, HttpBody } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import type { S3Request } from '../core/request/s3-request.ts'

/** S3's bound for one PUT and for one part. */
export const maxBodyBytes = 5 * 1024 ** 3

export interface DecodedBody {
  /** The bytes of the object, without any framing: for `put` and `putPart`. */
  readonly source: ByteSource
  /** Their number where it is known ahead. */
  readonly size: number | undefined
  /** What the store must compute: MD5 for the ETag, and whatever was promised. */
  readonly digests: readonly DigestAlgorithm[]
  /** The checksum that the client chose, known before the bytes. */
  readonly checksum: ChecksumAlgorithm | undefined
  /**
   * To be called in `finish`, after the last byte: compares all that was promised, trailers too, and answers what to
   * store. Throws `S3Error`: `BadDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody`, `MalformedTrailerError` …
   */
  check(digests: Digests, size: number): CheckedBody
}

export interface CheckedBody {
  /** Lower-case hexadecimal MD5. */
  readonly etag: string
  readonly checksum?: Checksum
}

export interface DecodeOptions {
  /** Also compute this one, promised or not: the algorithm of the upload that a part belongs to. */
  readonly checksum?: ChecksumAlgorithm
}

/** The body of an object or a part. Throws `S3Error` for what the headers already show to be wrong. */
export declare function decodeBody(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  options?: DecodeOptions,
): Promise<DecodedBody>
