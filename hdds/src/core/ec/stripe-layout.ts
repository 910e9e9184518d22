/**
 * Where the bytes of an encoded container lie. Its blocks, in the order of their ids, are one stream without gaps. The
 * stream is cut into stripes of `dataShards` cells; data shard `i` holds cell `i` of each stripe, the parity shards what the
 * code makes of the stripe's cells.
 *
 * The last stripe is shorter: what is left is spread over the cells evenly, in whole checksum units of 64 KiB, so that the
 * parity of a small container costs a share of it and not full cells. Lengths that are stored are true: the code sees cells
 * padded with zeros to the length of the first, and no zero is written. A cell without bytes is no block.
 *
 *     stream of 13.3 MiB, rs-6-3:  stripe 0: 6 cells of 1 MiB    stripe 1: 6 of 1 MiB    stripe 2: 4 of 256 KiB, one of 205 KiB
 */

import { checksumUnitBytes } from '../../api/api.ts'
import type { EcShape } from './ec-shape.ts'

/** An encoded stream. */
export interface EcStream extends EcShape {
  readonly streamBytes: number
}

export interface Stripe {
  readonly number: number
  /** Of the stream. */
  readonly firstByte: number
  /** Of the stream, in this stripe. */
  readonly dataBytes: number
  /** What the code sees of each cell: as long as the first, the longest one. Parity cells are stored as long. */
  readonly codedBytes: number
}

export function stripeCount({ streamBytes, dataShards, cellBytes }: EcStream): number {
  return Math.ceil(streamBytes / (dataShards * cellBytes))
}

/** `number` counts from 0 and is below `stripeCount`. */
export function stripeAt(stream: EcStream, number: number): Stripe {
  const fullBytes = stream.dataShards * stream.cellBytes
  const firstByte = number * fullBytes
  const dataBytes = Math.min(fullBytes, stream.streamBytes - firstByte)
  const unit = Math.min(checksumUnitBytes, stream.cellBytes)
  const share = Math.ceil(dataBytes / stream.dataShards / unit) * unit
  // The share of a full stripe is a cell, also where a cell is no multiple of the unit.
  const codedBytes = Math.min(dataBytes, share, stream.cellBytes)
  return { number, firstByte, dataBytes, codedBytes }
}

/** Bytes that shard `shard` stores of the stripe; 0: it has no block there. */
export function storedCellBytes({ dataShards }: EcShape, stripe: Stripe, shard: number): number {
  if (shard >= dataShards) return stripe.codedBytes
  return Math.max(0, Math.min(stripe.codedBytes, stripe.dataBytes - shard * stripe.codedBytes))
}

/** What one shard stores of the whole stream. */
export function storedShardBytes(stream: EcStream, shard: number): number {
  const count = stripeCount(stream)
  if (count === 0) return 0
  return (count - 1) * stream.cellBytes + storedCellBytes(stream, stripeAt(stream, count - 1), shard)
}

/** Part of a data cell, `to` exclusive. */
export interface CellRange {
  readonly stripe: Stripe
  readonly shard: number
  readonly from: number
  readonly to: number
}

/** The cells under a range of the stream, in its order. The range must lie within the stream. */
export function cellsOf(stream: EcStream, firstByte: number, lengthBytes: number): CellRange[] {
  const cells: CellRange[] = []
  const fullBytes = stream.dataShards * stream.cellBytes
  const end = firstByte + lengthBytes
  for (let at = firstByte; at < end;) {
    const stripe = stripeAt(stream, Math.floor(at / fullBytes))
    const inStripe = at - stripe.firstByte
    const shard = Math.floor(inStripe / stripe.codedBytes)
    const from = inStripe - shard * stripe.codedBytes
    const to = Math.min(storedCellBytes(stream, stripe, shard), from + end - at)
    cells.push({ stripe, shard, from, to })
    at += to - from
  }
  return cells
}
