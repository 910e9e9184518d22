/** The bytes of a body without their framing: at once where they are few, else as a stream. */

import type { ByteSource, HttpBody } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import { ChunkDecoder } from '../core/body/chunk-decoder.ts'
import type { ChunkFraming, ChunkObserver, Trailer } from '../core/body/chunk-decoder.ts'
import { invalidRequest, S3Error } from '../core/errors/s3-error.ts'
import { parseDecimal } from '../core/request/decimal.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { BoundedStream } from './bounded-stream.ts'
import { ChunkSignatures } from './chunk-signatures.ts'
import { DecodedStream } from './decoded-stream.ts'

/**
 * Up to here a body is read whole: one array passes through the store faster than a stream of it would, and a thousand
 * of them at once are no burden.
 */
export const smallBodyBytes = 128 * 1024

export interface BodySource {
  readonly source: ByteSource
  /** Without the framing; undefined for a body whose length nobody told. */
  readonly size: number | undefined
  /** What followed the body. Complete once the source is at its end. */
  readonly trailers: readonly Trailer[]
}

/**
 * The size that the headers announce, without the framing. `MissingContentLength`, `InvalidRequest`, and
 * `EntityTooLarge` above `maxBytes`.
 */
export function announcedSize(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  maxBytes: number,
): number | undefined | S3Error {
  const size = authenticated.payload.kind === 'chunked' ? decodedLength(request) : plainLength(body, request)
  if (size === undefined || size instanceof S3Error || size <= maxBytes) return size
  return new S3Error('EntityTooLarge', {
    elements: { ProposedSize: String(size), MaxSizeAllowed: String(maxBytes) },
  })
}

/** Bytes that do not end where `size` says are refused while they come, as far as their framing tells. */
export async function openBody(
  body: HttpBody,
  authenticated: Authenticated,
  size: number | undefined,
  maxBytes: number,
): Promise<BodySource> {
  const { payload } = authenticated
  if (payload.kind === 'chunked' && size !== undefined) {
    return openChunked(body, authenticated, { signed: payload.signed, trailer: payload.trailer, decodedLength: size })
  }
  if (size === undefined) return { source: new BoundedStream(body.stream(), maxBytes), size, trailers: [] }
  return { source: size <= smallBodyBytes ? await body.all(size) : body.stream(), size, trailers: [] }
}

async function openChunked(body: HttpBody, authenticated: Authenticated, framing: ChunkFraming): Promise<BodySource> {
  const trailers: Trailer[] = []
  const onTrailers = (fields: readonly Trailer[]): void => void trailers.push(...fields)
  const observer: ChunkObserver = framing.signed
    ? new ChunkSignatures(authenticated.signing, { trailersAreSigned: framing.trailer, onTrailers })
    : { data: () => undefined, chunkEnd: () => undefined, trailers: onTrailers }
  const decoder = new ChunkDecoder(framing, observer)
  const size = framing.decodedLength
  if (size > smallBodyBytes) return { source: new DecodedStream(body.stream(), decoder), size, trailers }
  return { source: await readDecoded(body, decoder, size), size, trailers }
}

/** A view of what came where the body is one chunk, as those of small objects are. */
async function readDecoded(body: HttpBody, decoder: ChunkDecoder, size: number): Promise<Uint8Array> {
  // The framing may be larger than the bytes, and without a length nobody knows by how much: only the bytes are kept.
  if (body.length === undefined || body.length > 2 * smallBodyBytes) {
    return joinStream(new DecodedStream(body.stream(), decoder), size)
  }
  const views: Uint8Array[] = []
  decoder.push(await body.all(body.length), views)
  decoder.end()
  const [only] = views
  if (only !== undefined && views.length === 1) return only
  const bytes = new Uint8Array(size)
  let at = 0
  for (const view of views) {
    bytes.set(view, at)
    at += view.length
  }
  return bytes
}

/** All of a stream that yields exactly `size` bytes, or throws. */
export async function joinStream(stream: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  let at = 0
  for await (const view of stream) {
    bytes.set(view, at)
    at += view.length
  }
  return bytes
}

function decodedLength(request: S3Request): number | S3Error {
  const text = request.headers.get('x-amz-decoded-content-length')
  if (text === undefined) return new S3Error('MissingContentLength')
  return parseDecimal(text) ?? invalidRequest('Value for x-amz-decoded-content-length header is invalid.')
}

/** HTTP's own chunked coding has no length and needs none; a body with neither is one that a client forgot to frame. */
function plainLength(body: HttpBody, request: S3Request): number | undefined | S3Error {
  if (body.length !== 0 || request.wireHeaders.has('content-length')) return body.length
  return new S3Error('MissingContentLength')
}
