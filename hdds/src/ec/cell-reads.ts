import type { StoreError } from '@o3/common/errors'
import type { CellRange, EcStream, Stripe } from '../core/ec/stripe-layout.ts'
import { cellLocal } from '../core/ec/shard-locals.ts'
import { decodeRows, shardOrder } from './decode-rows.ts'
import type { ErasureCode } from './erasure-code.ts'
import type { ShardReads } from './shard-reads.ts'
import { someOfMany } from './some-of-many.ts'
import type { Hedge } from './some-of-many.ts'
import type { StripeMemories } from './stripe-memories.ts'

export interface CellReadsOptions {
  readonly reads: ShardReads
  readonly stream: EcStream
  readonly code: ErasureCode
  readonly memories: StripeMemories
  readonly hedge: Hedge
  /** A cell that the reader wants is poor: it will decode. */
  readonly willDecode: boolean
  /** Better read from others first. */
  readonly isPoor: (shard: number) => boolean
  readonly onFailure: (shard: number, failure: StoreError | 'slow') => void
}

interface Kept<T> {
  readonly from: number
  readonly to: number
  readonly value: Promise<T>
}

const direct = 0
const decoded = 1

/**
 * Cells for one reader. A cell is read from its shard; where that fails, or takes too long, the same rows of the others are read
 * beside it and decoded, and the first to arrive is taken.
 *
 * A reader that decodes keeps the cells of the stripes that it is in: those that are decoded from are those that it
 * wants next, and would be read twice. That is at most two stripes with their parity.
 */
export class CellReads {
  private readonly options: CellReadsOptions
  private readonly cells = new Map<number, Map<number, Kept<Uint8Array>>>()
  private readonly stripes = new Map<number, Kept<ReadonlyMap<number, Uint8Array>>>()
  private keeps: boolean

  constructor(options: CellReadsOptions) {
    this.options = options
    this.keeps = options.willDecode
  }

  /** `Unavailable`, `Damaged`. */
  async read({ stripe, shard, from, to }: CellRange): Promise<Uint8Array> {
    const { hedge, isPoor, onFailure } = this.options
    const won = await someOfMany({
      need: 1,
      candidates: isPoor(shard) ? [decoded, direct] : [direct, decoded],
      ask: (way) => (way === direct ? this.readCell(shard, stripe, from, to) : this.decode(shard, stripe, from, to)),
      hedge,
      onFailure: (way, failure) => {
        if (way === direct) onFailure(shard, failure)
      },
    })
    return (won.get(direct) ?? won.get(decoded)) as Uint8Array
  }

  /** The reader has left the stripes before this one. */
  forgetBefore(stripe: Stripe): void {
    for (const kept of [this.cells, this.stripes]) {
      for (const number of kept.keys()) if (number < stripe.number) kept.delete(number)
    }
  }

  private readonly readCell = (shard: number, stripe: Stripe, from: number, to: number): Promise<Uint8Array> => {
    const kept = this.cells.get(stripe.number)?.get(shard)
    if (kept !== undefined && kept.from <= from && to <= kept.to) {
      return kept.value.then((bytes) => bytes.subarray(from - kept.from, to - kept.from))
    }
    const value = this.options.reads.read(shard, cellLocal(stripe), { offset: from, length: to - from })
    if (this.keeps) this.keepCell(stripe, shard, { from, to, value })
    return value
  }

  private keepCell(stripe: Stripe, shard: number, kept: Kept<Uint8Array>): void {
    const cells = this.cells.get(stripe.number) ?? new Map<number, Kept<Uint8Array>>()
    this.cells.set(stripe.number, cells)
    cells.set(shard, kept)
    kept.value.catch(() => cells.delete(shard))
  }

  private async decode(shard: number, stripe: Stripe, from: number, to: number): Promise<Uint8Array> {
    this.keeps = true
    const kept = this.stripes.get(stripe.number)
    const cell = kept?.from === from && kept.to === to ? (await kept.value).get(shard) : undefined
    if (cell !== undefined) return cell
    const value = this.decodeMissing(shard, stripe, from, to)
    // All missing data cells come of it: another one takes these rows from here.
    this.stripes.set(stripe.number, { from, to, value })
    value.catch(() => this.stripes.delete(stripe.number))
    return (await value).get(shard) as Uint8Array
  }

  private async decodeMissing(
    shard: number,
    stripe: Stripe,
    from: number,
    to: number,
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    const { stream, code, memories, hedge, isPoor, onFailure } = this.options
    const candidates = shardOrder(stream, isPoor).filter((other) => other !== shard)
    const memory = memories.take(stream, to - from)
    try {
      const { cells, decoded } = await decodeRows(
        { stream, code, hedge, onFailure, read: this.readCell, memory },
        { stripe, from, to, candidates, wantedCells: stream.dataShards },
      )
      return new Map(decoded.map((missing) => [missing, (cells[missing] as Uint8Array).slice()]))
    } finally {
      memories.give(memory)
    }
  }
}
