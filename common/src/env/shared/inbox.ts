import { assert } from '../../errors.ts'

const end: IteratorReturnResult<undefined> = { done: true, value: undefined }

interface Waiter {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void
  readonly reject: (error: unknown) => void
}

/**
 * What a connection has received and its one consumer has not yet taken. `onTaken` tells the source how many bytes are
 * still here, so that it can stop and go on.
 */
export class Inbox implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #waiter: Waiter | undefined
  #outcome: { readonly failure: Error | undefined } | undefined
  #consumed = false
  readonly #onTaken: (queuedBytes: number) => void

  constructor(onTaken: (queuedBytes: number) => void) {
    this.#onTaken = onTaken
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  push(chunk: Uint8Array): void {
    if (this.#outcome !== undefined) return
    if (this.#waiter !== undefined) {
      const { resolve } = this.#waiter
      this.#waiter = undefined
      resolve({ done: false, value: chunk })
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
  }

  /** Nothing more will come: the end, or a failure that the consumer meets behind what is queued. First call wins. */
  finish(failure?: Error): void {
    if (this.#outcome !== undefined) return
    this.#outcome = { failure }
    if (this.#waiter === undefined) return
    const { resolve, reject } = this.#waiter
    this.#waiter = undefined
    if (failure === undefined) resolve(end)
    else reject(failure)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    assert(!this.#consumed, 'a connection has one consumer')
    this.#consumed = true
    return this
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      this.#onTaken(this.#queuedBytes)
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#outcome !== undefined) {
      const { failure } = this.#outcome
      return failure === undefined ? Promise.resolve(end) : Promise.reject(failure)
    }
    assert(this.#waiter === undefined, 'a connection is read by one consumer, one chunk at a time')
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** The consumer leaves: what comes later is dropped. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.finish()
    this.#queue = []
    this.#queuedBytes = 0
    return Promise.resolve(end)
  }
}
