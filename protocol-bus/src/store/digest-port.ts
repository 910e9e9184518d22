/**
 * Hashing of streamed bodies, and the memory they pass through. Bytes are copied once, from the socket's buffers into a
 * chunk that both the hashing (perhaps on another thread) and the disk write read; a bounded number of chunks is what
 * bounds the memory of all uploads together.
 */

import type { DigestAlgorithm, Digests } from '../api/api.ts'

export interface ChunkDigests {
  /** The length of every chunk: also the longest write to a block. */
  readonly chunkBytes: number
  /** A chunk of one's own, as soon as there is one: those who wait are served in order. */
  takeChunk(): Uint8Array | Promise<Uint8Array>
  /** Nobody may read or write it any more. */
  returnChunk(chunk: Uint8Array): void
  open(algorithms: readonly DigestAlgorithm[]): DigestStream
}

export interface DigestStream {
  /** The next bytes, in order, part of one chunk. They may change once it has settled. One call at a time. */
  update(bytes: Uint8Array): void | Promise<void>
  /** After the last `update` has settled. */
  finish(): Digests | Promise<Digests>
  /** Instead of `finish`: forgets what was hashed. Idempotent. */
  abort(): void
}
