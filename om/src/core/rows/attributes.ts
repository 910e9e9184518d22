/** The attributes of keys, uploads and parts, as they stand inside their rows. */

import type { ByteReader, ByteWriter } from '@o3/common/codec'
import type { Checksum, ChecksumAlgorithm, KeyAttributes, Upload } from '../../api/api.ts'
import { choice } from './row.ts'

// The orders are persisted: append, never reorder.
const algorithms: readonly ChecksumAlgorithm[] = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256']
const checksumTypes: readonly Checksum['type'][] = ['full-object', 'composite']

export type ChecksumKind = NonNullable<Upload['checksum']>

export function writeChecksumKind(writer: ByteWriter, kind: ChecksumKind): void {
  writer.u8(algorithms.indexOf(kind.algorithm)).u8(checksumTypes.indexOf(kind.type))
}

export function readChecksumKind(reader: ByteReader): ChecksumKind {
  return { algorithm: choice(algorithms, reader.u8()), type: choice(checksumTypes, reader.u8()) }
}

export function writeChecksum(writer: ByteWriter, checksum: Checksum): void {
  writeChecksumKind(writer, checksum)
  writer.utf8(checksum.value)
}

export function readChecksum(reader: ByteReader): Checksum {
  const algorithm = choice(algorithms, reader.u8())
  return { algorithm, type: choice(checksumTypes, reader.u8()), value: reader.utf8() }
}

export function writeText(writer: ByteWriter, text: string): void {
  writer.utf8(text)
}

export function readText(reader: ByteReader): string {
  return reader.utf8()
}

/** All but the ETag and checksum: an upload has these before it has bytes. */
export function writeUploadAttributes(writer: ByteWriter, attributes: Upload['attributes']): void {
  writer
    .optional(attributes.contentType, writeText)
    .textMap(attributes.headers)
    .textMap(attributes.metadata)
    .textMap(attributes.tags)
}

export function readUploadAttributes(reader: ByteReader): Upload['attributes'] {
  const contentType = reader.optional(readText)
  const headers = reader.textMap()
  const metadata = reader.textMap()
  const tags = reader.textMap()
  return contentType === undefined ? { headers, metadata, tags } : { contentType, headers, metadata, tags }
}

export function writeAttributes(writer: ByteWriter, attributes: KeyAttributes): void {
  writer.utf8(attributes.etag).optional(attributes.checksum, writeChecksum)
  writeUploadAttributes(writer, attributes)
}

export function readAttributes(reader: ByteReader): KeyAttributes {
  const etag = reader.utf8()
  const checksum = reader.optional(readChecksum)
  const rest = readUploadAttributes(reader)
  return checksum === undefined ? { etag, ...rest } : { etag, checksum, ...rest }
}
