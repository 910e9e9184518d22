import { StoreError, assert } from '../errors.ts'

export interface InboundBodyOptions {
  readonly windowBytes: number
  /** The consumer has taken so many bytes: the sender may send as many more. */
  readonly onConsumed: (bytes: number) => void
  /** The consumer left before the end. */
  readonly onAbandoned: () => void
}

type Result = IteratorResult<Uint8Array, undefined>

interface Waiter {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * A body that arrives. It holds at most a window of bytes, because the sender gets credit only for what its one consumer
 * has taken. Leaving the loop early abandons the call's body.
 */
export class InboundBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  private readonly options: InboundBodyOptions
  private queue: Uint8Array[] = []
  private heldBytes = 0
  /** Taken, but not yet told: credit is given in halves of a window, not for every piece. */
  private untoldBytes = 0
  private waiter: Waiter | undefined
  private outcome: 'ended' | 'abandoned' | { readonly failure: unknown } | undefined
  private isConsumed = false

  constructor(options: InboundBodyOptions) {
    this.options = options
  }

  /** Throws when the peer sends more than its window. */
  push(piece: Uint8Array): void {
    if (this.outcome !== undefined || piece.length === 0) return
    this.heldBytes += piece.length
    if (this.heldBytes + this.untoldBytes > this.options.windowBytes) {
      throw new StoreError('TooLarge', 'the peer sent more than its window')
    }
    if (this.waiter === undefined) {
      this.queue.push(piece)
      return
    }
    const { resolve } = this.waiter
    this.waiter = undefined
    resolve(this.hand(piece))
  }

  end(): void {
    if (this.outcome !== undefined) return
    this.outcome = 'ended'
    this.waiter?.resolve(over)
    this.waiter = undefined
  }

  /** What is held is dropped, for bytes of a call that failed are of no use. After the end it changes nothing. */
  fail(failure: unknown): void {
    if (this.outcome !== undefined) return
    this.outcome = { failure }
    this.queue = []
    this.waiter?.reject(failure)
    this.waiter = undefined
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    assert(!this.isConsumed, 'a body has one consumer')
    this.isConsumed = true
    return this
  }

  next(): Promise<Result> {
    const piece = this.queue.shift()
    if (piece !== undefined) return Promise.resolve(this.hand(piece))
    const { outcome } = this
    if (outcome === 'ended' || outcome === 'abandoned') return Promise.resolve(over)
    if (outcome !== undefined) return Promise.reject(outcome.failure)
    assert(this.waiter === undefined, 'a body is read one piece at a time')
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  return(): Promise<Result> {
    if (this.outcome === undefined) {
      this.outcome = 'abandoned'
      this.options.onAbandoned()
    }
    this.queue = []
    return Promise.resolve(over)
  }

  private hand(piece: Uint8Array): Result {
    this.heldBytes -= piece.length
    this.untoldBytes += piece.length
    if (this.outcome === undefined && this.untoldBytes >= this.options.windowBytes / 2) {
      this.options.onConsumed(this.untoldBytes)
      this.untoldBytes = 0
    }
    return { done: false, value: piece }
  }
}
