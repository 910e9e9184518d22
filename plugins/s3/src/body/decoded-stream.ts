/** A stream of pieces with the `aws-chunked` framing taken off. */

import type { ChunkDecoder } from '../core/body/chunk-decoder.ts'

/**
 * One consumer. Written as an iterator and not as a generator, which would cost each piece a promise more. The views
 * of one piece are all handed out before the next one is asked for, because then the piece's memory may be used again.
 */
export class DecodedStream implements AsyncIterableIterator<Uint8Array> {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #decoder: ChunkDecoder
  #ready: Uint8Array[] = []
  #taken = 0

  constructor(pieces: AsyncIterable<Uint8Array>, decoder: ChunkDecoder) {
    this.#pieces = pieces[Symbol.asyncIterator]()
    this.#decoder = decoder
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const view = this.#ready[this.#taken]
    if (view === undefined) return this.#advance()
    this.#taken++
    return Promise.resolve({ done: false, value: view })
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#pieces.return?.()
    return { done: true, value: undefined }
  }

  async #advance(): Promise<IteratorResult<Uint8Array>> {
    this.#ready = []
    for (;;) {
      const piece = await this.#pieces.next()
      if (piece.done === true) {
        this.#decoder.end()
        return { done: true, value: undefined }
      }
      await this.#decode(piece.value)
      const view = this.#ready[0]
      if (view !== undefined) {
        this.#taken = 1
        return { done: false, value: view }
      }
    }
  }

  async #decode(piece: Uint8Array): Promise<void> {
    try {
      this.#decoder.push(piece, this.#ready)
    } catch (error) {
      await this.#pieces.return?.()
      throw error
    }
  }
}
