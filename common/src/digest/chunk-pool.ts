import type { Cancel } from '../env/env.ts'
import { StoreError, assert } from '../errors.ts'

/**
 * A piece of memory that threads share. Its holder alone writes into it, and releases it once, when everything that reads
 * it has settled: after a failure too, or the next holder writes under a write to disk that still runs.
 */
export interface Chunk {
  /** The whole chunk; take a `subarray` of what was filled. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  release(): void
}

export interface ChunkPoolOptions {
  readonly chunkSizeBytes: number
  readonly maxChunks: number
  /** Beyond this many waiting callers, `acquire` rejects with `Busy`. Default 10,000. */
  readonly maxWaiting?: number
}

interface Waiter {
  readonly take: (chunk: Chunk) => void
}

/**
 * A bounded number of equal chunks of shared memory: the bytes of a large body are copied into one once, and from
 * there the disk writes them and another thread hashes them, at the same time and without a copy. Chunks are made when
 * first needed and kept for ever.
 *
 * When all are in use `acquire` waits, first come first served: this is the back-pressure of large bodies. It cannot
 * lock up as long as no holder waits for a second chunk before it can be done with its first. A holder that waits for a
 * client says so (`whileIdle`) and is asked to be done with what it has: slow senders hold nobody up.
 */
export class ChunkPool {
  readonly chunkSizeBytes: number
  private readonly maxChunks: number
  private readonly maxWaiting: number
  private readonly free: Uint8Array<SharedArrayBuffer>[] = []
  private readonly waiters = new Set<Waiter>()
  /** Of holders that wait for a client, the longest first. */
  private readonly idle = new Set<() => void>()
  private made = 0

  constructor(options: ChunkPoolOptions) {
    this.chunkSizeBytes = options.chunkSizeBytes
    this.maxChunks = options.maxChunks
    this.maxWaiting = options.maxWaiting ?? 10_000
  }

  get inUse(): number {
    return this.made - this.free.length
  }

  get waiting(): number {
    return this.waiters.size
  }

  /** A chunk, if one is free now. */
  tryAcquire(): Chunk | undefined {
    const bytes = this.free.pop() ?? this.make()
    return bytes === undefined ? undefined : this.lend(bytes)
  }

  /** Waits for a chunk; rejects with the signal's reason when aborted, with `Busy` when too many wait. */
  acquire(signal?: AbortSignal): Promise<Chunk> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const chunk = this.tryAcquire()
    if (chunk !== undefined) return Promise.resolve(chunk)
    if (this.waiters.size >= this.maxWaiting) {
      return Promise.reject(new StoreError('Busy', 'too many large bodies are waiting for memory'))
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.waiters.delete(waiter)
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        take: (lent) => {
          signal?.removeEventListener('abort', abort)
          resolve(lent)
        },
      }
      this.waiters.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
      this.askBack()
    })
  }

  /**
   * For a holder that waits for a client: `giveBack` is called at most once, when somebody else waits for memory, at once
   * if somebody does already. Until cancelled.
   */
  whileIdle(giveBack: () => void): Cancel {
    this.idle.add(giveBack)
    if (this.waiters.size > 0) this.askBack()
    return () => void this.idle.delete(giveBack)
  }

  private askBack(): void {
    const [giveBack] = this.idle
    if (giveBack === undefined) return
    this.idle.delete(giveBack)
    giveBack()
  }

  private make(): Uint8Array<SharedArrayBuffer> | undefined {
    if (this.made === this.maxChunks) return undefined
    this.made++
    return new Uint8Array(new SharedArrayBuffer(this.chunkSizeBytes))
  }

  private lend(bytes: Uint8Array<SharedArrayBuffer>): Chunk {
    let held = true
    return {
      bytes,
      release: () => {
        assert(held, 'a chunk is released twice')
        held = false
        this.takeBack(bytes)
      },
    }
  }

  private takeBack(bytes: Uint8Array<SharedArrayBuffer>): void {
    const [next] = this.waiters
    if (next === undefined) {
      this.free.push(bytes)
      return
    }
    this.waiters.delete(next)
    next.take(this.lend(bytes))
  }
}
