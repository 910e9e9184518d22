/**
 * Hashing of large bodies on other cores. MD5 runs at 0.7 GB/s on one core, so it, not the disk, is the ceiling of an
 * upload; in the event loop it would also hold up everybody else.
 *
 * A session stays with one thread, because the state of a hash cannot move between threads. A thread serves any number
 * of sessions, message by message, in order.
 */

import { StoreError, assert } from '../errors.ts'
import type { DigestAlgorithm, Digests } from './digest.ts'
import { DigestThread } from './digest-thread.ts'
import { createDigests } from './node-digest.ts'

/** One body being hashed. */
export interface DigestSession {
  /**
   * Adds bytes. Resolves when they have been hashed; until then nobody may change them, but anybody may read them. Shared
   * memory (a `Chunk`) is read in place, other bytes are copied. Calls may overlap: they are taken in order.
   * Rejects with `Unavailable` when the worker died, `Closed` when the pool did, `Aborted` after `abort`.
   */
  update(bytes: Uint8Array): Promise<void>
  /** After the last `update`, whose promise need not have settled; the session is over. Rejects like `update`. */
  finish(): Promise<Digests>
  /** Gives up; promises that are open still settle, and only then may their bytes be changed. Late or twice is fine. */
  abort(): void
}

export interface DigestPoolOptions {
  /** Threads. Default 1; more than the cores that the event loop leaves free is waste. */
  readonly workers?: number
  /** Bodies known to be smaller are hashed at once in the calling thread. Default 256 KiB. */
  readonly inlineThresholdBytes?: number
  /** Beyond this many open sessions `open` throws `Busy`. Default 4,096. */
  readonly maxSessions?: number
}

export interface DigestSessionOptions {
  /** The size of the body, when it is known. */
  readonly sizeBytes?: number
}

// From this size on, the wake-ups of another thread (some 40 µs a message) cost less than they take off the loop.
const defaultInlineThresholdBytes = 256 * 1024

// At 0.1 to 0.3 ms a MiB these cost less than a trip to another thread.
const cheap: ReadonlySet<DigestAlgorithm> = new Set(['crc32', 'crc32c'])

export class DigestPool {
  readonly inlineThresholdBytes: number
  private readonly maxSessions: number
  private readonly threads: (DigestThread | undefined)[]
  /** A session that was forgotten without `finish` or `abort` ends when it is collected. */
  private readonly forgotten = new FinalizationRegistry<() => void>((end) => end())
  private sessions = 0
  private lastSession = 0
  private closing: Promise<void> | undefined

  /** Threads are started when first needed. */
  constructor(options: DigestPoolOptions = {}) {
    this.inlineThresholdBytes = options.inlineThresholdBytes ?? defaultInlineThresholdBytes
    this.maxSessions = options.maxSessions ?? 4096
    this.threads = Array.from({ length: options.workers ?? 1 }, () => undefined)
  }

  /** Sessions that are in a worker now. */
  get openSessions(): number {
    return this.sessions
  }

  /** Throws `Busy` at the bound and `Closed` after `close`. */
  open(algorithms: Iterable<DigestAlgorithm>, options: DigestSessionOptions = {}): DigestSession {
    if (this.closing !== undefined) throw new StoreError('Closed', 'the digest pool is closed')
    const wanted = [...new Set(algorithms)]
    const small = options.sizeBytes !== undefined && options.sizeBytes < this.inlineThresholdBytes
    if (small || wanted.every((algorithm) => cheap.has(algorithm))) return new InlineSession(wanted)
    if (this.sessions >= this.maxSessions) throw new StoreError('Busy', 'too many bodies are being hashed')
    const thread = this.pickThread()
    const id = ++this.lastSession
    this.sessions++
    thread.open(id, wanted, () => this.sessions--)
    const session = new ThreadSession(thread, id)
    this.forgotten.register(session, () => thread.abort(id))
    return session
  }

  /** Ends the threads; open sessions reject with `Closed`. Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.closeThreads()
    return this.closing
  }

  private async closeThreads(): Promise<void> {
    await Promise.all(this.threads.flatMap((thread) => (thread === undefined ? [] : [thread.close()])))
  }

  /** The one with the fewest sessions; a dead one is replaced. */
  private pickThread(): DigestThread {
    const loads = this.threads.map((thread) => (thread === undefined || thread.dead ? 0 : thread.sessions))
    const slot = loads.indexOf(Math.min(...loads))
    const thread = this.threads[slot]
    if (thread !== undefined && !thread.dead) return thread
    const fresh = new DigestThread()
    this.threads[slot] = fresh
    return fresh
  }
}

class ThreadSession implements DigestSession {
  private readonly thread: DigestThread
  private readonly id: number
  private finished = false

  constructor(thread: DigestThread, id: number) {
    this.thread = thread
    this.id = id
  }

  update(bytes: Uint8Array): Promise<void> {
    assert(!this.finished, 'a digest session is updated after its end')
    return this.thread.update(this.id, bytes)
  }

  finish(): Promise<Digests> {
    assert(!this.finished, 'a digest session is finished twice')
    this.finished = true
    return this.thread.finish(this.id)
  }

  abort(): void {
    this.thread.abort(this.id)
  }
}

class InlineSession implements DigestSession {
  private readonly digests
  private aborted = false

  constructor(algorithms: readonly DigestAlgorithm[]) {
    this.digests = createDigests(algorithms)
  }

  update(bytes: Uint8Array): Promise<void> {
    if (this.aborted) return Promise.reject(abortedError())
    this.digests.update(bytes)
    return Promise.resolve()
  }

  finish(): Promise<Digests> {
    if (this.aborted) return Promise.reject(abortedError())
    return Promise.resolve(this.digests.finish())
  }

  abort(): void {
    this.aborted = true
  }
}

function abortedError(): StoreError {
  return new StoreError('Aborted', 'the hashing was given up')
}
