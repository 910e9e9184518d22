/**
 * One entry on disk: a 32-byte header, then the payload, then zeros up to a multiple of 8 bytes.
 *
 * | at | size | field |
 * |---|---|---|
 * | 0 | 4 | length of header and payload; never 0, so zeroed space is no record |
 * | 4 | 4 | CRC32C of everything behind this field, started from the segment's seed |
 * | 8 | 8 | term |
 * | 16 | 8 | index |
 * | 24 | 8 | floor: the highest index that was durable when this record was handed to the disk |
 *
 * The floor is what tells a torn tail from damage. A power cut may keep any part of a write that was not yet synced, so
 * a broken record with a good one behind it proves nothing by itself; but a good record whose floor reaches the broken
 * one proves that the broken one had been durable.
 *
 * Batches start on a block boundary and are padded with zeros: a later write never touches a block that holds durable
 * records, and a search for surviving batches only has to look at block starts. Records start at multiples of 8 bytes, so
 * that the padding of a batch is long enough to be read as "no length".
 */

import type { LogIndex, Term } from '../api/api.ts'
import { crc32c } from './checksum.ts'

export const recordHeaderBytes = 32
/** Batches are aligned to this; no smaller than the unit that a disk writes atomically. */
export const blockBytes = 4096

const checksummedFrom = 8
const recordAlignment = 8
const twoTo32 = 0x1_0000_0000

export interface LogEntry {
  readonly index: LogIndex
  readonly term: Term
  readonly payload: Uint8Array
}

/** What a record takes in the file, for a payload of this length. */
export function recordBytes(payloadBytes: number): number {
  return alignRecord(recordHeaderBytes + payloadBytes)
}

/** Where the next record may start. */
export function alignRecord(offset: number): number {
  return Math.ceil(offset / recordAlignment) * recordAlignment
}

export function alignToBlock(offset: number): number {
  return Math.ceil(offset / blockBytes) * blockBytes
}

/** Bytes with their view, made once for many reads and writes of numbers. */
export interface Bytes {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Writes the record at `at`; the target is long enough. Returns where the next one starts. */
export function writeRecord(
  target: Bytes,
  at: number,
  entry: LogEntry,
  under: { readonly seed: number; readonly floor: LogIndex },
): number {
  const { bytes, view } = target
  const length = recordHeaderBytes + entry.payload.length
  const end = at + length
  const next = alignRecord(end)
  view.setUint32(at, length, true)
  writeU64(view, at + 8, entry.term)
  writeU64(view, at + 16, entry.index)
  writeU64(view, at + 24, under.floor)
  bytes.set(entry.payload, at + recordHeaderBytes)
  view.setUint32(at + 4, crc32c(bytes.subarray(at + checksummedFrom, end), under.seed), true)
  bytes.fill(0, end, next)
  return next
}

/** What stands at an offset: a whole record, nothing (zeros), a record that continues behind the window, or rubbish. */
export type RecordSight = 'record' | 'nothing' | 'beyond' | 'invalid'

/** Looks at the record at `at` of a window into a file. */
export function sightRecord({ bytes, view }: Bytes, at: number, seed: number): RecordSight {
  const known = bytes.length - at
  if (known < recordHeaderBytes) return 'beyond'
  const length = view.getUint32(at, true)
  if (length === 0) return 'nothing'
  if (length < recordHeaderBytes) return 'invalid'
  if (length > known) return 'beyond'
  const sum = crc32c(bytes.subarray(at + checksummedFrom, at + length), seed)
  return sum === view.getUint32(at + 4, true) ? 'record' : 'invalid'
}

export const recordLengthAt = (view: DataView, at: number): number => view.getUint32(at, true)
export const recordTermAt = (view: DataView, at: number): Term => readU64(view, at + 8)
export const recordIndexAt = (view: DataView, at: number): LogIndex => readU64(view, at + 16)
export const recordFloorAt = (view: DataView, at: number): LogIndex => readU64(view, at + 24)

/** At most 2^53. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % twoTo32, true)
  view.setUint32(at + 4, Math.floor(value / twoTo32), true)
}

export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * twoTo32 + view.getUint32(at, true)
}
