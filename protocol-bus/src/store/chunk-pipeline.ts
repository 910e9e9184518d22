/**
 * Two chunks of one body: while one is hashed and written, the other is filled. A chunk goes back to the pool only when
 * neither the hashing nor the disk reads it any more, also when one of them has failed.
 */

import type { Chunk, ChunkPool } from '@o3/common/digest/chunks'
import type { DigestSession } from '@o3/common/digest/pool'
import type { Digests } from '../api/api.ts'

interface Failure {
  readonly error: unknown
}

export class ChunkPipeline {
  private readonly pool: ChunkPool
  private readonly hash: DigestSession
  private readonly signal: AbortSignal | undefined
  /** Taken and being filled. */
  private filling: Chunk | undefined
  /** The work on the chunk before. Its failure is a value, because nobody waits for it while the next one fills. */
  private working: Promise<Failure | undefined> = Promise.resolve(undefined)

  constructor(pool: ChunkPool, hash: DigestSession, signal?: AbortSignal) {
    this.pool = pool
    this.hash = hash
    this.signal = signal
  }

  /** The chunk to fill next; it stays the same until it is submitted. Waits for one to be free: `Busy`, `Aborted`. */
  async take(): Promise<Uint8Array> {
    this.filling ??= this.pool.tryAcquire() ?? (await this.pool.acquire(this.signal))
    return this.filling.bytes
  }

  /** Hands on the first `length` bytes of the chunk, once the one before is done. Rejects with what that one met. */
  async submit(length: number, write: (bytes: Uint8Array) => Promise<unknown>): Promise<void> {
    await this.drained()
    const chunk = this.filling
    if (chunk === undefined || length === 0) return
    this.filling = undefined
    this.working = this.work(chunk, length, write)
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
    this.filling?.release()
    this.filling = undefined
  }

  private async drained(): Promise<void> {
    const failure = await this.working
    if (failure !== undefined) throw failure.error
  }

  private async work(
    chunk: Chunk,
    length: number,
    write: (bytes: Uint8Array) => Promise<unknown>,
  ): Promise<Failure | undefined> {
    const bytes = length === chunk.bytes.length ? chunk.bytes : chunk.bytes.subarray(0, length)
    // Writing starts first: a small body is hashed at once, and the disk works meanwhile.
    const settled = await Promise.allSettled([write(bytes), this.hash.update(bytes)])
    chunk.release()
    const rejected = settled.find((result) => result.status === 'rejected')
    return rejected === undefined ? undefined : { error: rejected.reason }
  }
}
