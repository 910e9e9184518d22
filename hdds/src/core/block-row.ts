/**
 * The index row of a block: where in the container file its bytes lie, and the checksum of all of them. Those of its units
 * stay in the record headers and are not repeated here: a small block is one `pread` of header and payload anyway, the header proves that the row points
 * where it should, and rows stay so short (14 bytes for a small block) that the index of a disk fits its cache.
 */

import { StoreError } from '@o3/common/errors'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import { bareRecordBytes, recordAlignBytes, recordBytes } from './record-layout.ts'

/** One data record of a block, in block order. */
export interface Extent {
  /** Of the record's header; undefined when the record is lost to damage. */
  readonly fileOffset: number | undefined
  readonly length: number
}

export interface BlockRow {
  readonly lengthBytes: number
  /** Written as one record, without a commit record. */
  readonly whole: boolean
  readonly extents: readonly Extent[]
  /** See `BlockChecksum`; undefined for a block that an earlier release streamed, until it is read through. */
  readonly checksum?: number | undefined
}

/** Without a checksum. */
const bareVersion = 1
const version = 2

/** What the block takes in its container file: what its deletion makes garbage. */
export function storedBytes(row: BlockRow): number {
  let total = row.whole ? 0 : bareRecordBytes
  for (const extent of row.extents) total += recordBytes(extent.length)
  return total
}

export function encodeRow(row: BlockRow): Uint8Array {
  const writer = new ByteWriter(24).u8(row.checksum === undefined ? bareVersion : version).bool(row.whole)
  if (row.checksum !== undefined) writer.u32(row.checksum)
  writer.varint(row.extents.length)
  for (const extent of row.extents) {
    // 0 is "lost"; offsets are multiples of 64, and a row of a large block holds one for each MiB.
    writer.varint(extent.fileOffset === undefined ? 0 : extent.fileOffset / recordAlignBytes + 1).varint(extent.length)
  }
  return writer.finish()
}

/** Throws `Damaged`. */
export function decodeRow(bytes: Uint8Array): BlockRow {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version && found !== bareVersion) {
    throw new StoreError('Damaged', 'an index row has an unknown version')
  }
  const whole = reader.bool()
  const checksum = found === version ? reader.u32() : undefined
  let lengthBytes = 0
  const extents = reader.list((item): Extent => {
    const slot = item.varint()
    const length = item.varint()
    lengthBytes += length
    return { fileOffset: slot === 0 ? undefined : (slot - 1) * recordAlignBytes, length }
  })
  return checksum === undefined ? { lengthBytes, whole, extents } : { lengthBytes, whole, extents, checksum }
}
