/** Multipart uploads: the upload, what it has so far, its parts, and the memory of completed ones. */

import { readU32Key, readU64Key, u32Key, u64Key, utf8ToBinary } from '@o3/common/codec'
import type { BinaryKey } from '@o3/common/kv'
import type { Table } from '@o3/ratis/api'
import type { BucketId, Checksum, Content, Upload, UploadId } from '../../api/api.ts'
import {
  readChecksum,
  readChecksumKind,
  readUploadAttributes,
  writeChecksum,
  writeChecksumKind,
  writeUploadAttributes,
} from './attributes.ts'
import type { ChecksumKind } from './attributes.ts'
import { readContent, writeContent } from './content.ts'
import { openRow, startRow } from './row.ts'

export interface UploadKey {
  readonly bucket: BucketId
  /** The key that it will make, UTF-8 as a binary string. */
  readonly key: BinaryKey
  readonly upload: UploadId
}

export interface UploadRow {
  readonly owner: string
  readonly initiatedMs: number
  readonly attributes: Upload['attributes']
  readonly checksum: ChecksumKind | undefined
}

/** Apart from the upload, so that a part does not rewrite attributes. */
export interface UploadProgressRow {
  /** Of all parts together. */
  readonly bytes: number
  /** Which part numbers there are (rows/bits.ts); at most 1,251 bytes. */
  readonly parts: Uint8Array
}

export interface PartKey {
  readonly upload: UploadId
  readonly number: number
}

export interface PartRow {
  readonly size: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum: Checksum | undefined
  /** As in `LeafRow`. */
  readonly shared: boolean
  readonly content: Content
}

/** What a repeated completion is answered. */
export interface CompletedUploadRow {
  readonly bucket: BucketId
  readonly key: BinaryKey
  /** Of the named parts: the repetition must name the same. */
  readonly fingerprint: number
  readonly etag: string
  readonly modifiedMs: number
  readonly updateId: number
  readonly size: number
}

/** `sequence` and `nonce` of the stamp: in order of initiation, unique, and not to be guessed. */
export const uploadIdLength = 46

// A key may hold any byte, also NUL, and an upload id follows it: NUL is written as NUL 0xff, and NUL NUL ends the key.
// The order of such row keys is the order of (key, upload id).
const escapeKey = (key: BinaryKey): string => (key.includes('\0') ? key.replaceAll('\0', '\0\xff') : key)
const unescapeKey = (key: string): BinaryKey => (key.includes('\0') ? key.replaceAll('\0\xff', '\0') : key)

/** In the order of keys, then of initiation. An upload id that is looked up comes from a client and may be any text. */
export const uploads: Table<UploadKey, UploadRow> = {
  name: 'uploads',
  prefix: 'u',
  encodeKey: ({ bucket, key, upload }) => `${u64Key(bucket)}${escapeKey(key)}\0\0${utf8ToBinary(upload)}`,
  decodeKey: (binary) => ({
    bucket: readU64Key(binary, 0),
    key: unescapeKey(binary.slice(8, -uploadIdLength - 2)),
    upload: binary.slice(-uploadIdLength),
  }),
  encode: (row) => {
    const writer = startRow().utf8(row.owner).varint(row.initiatedMs)
    writeUploadAttributes(writer, row.attributes)
    return writer.optional(row.checksum, writeChecksumKind).finish()
  },
  decode: (bytes) => {
    const reader = openRow(bytes, 'uploads')
    return {
      owner: reader.utf8(),
      initiatedMs: reader.varint(),
      attributes: readUploadAttributes(reader),
      checksum: reader.optional(readChecksumKind),
    }
  },
}

/** The row key before which all uploads of keys < `key` lie. */
export function uploadsFrom(bucket: BucketId, key: BinaryKey): BinaryKey {
  return u64Key(bucket) + escapeKey(key)
}

export const uploadProgress: Table<UploadId, UploadProgressRow> = {
  name: 'upload-progress',
  prefix: 'U',
  encodeKey: (upload) => upload,
  decodeKey: (binary) => binary,
  encode: (row) =>
    startRow(24 + row.parts.length)
      .varint(row.bytes)
      .bytes(row.parts)
      .finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'upload-progress')
    return { bytes: reader.varint(), parts: reader.bytes() }
  },
}

/** In the order of upload, then part number. */
export const parts: Table<PartKey, PartRow> = {
  name: 'parts',
  prefix: 'p',
  encodeKey: ({ upload, number }) => upload + u32Key(number),
  decodeKey: (binary) => ({ upload: binary.slice(0, -4), number: readU32Key(binary, binary.length - 4) }),
  encode: (row) => {
    const writer = startRow().varint(row.size).utf8(row.etag).varint(row.modifiedMs)
    writer.optional(row.checksum, writeChecksum).bool(row.shared)
    writeContent(writer, row.content)
    return writer.finish()
  },
  decode: (bytes) => {
    const reader = openRow(bytes, 'parts')
    return {
      size: reader.varint(),
      etag: reader.utf8(),
      modifiedMs: reader.varint(),
      checksum: reader.optional(readChecksum),
      shared: reader.bool(),
      content: readContent(reader),
    }
  },
}

export const completedUploads: Table<UploadId, CompletedUploadRow> = {
  name: 'completed-uploads',
  prefix: 'c',
  encodeKey: utf8ToBinary,
  decodeKey: (binary) => binary,
  encode: (row) => {
    const writer = startRow().varint(row.bucket).binary(row.key).varint(row.fingerprint)
    return writer.utf8(row.etag).varint(row.modifiedMs).varint(row.updateId).varint(row.size).finish()
  },
  decode: (bytes) => {
    const reader = openRow(bytes, 'completed-uploads')
    return {
      bucket: reader.varint(),
      key: reader.binary(),
      fingerprint: reader.varint(),
      etag: reader.utf8(),
      modifiedMs: reader.varint(),
      updateId: reader.varint(),
      size: reader.varint(),
    }
  },
}

/** Which upload each slot of the memory holds: a ring, so that the memory is bounded (commands/complete-upload.ts). */
export const completedSlots: Table<number, UploadId> = {
  name: 'completed-slots',
  prefix: 'C',
  encodeKey: u32Key,
  decodeKey: (binary) => readU32Key(binary, 0),
  encode: (upload) => startRow(64).utf8(upload).finish(),
  decode: (bytes) => openRow(bytes, 'completed-slots').utf8(),
}
