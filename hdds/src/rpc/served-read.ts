import type { Cancel } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Patience } from './patient-body.ts'

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }

/**
 * The reply's body of a read. The wire keeps what it is given until the socket has taken it, while the datanode uses its
 * buffers again: each piece is copied. One piece is asked for when the caller has credit for it, so a caller that does not
 * read holds a piece here and the datanode's two behind it; after a silence that is too long, nothing at all.
 */
export class ServedRead implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly pieces: AsyncIterator<Uint8Array>
  private readonly patience: Patience
  private cancelTimer: Cancel | undefined
  private failure: StoreError | undefined

  constructor(pieces: AsyncIterable<Uint8Array>, patience: Patience) {
    this.pieces = pieces[Symbol.asyncIterator]()
    this.patience = patience
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    this.cancelTimer?.()
    if (this.failure !== undefined) throw this.failure
    const step = await this.pieces.next()
    if (step.done === true) return over
    const value = new Uint8Array(step.value)
    const { clock, silenceMs } = this.patience
    this.cancelTimer = clock.after(silenceMs, () => this.giveUp(silenceMs))
    return { done: false, value }
  }

  async return(): Promise<Step> {
    this.cancelTimer?.()
    await this.pieces.return?.()
    return over
  }

  private giveUp(silenceMs: number): void {
    this.failure = new StoreError('DeadlineExceeded', `nothing was read for ${silenceMs} ms`)
    // What it rejects with is said by `next` to whoever comes: the read is over either way.
    this.pieces.return?.().catch(() => undefined)
  }
}
