/**
 * Reed-Solomon over GF(2^8), polynomial 0x11d, systematic, from a Vandermonde matrix: the Rust crate `reed-solomon-erasure`,
 * compiled to WebAssembly. Nothing is compiled at installation.
 *
 * The faster builds on the registry (`@subspace/reed-solomon-erasure.wasm`, `@digitaldefiance/…`) free memory twice that their
 * Rust side has freed, and fail from the second reconstruction on; `@ronomon/reed-solomon` needs a compiler.
 */

import { assert } from '@o3/common/errors'
import { encode, reconstruct } from 'wasm-reed-solomon-erasure'
import { shardCount } from '../core/ec/ec-shape.ts'
import type { EcShape } from '../core/ec/ec-shape.ts'

export type CodeShape = Pick<EcShape, 'dataShards' | 'parityShards'>

/** What of a stripe is there, and what is wanted. */
export interface Holes {
  /** One for each cell. */
  readonly present: readonly boolean[]
  /** Of the first so many cells all are wanted: at least the data. */
  readonly wantedCells: number
}

/**
 * Fills cells of a stripe from others. A stripe is one array: its cells side by side, data first, all of the same length.
 * Nobody may look at it or write to it until the call has settled. Make it with `stripeMemory`, so that another thread sees it
 * without a copy.
 */
export interface ErasureCode {
  /** Fills the parity cells. */
  encode(stripe: Uint8Array, shape: CodeShape): Promise<void>
  /** Fills the missing cells that are wanted; the other missing ones are undefined. At least `dataShards` must be present. */
  reconstruct(stripe: Uint8Array, shape: CodeShape, holes: Holes): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

/** Zeros. */
export function stripeMemory(shape: CodeShape, cellBytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(shardCount(shape) * cellBytes))
}

/** On the thread of the caller: for worker threads, for small stripes, and for tests. */
export class WasmErasureCode implements ErasureCode {
  // Async, so that what is thrown is a rejection, as of a pool.
  async encode(stripe: Uint8Array, shape: CodeShape): Promise<void> {
    encodeNow(stripe, shape)
  }

  async reconstruct(stripe: Uint8Array, shape: CodeShape, holes: Holes): Promise<void> {
    reconstructNow(stripe, shape, holes)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/**
 * The library copies what it is given and all that it returns. Windows of 64 KiB stay in a core's cache, and their copies in memory that is
 * used again; of whole cells every copy is fresh pages of the system, which costs a third more (measured: 16 KiB to 1 MiB).
 */
const windowBytes = 64 * 1024

/** The parity cells, at once. */
export function encodeNow(stripe: Uint8Array, shape: CodeShape): void {
  const { dataShards, parityShards } = shape
  for (const window of windowsOf(cellsOfStripe(stripe, shape))) {
    const coded = encode(window.slice(0, dataShards), parityShards)
    for (let i = dataShards; i < window.length; i++) (window[i] as Uint8Array).set(coded[i] as Uint8Array)
  }
}

/** The missing cells, at once. */
export function reconstructNow(stripe: Uint8Array, { dataShards }: CodeShape, { present, wantedCells }: Holes): void {
  assert(present.filter(Boolean).length >= dataShards, 'too few cells of a stripe are present')
  if (!present.slice(0, wantedCells).includes(false)) return
  // A row of the matrix does not depend on the rows after it: parity that is neither present nor wanted, nor before such, does
  // not exist, and nobody computes it.
  const used = Math.max(wantedCells, present.lastIndexOf(true) + 1)
  const missing = present.slice(0, used).flatMap((isPresent, i) => (isPresent ? [] : [i]))
  const cells = cellsOfStripe(stripe, { dataShards, parityShards: present.length - dataShards })
  for (const window of windowsOf(cells.slice(0, used))) {
    const coded = reconstruct(window, used - dataShards, Uint32Array.from(missing))
    for (const i of missing) if (i < wantedCells) (window[i] as Uint8Array).set(coded[i] as Uint8Array)
  }
}

/** The same bytes of all cells, front to back. */
function* windowsOf(cells: readonly Uint8Array[]): Generator<Uint8Array[]> {
  const cellBytes = cells[0]?.length ?? 0
  for (let from = 0; from < cellBytes; from += windowBytes) {
    yield cells.map((cell) => cell.subarray(from, from + windowBytes))
  }
}

/** Views of the cells, in the order of the code. */
export function cellsOfStripe(stripe: Uint8Array, shape: CodeShape): Uint8Array[] {
  const count = shardCount(shape)
  const cellBytes = stripe.length / count
  assert(stripe.length > 0 && Number.isInteger(cellBytes), 'a stripe of cells of different lengths')
  return Array.from({ length: count }, (_, i) => stripe.subarray(i * cellBytes, (i + 1) * cellBytes))
}
