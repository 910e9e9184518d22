/**
 * The tree of a bucket: what lies in a directory, one row an entry, leaves and directories in one table. A directory's
 * name ends in `/` and a leaf's has none, so the row order within a directory, taken depth-first, is the order of the
 * keys' UTF-8 bytes, and the leaf `a` and the directory `a/` live side by side.
 */

import { readU64Key, u64Key } from '@o3/common/codec'
import type { ByteReader } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { Table } from '@o3/ratis/api'
import type { BucketId, Content, DirectoryId, KeyAttributes, PartSummary } from '../../api/api.ts'
import { readAttributes, readText, writeAttributes, writeText } from './attributes.ts'
import { readContent, writeContent } from './content.ts'
import { openRow, startRow } from './row.ts'

export interface EntryKey {
  readonly bucket: BucketId
  readonly parent: DirectoryId
  /** One component of a key, UTF-8 as a binary string: `x` for a leaf (also empty), `x/` for a directory. */
  readonly name: BinaryKey
}

export interface LeafRow {
  readonly kind: 'leaf'
  readonly size: number
  readonly modifiedMs: number
  readonly owner: string
  readonly updateId: number
  readonly attributes: KeyAttributes
  /** Some of its blocks may have a reference row. While false, none has, and no row needs to be looked at to free them. */
  readonly shared: boolean
  readonly content: Content
  readonly parts: readonly PartSummary[] | undefined
}

export interface DirectoryRow {
  readonly kind: 'directory'
  readonly id: DirectoryId
  /** Never 0: the row goes with its last child. */
  readonly childCount: number
  readonly createdMs: number
  /**
   * At least the bytes of the longest name below, relative to this directory. It does not shrink when that name goes:
   * what a rename of the directory may cost in length must be known without looking at what is below.
   */
  readonly longestBelow: number
}

export type EntryRow = LeafRow | DirectoryRow

export const rootDirectory: DirectoryId = 0

const leafKind = 0
const directoryKind = 1

export const entries: Table<EntryKey, EntryRow> = {
  name: 'entries',
  prefix: 'e',
  encodeKey: ({ bucket, parent, name }) => u64Key(bucket) + u64Key(parent) + name,
  decodeKey: (binary) => ({ bucket: readU64Key(binary, 0), parent: readU64Key(binary, 8), name: binary.slice(16) }),
  encode: (row) => (row.kind === 'leaf' ? encodeLeaf(row) : encodeDirectory(row)),
  decode: (bytes) => {
    const reader = openRow(bytes, 'entries')
    const kind = reader.u8()
    if (kind === leafKind) return new StoredLeaf(reader)
    if (kind === directoryKind) return readDirectory(reader)
    throw new StoreError('Damaged', `an entry has the unknown kind ${kind}`)
  },
}

function encodeLeaf(row: LeafRow): Uint8Array {
  const inlineBytes = row.content.kind === 'inline' ? row.content.bytes.length : 32
  const writer = startRow(128 + inlineBytes).u8(leafKind)
  writer.varint(row.size).varint(row.modifiedMs).utf8(row.owner).varint(row.updateId)
  writeAttributes(writer, row.attributes)
  writer.bool(row.shared)
  // From here on a listing does not read.
  writeContent(writer, row.content)
  writer.optional(row.parts, (each, parts) =>
    each.list(parts, (one, part) => one.varint(part.number).varint(part.size).optional(part.checksum, writeText)),
  )
  return writer.finish()
}

/** A leaf as read: where its bytes are is decoded when it is asked for, which a listing never does. */
class StoredLeaf implements LeafRow {
  readonly kind = 'leaf'
  readonly size: number
  readonly modifiedMs: number
  readonly owner: string
  readonly updateId: number
  readonly attributes: KeyAttributes
  readonly shared: boolean
  private tail: ByteReader | { readonly content: Content; readonly parts: readonly PartSummary[] | undefined }

  constructor(reader: ByteReader) {
    this.size = reader.varint()
    this.modifiedMs = reader.varint()
    this.owner = reader.utf8()
    this.updateId = reader.varint()
    this.attributes = readAttributes(reader)
    this.shared = reader.bool()
    this.tail = reader
  }

  get content(): Content {
    return this.opened().content
  }

  get parts(): readonly PartSummary[] | undefined {
    return this.opened().parts
  }

  private opened(): { readonly content: Content; readonly parts: readonly PartSummary[] | undefined } {
    if ('content' in this.tail) return this.tail
    const content = readContent(this.tail)
    this.tail = { content, parts: this.tail.optional(readParts) }
    return this.tail
  }
}

/** A changed copy. Spreading a row would lose what `StoredLeaf` has not decoded yet. */
export function changeLeaf(row: LeafRow, changes: Partial<Omit<LeafRow, 'kind'>>): LeafRow {
  return {
    kind: 'leaf',
    size: row.size,
    modifiedMs: row.modifiedMs,
    owner: row.owner,
    updateId: row.updateId,
    attributes: row.attributes,
    shared: row.shared,
    content: row.content,
    parts: row.parts,
    ...changes,
  }
}

function readParts(reader: ByteReader): readonly PartSummary[] {
  return reader.list((each) => {
    const number = each.varint()
    const size = each.varint()
    const checksum = each.optional(readText)
    return checksum === undefined ? { number, size } : { number, size, checksum }
  })
}

function encodeDirectory(row: DirectoryRow): Uint8Array {
  const writer = startRow(32).u8(directoryKind).varint(row.id).varint(row.childCount)
  return writer.varint(row.createdMs).varint(row.longestBelow).finish()
}

function readDirectory(reader: ByteReader): DirectoryRow {
  return {
    kind: 'directory',
    id: reader.varint(),
    childCount: reader.varint(),
    createdMs: reader.varint(),
    longestBelow: reader.varint(),
  }
}
