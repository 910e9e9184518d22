import { StoreError } from '@o3/common/errors'

type Step = IteratorResult<Uint8Array, undefined>

/** A body that rejects with `IncompleteBody` when it has not its stated length, however its end looks. */
export class ExactBody implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly received: AsyncIterator<Uint8Array>
  private left: number

  constructor(body: AsyncIterable<Uint8Array>, length: number) {
    this.received = body[Symbol.asyncIterator]()
    this.left = length
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    const step = await this.received.next()
    if (step.done !== true) {
      this.left -= step.value.length
      if (this.left >= 0) return { done: false, value: step.value }
    } else if (this.left === 0) return { done: true, value: undefined }
    await this.return()
    throw new StoreError('IncompleteBody', 'the answer has not its stated length')
  }

  async return(): Promise<Step> {
    await this.received.return?.()
    return { done: true, value: undefined }
  }
}
