/**
 * Two chunks of one body: while one is hashed and written, the other is filled. A chunk goes back to the pool only when
 * neither the hashing nor the disk reads it any more, also when one of them has failed.
 */

import type { Digests } from '../api/api.ts'
import type { ChunkDigests, DigestStream } from './digest-port.ts'

interface Failure {
  readonly error: unknown
}

export class ChunkPipeline {
  private readonly pool: ChunkDigests
  private readonly hash: DigestStream
  /** Taken and being filled. */
  private filling: Uint8Array | undefined
  /** The work on the chunk before. Its failure is a value, because nobody waits for it while the next one fills. */
  private working: Promise<Failure | undefined> = Promise.resolve(undefined)

  constructor(pool: ChunkDigests, hash: DigestStream) {
    this.pool = pool
    this.hash = hash
  }

  /** The chunk to fill next; it stays the same until it is submitted. */
  async take(): Promise<Uint8Array> {
    this.filling ??= await this.pool.takeChunk()
    return this.filling
  }

  /** Hands on the first `length` bytes of the chunk, once the one before is done. Rejects with what that one met. */
  async submit(length: number, write: (bytes: Uint8Array) => Promise<unknown>): Promise<void> {
    await this.drained()
    const chunk = this.filling
    if (chunk === undefined || length === 0) return
    this.filling = undefined
    this.working = this.work(chunk, length === chunk.length ? chunk : chunk.subarray(0, length), write)
  }

  /** The digests of everything submitted, after all of it was written. Rejects with the first failure. */
  async finish(): Promise<Digests> {
    await this.drained()
    return this.hash.finish()
  }

  /** Nothing is read or written after this. Never rejects. Idempotent, also after `finish`. */
  async close(): Promise<void> {
    await this.working
    this.hash.abort()
    if (this.filling !== undefined) this.pool.returnChunk(this.filling)
    this.filling = undefined
  }

  private async drained(): Promise<void> {
    const failure = await this.working
    if (failure !== undefined) throw failure.error
  }

  private async work(
    chunk: Uint8Array,
    bytes: Uint8Array,
    write: (bytes: Uint8Array) => Promise<unknown>,
  ): Promise<Failure | undefined> {
    // Writing starts first: hashing may be synchronous, and the disk works meanwhile.
    const writing = write(bytes)
    const settled = await Promise.allSettled([writing, this.hashed(bytes)])
    this.pool.returnChunk(chunk)
    const rejected = settled.find((result) => result.status === 'rejected')
    return rejected === undefined ? undefined : { error: rejected.reason }
  }

  private async hashed(bytes: Uint8Array): Promise<void> {
    await this.hash.update(bytes)
  }
}
