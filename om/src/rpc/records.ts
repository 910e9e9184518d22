/** The records of OM as they cross the wire. What stands in its rows in the same shape is written as there. */

import {
  bytes,
  count,
  flag,
  integer,
  listOf,
  mapOf,
  oneOf,
  optional,
  ownBytes,
  record,
  text,
  word,
} from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import { replicationConfigs } from '@o3/scm/api'
import type { BlockId, BlockRange, ReplicationConfig } from '@o3/scm/api'
import type {
  AccessKey,
  BlockGrant,
  Bucket,
  BucketRef,
  BucketRight,
  Content,
  Extent,
  Key,
  KeyAccess,
  KeyAttributes,
  KeyRef,
  KeySummary,
  Lease,
  ListedEntry,
  ListedUpload,
  NewContent,
  Part,
  PartSummary,
  Preconditions,
  Quota,
  Upload,
  Usage,
  User,
  Volume,
  VolumeRight,
} from '../api/api.ts'
import {
  readAttributes,
  readChecksum,
  readChecksumKind,
  readUploadAttributes,
  writeAttributes,
  writeChecksum,
  writeChecksumKind,
  writeUploadAttributes,
} from '../core/rows/attributes.ts'
import type { ChecksumKind } from '../core/rows/attributes.ts'
import { readContent, writeContent } from '../core/rows/content.ts'

// ---------------------------------------------------------------------------------------------------------- names

export const bucketRef = record<BucketRef>({ volume: text, bucket: text })
export const keyRef = record<KeyRef>({ volume: text, bucket: text, key: text })

export const texts = mapOf(text)
export const volumeRight: Codec<VolumeRight> = word('read', 'create-bucket', 'all')
export const bucketRight: Codec<BucketRight> = word('read', 'write', 'all')
export const replication: Codec<ReplicationConfig> = word(...replicationConfigs)
export const quota = record<Quota>({ bytes: optional(integer), keys: optional(integer), buckets: optional(integer) })

// -------------------------------------------------------------------------------------------- volumes and buckets

const usage = { bytes: count, keys: count }

export const volume = record<Volume>({
  name: text,
  owner: text,
  createdMs: count,
  modifiedMs: count,
  quota,
  usage: record<Volume['usage']>({ ...usage, buckets: count }),
  members: mapOf(volumeRight),
  metadata: texts,
})

export const bucket = record<Bucket>({
  id: count,
  volume: text,
  name: text,
  owner: text,
  createdMs: count,
  modifiedMs: count,
  replication,
  quota,
  usage: record<Usage>(usage),
  uploads: count,
  members: mapOf(bucketRight),
  tags: texts,
  metadata: texts,
})

// ----------------------------------------------------------------------------------------------------------- keys

export const checksum = { write: writeChecksum, read: readChecksum }
export const checksumKind: Codec<ChecksumKind> = { write: writeChecksumKind, read: readChecksumKind }
export const attributes: Codec<KeyAttributes> = { write: writeAttributes, read: readAttributes }
export const uploadAttributes: Codec<Upload['attributes']> = {
  write: writeUploadAttributes,
  read: readUploadAttributes,
}
/** Inline bytes are read as views: of an answer, which nobody keeps. */
export const content: Codec<Content> = { write: writeContent, read: readContent }

const partSummary = record<PartSummary>({ number: count, size: count, checksum: optional(text) })

type Stored = Pick<Key, 'name' | 'size' | 'modifiedMs' | 'owner' | 'updateId'>

const stored = record<Stored>({ name: text, size: count, modifiedMs: count, owner: text, updateId: count })

/** A key is its own attributes, so these follow without a name. */
export const keySummary: Codec<KeySummary> = {
  write(writer, value) {
    stored.write(writer, value)
    writeAttributes(writer, value)
  },
  read: (reader) => ({ ...stored.read(reader), ...readAttributes(reader) }),
}

/** Kept for as long as somebody reads, and what they came with may be much more. */
const grant = record<BlockGrant>({ container: count, firstLocal: count, count, token: ownBytes })
const keyAccess = record<KeyAccess>({ validMs: count, grants: listOf(grant) })

const places = record<Pick<Key, 'content' | 'parts' | 'access'>>({
  content,
  parts: optional(listOf(partSummary)),
  access: optional(keyAccess),
})

export const key: Codec<Key> = {
  write(writer, value) {
    keySummary.write(writer, value)
    places.write(writer, value)
  },
  read: (reader) => ({ ...keySummary.read(reader), ...places.read(reader) }),
}

export const listedEntry = oneOf<ListedEntry>({ key: record({ key: keySummary }), prefix: record({ prefix: text }) })

/** ETags, or `*`. */
const etags: Codec<readonly string[] | '*'> = {
  write(writer, value) {
    writer.bool(value === '*')
    if (value !== '*') listOf(text).write(writer, value)
  },
  read: (reader) => (reader.bool() ? '*' : listOf(text).read(reader)),
}

export const preconditions = record<Preconditions>({ ifMatch: optional(etags), ifNoneMatch: optional(etags) })

export const block = record<BlockId>({ container: count, local: count })
export const blockRange = record<BlockRange>({ container: count, firstLocal: count, count })
/** Looked at and let go. */
const extents = listOf(record<Extent>({ block, length: integer, proofs: optional(listOf(bytes)) }))

type Copy = Extract<NewContent, { readonly kind: 'copy' }>
type Piece = Extract<NewContent, { readonly kind: 'leased-many' }>['pieces'][number]

/** Inline bytes are copied: OM keeps them, and what they came with would stay with them. */
export const newContent = oneOf<NewContent>({
  inline: record({ bytes: ownBytes }),
  leased: record({ lease: count, extents }),
  'leased-many': record({ pieces: listOf(record<Piece>({ lease: count, extents })) }),
  copy: record<Omit<Copy, 'kind'>>({
    source: keyRef,
    sourceUpdateId: count,
    range: optional(record<NonNullable<Copy['range']>>({ offset: integer, length: integer })),
  }),
})

// -------------------------------------------------------------------------------------------------------- uploads

export type UploadRef = KeyRef & { readonly upload: string }

export const uploadRef = { volume: text, bucket: text, key: text, upload: text }

export const upload = record<Upload>({
  id: text,
  key: text,
  owner: text,
  initiatedMs: count,
  attributes: uploadAttributes,
  checksum: optional(checksumKind),
})

export const listedUpload = oneOf<ListedUpload>({ upload: record({ upload }), prefix: record({ prefix: text }) })

export const part = record<Part>({
  number: count,
  size: count,
  etag: text,
  modifiedMs: count,
  checksum: optional(checksum),
  content,
})

// ------------------------------------------------------------------------------------------- identities and leases

export const user = record<User>({ name: text, admin: flag, enabled: flag, createdMs: count })

export const accessKey = record<AccessKey>({
  id: text,
  user: text,
  /** Kept by whoever opens it, and what it came with may be much more. */
  sealedSecret: ownBytes,
  enabled: flag,
  createdMs: count,
})

export const lease = record<Lease>({
  id: count,
  holder: text,
  expiresMs: count,
  replication,
  ranges: listOf(blockRange),
  tokens: optional(listOf(ownBytes)),
})
