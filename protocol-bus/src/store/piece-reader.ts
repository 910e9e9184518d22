/** Reads a stream of pieces into chunks of memory. */

import { StoreError } from '@o3/common/errors'
import { refuseAborted } from './refused.ts'

/**
 * One reader per body. The iterator is driven by hand: pieces are many and small, and between two of them an abort must
 * be able to end the wait for a sender that says nothing.
 */
export class PieceReader {
  private readonly pieces: AsyncIterator<Uint8Array>
  private readonly signal: AbortSignal | undefined
  private piece: Uint8Array | undefined
  private offset = 0
  private ended = false
  private giveUp: ((reason: StoreError) => void) | undefined

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.pieces = source[Symbol.asyncIterator]()
    this.signal = signal
    signal?.addEventListener('abort', this.onAbort)
  }

  /** Fills the chunk; fewer bytes than it holds only at the end of the body. Rejects as the body does, or `Aborted`. */
  async fill(chunk: Uint8Array): Promise<number> {
    let filled = 0
    while (filled < chunk.length && !(await this.atEnd())) {
      const piece = this.piece as Uint8Array
      const count = Math.min(piece.length - this.offset, chunk.length - filled)
      chunk.set(count === piece.length ? piece : piece.subarray(this.offset, this.offset + count), filled)
      this.offset += count
      filled += count
    }
    return filled
  }

  /** True once no byte is left; waits for the next one to know. */
  async atEnd(): Promise<boolean> {
    while (!this.ended && (this.piece === undefined || this.offset === this.piece.length)) {
      const result = await this.next()
      this.offset = 0
      this.piece = result.done === true ? undefined : result.value
      this.ended = result.done === true
    }
    return this.ended
  }

  /** The body was read to its end, or is of no more use: lets go of the source. */
  close(): void {
    this.signal?.removeEventListener('abort', this.onAbort)
    if (this.ended) return
    this.ended = true
    // Not waited for: a generator that is itself waiting for bytes answers only after them. What it says is about a
    // body that nobody wants any more.
    this.pieces.return?.().then(undefined, () => undefined)
  }

  private next(): Promise<IteratorResult<Uint8Array>> {
    const { signal } = this
    if (signal === undefined) return this.pieces.next()
    refuseAborted(signal)
    return new Promise((resolve, reject) => {
      this.giveUp = reject
      this.pieces.next().then(resolve, reject)
    })
  }

  private readonly onAbort = (): void => {
    this.giveUp?.(new StoreError('Aborted', 'the request was aborted'))
  }
}

/** Bytes that are all there, as the stream that streaming code wants. */
export async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
