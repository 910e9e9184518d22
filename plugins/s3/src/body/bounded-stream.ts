/** A stream whose length nobody told, held to a bound. */

import { S3Error } from '../core/errors/s3-error.ts'

export class BoundedStream implements AsyncIterableIterator<Uint8Array> {
  readonly #pieces: AsyncIterator<Uint8Array>
  #left: number

  constructor(pieces: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#pieces = pieces[Symbol.asyncIterator]()
    this.#left = maxBytes
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** `EntityTooLarge` with the piece that passes the bound. */
  async next(): Promise<IteratorResult<Uint8Array>> {
    const piece = await this.#pieces.next()
    if (piece.done === true) return piece
    this.#left -= piece.value.length
    if (this.#left >= 0) return piece
    await this.#pieces.return?.()
    throw new S3Error('EntityTooLarge')
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#pieces.return?.()
    return { done: true, value: undefined }
  }
}
