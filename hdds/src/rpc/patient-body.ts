import type { Clock } from '@o3/common/env'
import { withinDeadline } from '@o3/common/lifecycle'

export interface Patience {
  readonly clock: Clock
  /** The longest silence between two pieces. */
  readonly silenceMs: number
}

type Step = IteratorResult<Uint8Array, undefined>

/** A body whose sender must go on: after a silence that is too long it rejects with `DeadlineExceeded`. */
export class PatientBody implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly body: AsyncIterator<Uint8Array>
  private readonly patience: Patience

  constructor(body: AsyncIterable<Uint8Array>, patience: Patience) {
    this.body = body[Symbol.asyncIterator]()
    this.patience = patience
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Step> {
    const { clock, silenceMs } = this.patience
    return withinDeadline(clock, silenceMs, 'the next part of a body', this.body.next())
  }

  async return(): Promise<Step> {
    await this.body.return?.()
    return { done: true, value: undefined }
  }
}
