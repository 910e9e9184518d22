/** Two ways to take a body from its connection: whole, or piece by piece. */

import { StoreError } from '@o3/common/errors'

/** What a connection says of a body, in order: pieces, then one of `end` and `fail`. */
export interface BodySink {
  /** False: the connection should hold back until `resume` is called. */
  piece(bytes: Uint8Array): boolean
  end(): void
  fail(error: unknown): void
}

/** The whole body, where it is small. One piece, the usual case, is handed on as it is. */
export class WholeBody implements BodySink {
  readonly done: Promise<Uint8Array>
  private readonly limit: number
  private size = 0
  private first: Uint8Array | undefined
  private others: Uint8Array[] | undefined
  private resolve!: (bytes: Uint8Array) => void
  private reject!: (error: unknown) => void

  constructor(limit: number) {
    this.limit = limit
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  piece(bytes: Uint8Array): boolean {
    this.size += bytes.length
    if (this.size > this.limit) {
      this.others = undefined
      this.reject(tooLarge(this.limit))
      return false
    }
    if (this.first === undefined) this.first = bytes
    else (this.others ??= []).push(bytes)
    return true
  }

  end(): void {
    if (this.first === undefined) this.resolve(new Uint8Array(0))
    else if (this.others === undefined) this.resolve(this.first)
    else this.resolve(Buffer.concat([this.first, ...this.others]))
  }

  fail(error: unknown): void {
    this.reject(error)
  }
}

/** So much of a body may wait for its reader before the connection is held back. */
const highWaterBytes = 128 * 1024
const lowWaterBytes = 64 * 1024
/** Pieces up to here are joined while they wait: a sender of tiny chunks costs its reader no turn for each. */
const joinBytes = 16 * 1024

/** A body as it comes, with back-pressure. One reader. */
export class BodyStream implements BodySink, AsyncIterableIterator<Uint8Array> {
  private readonly resume: () => void
  private readonly abandon: () => void
  private queue: Uint8Array[] = []
  private queuedBytes = 0
  private heldBack = false
  private ended = false
  private failure: { readonly error: unknown } | undefined
  private waiting: ((result: Promise<IteratorResult<Uint8Array>>) => void) | undefined

  /** `resume` lets the connection go on; `abandon` says that nobody reads any further. */
  constructor(resume: () => void, abandon: () => void) {
    this.resume = resume
    this.abandon = abandon
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  piece(bytes: Uint8Array): boolean {
    this.queue.push(bytes)
    this.queuedBytes += bytes.length
    this.answer()
    this.heldBack = this.queuedBytes > highWaterBytes
    return !this.heldBack
  }

  end(): void {
    this.ended = true
    this.answer()
  }

  fail(error: unknown): void {
    this.failure = { error }
    this.answer()
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    return (
      this.ready() ??
      new Promise((resolve) => {
        this.waiting = resolve
      })
    )
  }

  /** The rest of the body is not wanted. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.queue = []
    if (!this.ended) {
      this.ended = true
      this.abandon()
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  private answer(): void {
    const { waiting } = this
    if (waiting === undefined) return
    const result = this.ready()
    if (result === undefined) return
    this.waiting = undefined
    waiting(result)
  }

  /** What can be said now; undefined: nothing. Bytes that came before a failure are delivered before it. */
  private ready(): Promise<IteratorResult<Uint8Array>> | undefined {
    const value = this.take()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.failure !== undefined) return Promise.reject(this.failure.error)
    return this.ended ? Promise.resolve({ done: true, value: undefined }) : undefined
  }

  private take(): Uint8Array | undefined {
    const { queue } = this
    const [first] = queue
    if (first === undefined) return undefined
    let taken = first
    if (queue.length > 1 && this.queuedBytes <= joinBytes) {
      taken = Buffer.concat(queue)
      this.queue = []
    } else queue.shift()
    this.queuedBytes -= taken.length
    if (this.heldBack && this.queuedBytes <= lowWaterBytes) {
      this.heldBack = false
      this.resume()
    }
    return taken
  }
}

export function tooLarge(limit: number): StoreError {
  return new StoreError('TooLarge', `the body is larger than ${limit} bytes`, { details: { limit } })
}
