/**
 * How an entry is stored in LevelDB.
 *
 * The key is the UTF-8 form of the binary string, which sorts like the string itself (UTF-8 keeps the order of code
 * points). Bytes from 128 on take two; but the binding makes strings from it a quarter faster than anything from a
 * buffer, and most of a key is ASCII.
 *
 * The value is followed by a trailer: CRC-32 (little-endian) over key and value, and a version.
 *
 * classic-level reads blocks without verifying their checksums and has no option for it, so a flipped bit would come
 * back as an answer. The trailer catches it in a value, and in a key that still sorts where it is looked for.
 */

import { crc32 } from 'node:zlib'
import { StoreError } from '../errors.ts'
import type { BinaryKey } from './kv.ts'

const version = 1
const trailerBytes = 5

export function encodeRecord(key: BinaryKey, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(value.length + trailerBytes)
  record.set(value)
  record.writeUInt32LE(checksumOf(key, value), value.length)
  record[value.length + 4] = version
  return record
}

/** The value, as a view into `record`; `Damaged` when the record is not what was written under this key. */
export function decodeRecord(key: BinaryKey, record: Buffer): Uint8Array {
  const length = record.length - trailerBytes
  if (length >= 0 && record[length + 4] === version) {
    const value = record.subarray(0, length)
    if (record.readUInt32LE(length) === checksumOf(key, value)) return value
  }
  throw new StoreError('Damaged', 'a record of the key-value store failed its checksum', {
    details: { key: Buffer.from(key, 'latin1').toString('hex') },
  })
}

/** The key enters as the start value, hashed by FNV-1a: a second call into zlib would cost as much again. */
function checksumOf(key: BinaryKey, value: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return crc32(value, hash >>> 0)
}
