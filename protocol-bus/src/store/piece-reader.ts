/** Reads a stream of pieces into chunks of memory. */

import type { Cancel } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { refuseAborted } from './refused.ts'

/** Where a wait for a client may be cut short, because others need the memory that the waiting body holds. */
export interface Pressure {
  whileIdle(giveBack: () => void): Cancel
}

/**
 * One reader per body. The iterator is driven by hand: pieces are many and small, and between two of them an abort must
 * be able to end the wait for a sender that says nothing.
 */
export class PieceReader {
  private readonly pieces: AsyncIterator<Uint8Array>
  private readonly signal: AbortSignal | undefined
  /** Read and not yet taken, in order; `offset` into the first. */
  private readonly held: Uint8Array[] = []
  private heldBytes = 0
  private offset = 0
  private ended = false
  private reading: Promise<void> | undefined
  private giveUp: ((reason: StoreError) => void) | undefined

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.pieces = source[Symbol.asyncIterator]()
    this.signal = signal
    signal?.addEventListener('abort', this.onAbort)
  }

  /** Waits until this many bytes, or all that are left, have come. They stay in the buffers they came in. */
  async gather(bytes: number): Promise<void> {
    while (this.heldBytes < bytes && !this.ended) await this.read()
  }

  /**
   * Fills the chunk; fewer bytes than it holds at the end of the body, and when it has some and others need the memory while
   * this sender is silent. Rejects as the body does, or `Aborted`.
   */
  async fill(chunk: Uint8Array, pressure: Pressure): Promise<number> {
    let filled = 0
    while (filled < chunk.length) {
      const piece = this.held[0]
      if (piece !== undefined) filled += this.take(piece, chunk, filled)
      else if (this.ended) break
      else if (filled === 0) await this.read()
      else if ((await this.waitUnder(pressure)) === 'asked-back') break
    }
    return filled
  }

  /** Whether no byte is left; waits for the next one to know, unless others need the memory: then there may be more. */
  async atEnd(pressure: Pressure): Promise<boolean> {
    while (!this.ended && this.heldBytes === 0) if ((await this.waitUnder(pressure)) === 'asked-back') return false
    return this.isAtEnd
  }

  /** No byte is left, as far as was read. */
  get isAtEnd(): boolean {
    return this.ended && this.heldBytes === 0
  }

  private take(piece: Uint8Array, chunk: Uint8Array, filled: number): number {
    const count = Math.min(piece.length - this.offset, chunk.length - filled)
    chunk.set(count === piece.length ? piece : piece.subarray(this.offset, this.offset + count), filled)
    this.offset += count
    this.heldBytes -= count
    if (this.offset === piece.length) {
      this.held.shift()
      this.offset = 0
    }
    return count
  }

  private waitUnder(pressure: Pressure): Promise<'read' | 'asked-back'> {
    return new Promise((resolve, reject) => {
      const cancel = pressure.whileIdle(() => resolve('asked-back'))
      this.read().then(
        () => {
          cancel()
          resolve('read')
        },
        (error: unknown) => {
          cancel()
          reject(error)
        },
      )
    })
  }

  /** One read at a time: who was asked back joins it when it comes again. */
  private read(): Promise<void> {
    this.reading ??= this.next().then(({ done, value }) => {
      this.reading = undefined
      if (done === true) this.ended = true
      else if (value.length > 0) {
        this.held.push(value)
        this.heldBytes += value.length
      }
    })
    return this.reading
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
