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

// What is there, in one byte: most keys have few of these, and a listing reads a thousand of them.
const hasContentType = 1
const hasHeaders = 2
const hasMetadata = 4
const hasTags = 8
const hasChecksum = 16

type Texts = Readonly<Record<string, string>>

const noTexts: Texts = Object.freeze({})

/** All but the ETag and checksum: an upload has these before it has bytes. */
export function writeUploadAttributes(writer: ByteWriter, attributes: Upload['attributes']): void {
  writer.u8(presentIn(attributes))
  writePresent(writer, attributes)
}

export function readUploadAttributes(reader: ByteReader): Upload['attributes'] {
  return readPresent(reader, reader.u8())
}

export function writeAttributes(writer: ByteWriter, attributes: KeyAttributes): void {
  const { etag, checksum } = attributes
  writer.utf8(etag).u8(presentIn(attributes) | (checksum === undefined ? 0 : hasChecksum))
  writePresent(writer, attributes)
  if (checksum !== undefined) writeChecksum(writer, checksum)
}

export function readAttributes(reader: ByteReader): KeyAttributes {
  const etag = reader.utf8()
  const present = reader.u8()
  const attributes = { etag, ...readPresent(reader, present) }
  return (present & hasChecksum) === 0 ? attributes : { ...attributes, checksum: readChecksum(reader) }
}

function presentIn({ contentType, headers, metadata, tags }: Upload['attributes']): number {
  return (
    (contentType === undefined ? 0 : hasContentType) |
    (isEmpty(headers) ? 0 : hasHeaders) |
    (isEmpty(metadata) ? 0 : hasMetadata) |
    (isEmpty(tags) ? 0 : hasTags)
  )
}

function isEmpty(texts: Texts): boolean {
  for (const _ in texts) return false
  return true
}

function writePresent(writer: ByteWriter, { contentType, headers, metadata, tags }: Upload['attributes']): void {
  if (contentType !== undefined) writer.utf8(contentType)
  for (const texts of [headers, metadata, tags]) if (!isEmpty(texts)) writer.textMap(texts)
}

function readPresent(reader: ByteReader, present: number): Upload['attributes'] {
  const contentType = (present & hasContentType) === 0 ? undefined : reader.utf8()
  const headers = (present & hasHeaders) === 0 ? noTexts : reader.textMap()
  const metadata = (present & hasMetadata) === 0 ? noTexts : reader.textMap()
  const tags = (present & hasTags) === 0 ? noTexts : reader.textMap()
  return contentType === undefined ? { headers, metadata, tags } : { contentType, headers, metadata, tags }
}
