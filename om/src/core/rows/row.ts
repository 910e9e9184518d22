/** What all row codecs share: the version byte in front, and closed choices as numbers. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'

/** Of every row of this release. A change adds a version and a migration where it is read. */
const version = 1

/** Starts a row. */
export function startRow(initialBytes = 64): ByteWriter {
  return new ByteWriter(initialBytes).u8(version)
}

/** Opens a row behind its version byte. `Incompatible` for a version that this release does not know. */
export function openRow(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `a row of ${what} has version ${found}; this release knows ${version}`)
  }
  return reader
}

/** The value that was written as its index. `Damaged` when there is none. */
export function choice<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new StoreError('Damaged', `a stored choice has the unknown number ${index}`)
  return value
}
