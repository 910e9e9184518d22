import type { ErasureCode, Holes } from './erasure-code.ts'
import { cellsOfStripe } from './erasure-code.ts'
import type { EcStream, Stripe } from '../core/ec/stripe-layout.ts'
import { storedCellBytes } from '../core/ec/stripe-layout.ts'
import { shardCount } from '../core/ec/ec-shape.ts'
import { someOfMany } from './some-of-many.ts'
import type { Gathering, Hedge } from './some-of-many.ts'

/** The same bytes of all cells of a stripe, `to` exclusive. */
export interface RowsWanted {
  readonly stripe: Stripe
  readonly from: number
  readonly to: number
  /** The shards to read from, best first; the others count as missing. */
  readonly candidates: readonly number[]
  readonly wantedCells: Holes['wantedCells']
}

export interface RowTools {
  readonly stream: EcStream
  readonly code: ErasureCode
  /** Bytes of a stored cell: the range lies within it. */
  readonly read: (shard: number, stripe: Stripe, from: number, to: number) => Promise<Uint8Array>
  readonly hedge?: Hedge | undefined
  readonly onFailure?: Gathering<Uint8Array>['onFailure']
  /** As long as the rows in all cells; it is overwritten. */
  readonly memory: Uint8Array
}

/** Views of `memory`, in the order of the code, as long as each other. */
export interface DecodedRows {
  /** What was read, and what is wanted of the rest; other cells are undefined. */
  readonly cells: readonly Uint8Array[]
  /** The wanted ones that were not read. */
  readonly decoded: readonly number[]
}

/**
 * The rows in all cells. Zeros that pad a short cell are read from nowhere. `Unavailable`, `Damaged`: fewer are left than the code
 * needs.
 */
export async function decodeRows(tools: RowTools, wanted: RowsWanted): Promise<DecodedRows> {
  const { stream, code, memory } = tools
  const { stripe, from, to, wantedCells } = wanted
  const cells = cellsOfStripe(memory, stream)
  const stored = cells.map((_, shard) => Math.max(0, Math.min(to, storedCellBytes(stream, stripe, shard)) - from))
  const present = stored.map((bytes) => bytes === 0)
  const known = present.filter(Boolean).length
  const found = await someOfMany({
    need: stream.dataShards - known,
    candidates: wanted.candidates.filter((shard) => present[shard] === false),
    ask: (shard) => tools.read(shard, stripe, from, from + (stored[shard] as number)),
    hedge: tools.hedge,
    onFailure: tools.onFailure,
  })
  for (const [shard, bytes] of found) {
    cells[shard]?.set(bytes)
    present[shard] = true
  }
  for (const [shard, cell] of cells.entries()) if (present[shard] === true) cell.fill(0, stored[shard])
  await code.reconstruct(memory, stream, { present, wantedCells })
  return { cells, decoded: present.flatMap((isThere, shard) => (isThere || shard >= wantedCells ? [] : [shard])) }
}

/** All shards, data before parity; those for which `isPoor` holds come last. */
export function shardOrder(
  stream: Pick<EcStream, 'dataShards' | 'parityShards'>,
  isPoor: (shard: number) => boolean,
): number[] {
  const all = Array.from({ length: shardCount(stream) }, (_, shard) => shard)
  return [...all.filter((shard) => !isPoor(shard)), ...all.filter(isPoor)]
}
