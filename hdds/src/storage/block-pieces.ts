import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { ExtentRead } from '../core/read-plan.ts'
import { readExtent } from './block-reader.ts'
import type { ReadPiece, ReadSource } from './block-reader.ts'
import type { ReadBuffers } from './read-buffers.ts'

const piecesAhead = 2

/** What a stream of pieces reads, and how it lets go at its end. */
export interface OpenedPieces {
  readonly source: ReadSource
  readonly reads: readonly ExtentRead[]
  readonly close: () => void
}

/**
 * The pieces of a range, in order, two of them read ahead. A piece is valid until the next is asked for. Whoever stops
 * early calls `return`, as `for await` does.
 */
export class BlockPieces implements AsyncIterableIterator<Uint8Array> {
  private readonly local: LocalId
  private readonly open: () => Promise<OpenedPieces>
  private readonly buffers: ReadBuffers
  private opened: OpenedPieces | undefined
  private nextRead = 0
  private ahead: Promise<ReadPiece>[] = []
  private lent: Uint8Array | undefined
  private finished = false
  private busy = false

  constructor(local: LocalId, open: () => Promise<OpenedPieces>, buffers: ReadBuffers) {
    this.local = local
    this.open = open
    this.buffers = buffers
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.busy) throw new StoreError('InvalidArgument', 'one piece at a time')
    if (this.finished) return { done: true, value: undefined }
    this.busy = true
    try {
      this.takeBack()
      this.opened ??= await this.open()
      this.readAhead(this.opened)
      const piece = await this.ahead.shift()
      if (piece === undefined) {
        await this.finish()
        return { done: true, value: undefined }
      }
      this.lent = piece.buffer
      this.readAhead(this.opened)
      return { done: false, value: piece.bytes }
    } catch (error) {
      await this.finish()
      throw error
    } finally {
      this.busy = false
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.finish()
    return { done: true, value: undefined }
  }

  private readAhead({ source, reads }: OpenedPieces): void {
    while (this.ahead.length < piecesAhead && this.nextRead < reads.length) {
      const read = readExtent(source, this.local, reads[this.nextRead++] as ExtentRead, this.buffers)
      // It is awaited later; until then its failure must not count as unhandled.
      read.catch(ignore)
      this.ahead.push(read)
    }
  }

  private takeBack(): void {
    if (this.lent !== undefined) this.buffers.give(this.lent)
    this.lent = undefined
  }

  private async finish(): Promise<void> {
    if (this.finished) return
    this.finished = true
    this.takeBack()
    const ahead = this.ahead
    this.ahead = []
    for (const result of await Promise.allSettled(ahead)) {
      if (result.status === 'fulfilled') this.buffers.give(result.value.buffer)
    }
    this.opened?.close()
  }
}

function ignore(): void {}
