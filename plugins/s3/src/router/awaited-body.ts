/**
 * The body of a client that waits for `100 Continue`. The host says it when the body is opened; here that is put off
 * until somebody asks for the first piece, which is after the store has looked at the bucket, the rights and the upload.
 * A client that may not write, or not there, then never sends its gigabytes.
 */

import type { HttpBody } from '@o3/protocol-bus/api'

export function awaitedBody(body: HttpBody): HttpBody {
  return { length: body.length, all: (limit) => body.all(limit), stream: () => new OpenedWhenRead(body) }
}

class OpenedWhenRead implements AsyncIterableIterator<Uint8Array> {
  readonly #body: HttpBody
  #pieces: AsyncIterator<Uint8Array> | undefined

  constructor(body: HttpBody) {
    this.#body = body
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    this.#pieces ??= this.#body.stream()[Symbol.asyncIterator]()
    return this.#pieces.next()
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#pieces?.return?.()
    return { done: true, value: undefined }
  }
}
