/** The body of a request that carries a document: all of it, decoded and checked. */

import { assert, isStoreError } from '@o3/common/errors'
import { digestOf } from '@o3/common/digest/node'
import type { Digests, HttpBody } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import type { Trailer } from '../core/body/chunk-decoder.ts'
import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { announcedSize, joinStream, openBody } from './body-source.ts'
import { checkPromises, digestsFor, promisedMd5, promisesOf } from './promises.ts'
import type { BodyPromises } from './promises.ts'

export interface DocumentOptions {
  /** `MaxMessageLengthExceeded` above. */
  readonly limit: number
  /**
   * `required`: Content-MD5 or a checksum, as DeleteObjects has it (`InvalidRequest`); old clients send the one, new
   * ones the other. `of-object`: the checksum headers are about something else than this document, as in
   * CompleteMultipartUpload.
   */
  readonly digest: 'required' | 'optional' | 'of-object'
}

/** Empty for no body. Throws `S3Error`. */
export async function readDocument(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  options: DocumentOptions,
): Promise<Uint8Array> {
  const promises = documentPromises(request, authenticated, options)
  if (promises instanceof S3Error) throw promises
  const { bytes, trailers } = await readAll(body, request, authenticated, options.limit)
  const digests: Digests = Object.fromEntries(digestsFor(promises).map((name) => [name, digestOf(name, bytes)]))
  checkPromises(promises, digests, trailers)
  return bytes
}

function documentPromises(
  request: S3Request,
  { payload }: Authenticated,
  { digest }: DocumentOptions,
): BodyPromises | S3Error {
  if (digest === 'of-object') {
    const md5 = promisedMd5(request.headers)
    if (md5 instanceof S3Error) return md5
    return { md5, sha256: payload.kind === 'sha256' ? payload.hex : undefined, checksum: undefined }
  }
  const promises = promisesOf(request.headers, payload)
  if (promises instanceof S3Error || digest === 'optional') return promises
  if (promises.md5 !== undefined || promises.checksum !== undefined) return promises
  return invalidRequest('Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
}

interface Document {
  readonly bytes: Uint8Array
  readonly trailers: readonly Trailer[]
}

async function readAll(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  limit: number,
): Promise<Document> {
  if (authenticated.payload.kind !== 'chunked') return { bytes: await readPlain(body, limit), trailers: [] }
  const size = announcedSize(body, request, authenticated, limit)
  if (size instanceof S3Error) throw size.code === 'EntityTooLarge' ? new S3Error('MaxMessageLengthExceeded') : size
  const { source, trailers } = await openBody(body, authenticated, size, limit)
  assert(size !== undefined, 'the length of an aws-chunked body is known')
  return { bytes: source instanceof Uint8Array ? source : await joinStream(source, size), trailers }
}

/** A request without a body has an empty document: whether it needs one is for the operation to say. */
async function readPlain(body: HttpBody, limit: number): Promise<Uint8Array> {
  try {
    return await body.all(limit)
  } catch (error) {
    if (isStoreError(error, 'TooLarge')) throw new S3Error('MaxMessageLengthExceeded', { cause: error })
    throw error
  }
}
