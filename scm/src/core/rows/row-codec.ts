/** What the forms of all rows have in common. */

import type { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BlockRange, ContainerId } from '../../api/api.ts'

/** Of a row that a later release has written. */
export function unknownVersion(what: string, found: number, newest: number): StoreError {
  return new StoreError('Incompatible', `a ${what} row has version ${found}; this release knows ${newest}`)
}

/** The version of a row, for what is between 1 and `newest`. `Incompatible` otherwise. */
export function readVersion(reader: ByteReader, what: string, newest: number): number {
  const found = reader.u8()
  if (found < 1 || found > newest) throw unknownVersion(what, found, newest)
  return found
}

/** A word by its place in a list. `Damaged` for a place that the list has not. */
export function pick<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new StoreError('Damaged', `a stored state has the unknown number ${index}`)
  return value
}

export function writeText(writer: ByteWriter, value: string): void {
  writer.utf8(value)
}

export function readText(reader: ByteReader): string {
  return reader.utf8()
}

export function writeRange(writer: ByteWriter, range: BlockRange): void {
  writer.varint(range.container).varint(range.firstLocal).varint(range.count)
}

export function readRange(reader: ByteReader): BlockRange {
  return { container: reader.varint(), firstLocal: reader.varint(), count: reader.varint() }
}

export function writeId(writer: ByteWriter, id: ContainerId): void {
  writer.varint(id)
}

export function readId(reader: ByteReader): ContainerId {
  return reader.varint()
}
