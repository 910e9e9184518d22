/** The body of an object or of a part, as the store wants it, and everything that was promised about it. */

import type { ByteSource, Checksum, ChecksumAlgorithm, DigestAlgorithm, Digests, HttpBody } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import { encodeBase64, encodeHex } from '../checksum/base64.ts'
import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { announcedSize, openBody } from './body-source.ts'
import type { BodySource } from './body-source.ts'
import { checkPromises, digestFrom, digestsFor, promisesOf } from './promises.ts'
import type { BodyPromises } from './promises.ts'

/** S3's bound for one PUT and for one part. */
export const maxBodyBytes = 5 * 1024 ** 3

export interface DecodedBody {
  /** The bytes of the object, without any framing: for `put` and `putPart`. */
  readonly source: ByteSource
  /** Their number where it is known ahead. */
  readonly size: number | undefined
  /** What the store must compute: MD5 for the ETag, and whatever was promised. */
  readonly digests: readonly DigestAlgorithm[]
  /** The checksum that will be stored, known before the bytes. */
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
  /** Of the upload that a part belongs to: computed where it was not promised; another one is refused. */
  readonly checksum?: ChecksumAlgorithm
}

/**
 * Throws `S3Error` for what the headers already show to be wrong (`InvalidDigest`, `InvalidRequest`,
 * `MissingContentLength`, `EntityTooLarge` …), and for a small body also what its framing shows; that of a large one is
 * thrown by the source. Nothing of the body is read, and no `100 Continue` sent, for the first kind.
 */
export async function decodeBody(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  options: DecodeOptions = {},
): Promise<DecodedBody> {
  const promises = promisesOf(request.headers, authenticated.payload)
  if (promises instanceof S3Error) throw promises
  const promised = promises.checksum?.algorithm
  const checksum = options.checksum ?? promised
  if (checksum !== undefined && promised !== undefined && checksum !== promised) throw otherChecksum(checksum, promised)
  const size = announcedSize(body, request, authenticated, maxBodyBytes)
  if (size instanceof S3Error) throw size
  return new CheckedSource(await openBody(body, authenticated, size, maxBodyBytes), promises, checksum)
}

class CheckedSource implements DecodedBody {
  readonly #body: BodySource
  readonly #promises: BodyPromises
  readonly digests: readonly DigestAlgorithm[]
  readonly checksum: ChecksumAlgorithm | undefined

  constructor(body: BodySource, promises: BodyPromises, checksum: ChecksumAlgorithm | undefined) {
    this.#body = body
    this.#promises = promises
    this.checksum = checksum
    const wanted = new Set<DigestAlgorithm>(['md5', ...digestsFor(promises)])
    if (checksum !== undefined) wanted.add(checksum)
    this.digests = [...wanted]
  }

  get source(): ByteSource {
    return this.#body.source
  }

  get size(): number | undefined {
    return this.#body.size
  }

  check(digests: Digests, size: number): CheckedBody {
    if (this.size !== undefined && size !== this.size) throw new S3Error('IncompleteBody')
    checkPromises(this.#promises, digests, this.#body.trailers)
    const etag = encodeHex(digestFrom(digests, 'md5'))
    if (this.checksum === undefined) return { etag }
    const value = encodeBase64(digestFrom(digests, this.checksum))
    return { etag, checksum: { algorithm: this.checksum, type: 'full-object', value } }
  }
}

function otherChecksum(expected: ChecksumAlgorithm, actual: ChecksumAlgorithm): S3Error {
  return invalidRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${actual}`,
  )
}
