/** The records of the native interface as they cross the wire. */

import type {
  AccessKeyInfo,
  Bucket,
  BucketRef,
  BucketRight,
  Checksum,
  ChecksumAlgorithm,
  ContainerInfo,
  DatanodeInfo,
  DeleteManyResult,
  DigestAlgorithm,
  Digests,
  KeyAttributes,
  KeyCommit,
  KeyInfo,
  KeyRef,
  ListedKey,
  ListedUploadEntry,
  PartInfo,
  PartSummary,
  Preconditions,
  Principal,
  Quota,
  RangeRequest,
  ReadConditions,
  ReplicationConfig,
  ScmSummary,
  SnapshotDifference,
  SnapshotInfo,
  TreeEntry,
  Upload,
  User,
  Volume,
  VolumeRight,
} from '@o3/protocol-bus/api'
import { replicationConfigs } from '@o3/protocol-bus/api'
import { bytes, count, flag, integer, listOf, mapOf, oneOf, optional, record, text, word } from './codec.ts'
import type { Codec } from './codec.ts'

// ---------------------------------------------------------------------------------------------------------- names

export const bucketRef = record<BucketRef>({ volume: text, bucket: text })
export const keyRef = record<KeyRef>({ volume: text, bucket: text, key: text })
export const principal = record<Principal>({ user: text, admin: flag })

export const texts = mapOf(text)
export const volumeRight: Codec<VolumeRight> = word('read', 'create-bucket', 'all')
export const bucketRight: Codec<BucketRight> = word('read', 'write', 'all')
export const replication: Codec<ReplicationConfig> = word(...replicationConfigs)
export const quota = record<Quota>({ bytes: optional(count), keys: optional(count), buckets: optional(count) })

const usage = record<Bucket['usage']>({ bytes: count, keys: count })

export const volume = record<Volume>({
  name: text,
  owner: text,
  createdMs: count,
  modifiedMs: count,
  quota,
  usage: record<Volume['usage']>({ bytes: count, keys: count, buckets: count }),
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
  usage,
  uploads: count,
  members: mapOf(bucketRight),
  tags: texts,
  metadata: texts,
})

// ----------------------------------------------------------------------------------------------------------- keys

export const checksumAlgorithm: Codec<ChecksumAlgorithm> = word('crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256')
export const digestAlgorithm: Codec<DigestAlgorithm> = word('md5', 'crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256')
const checksumType = word('full-object', 'composite')

export const checksum = record<Checksum>({ algorithm: checksumAlgorithm, type: checksumType, value: text })
export const digests: Codec<Digests> = record<Digests>({
  md5: optional(bytes),
  crc32: optional(bytes),
  crc32c: optional(bytes),
  crc64nvme: optional(bytes),
  sha1: optional(bytes),
  sha256: optional(bytes),
})

const givenAttributes = { contentType: optional(text), headers: texts, metadata: texts, tags: texts }

export const keyAttributes = record<KeyAttributes>({ etag: text, checksum: optional(checksum), ...givenAttributes })
export const uploadAttributes = record<Upload['attributes']>(givenAttributes)
export const replacedAttributes = record<Partial<Upload['attributes']>>({
  contentType: optional(text),
  headers: optional(texts),
  metadata: optional(texts),
  tags: optional(texts),
})

const partSummary = record<PartSummary>({ number: count, size: count, checksum: optional(text) })

export const keyInfo = record<KeyInfo>({
  name: text,
  size: count,
  modifiedMs: count,
  owner: text,
  updateId: count,
  etag: text,
  checksum: optional(checksum),
  ...givenAttributes,
  parts: optional(listOf(partSummary)),
})

export const keyCommit = record<KeyCommit>({ etag: text, modifiedMs: count, size: count, updateId: count })

/** ETags, or `*`. */
const etags: Codec<readonly string[] | '*'> = {
  write(writer, value) {
    writer.bool(value === '*')
    if (value !== '*') listOf(text).write(writer, value)
  },
  read: (reader) => (reader.bool() ? '*' : listOf(text).read(reader)),
}

export const preconditions = record<Preconditions>({ ifMatch: optional(etags), ifNoneMatch: optional(etags) })
export const readConditions = record<ReadConditions>({
  ifMatch: optional(etags),
  ifNoneMatch: optional(etags),
  ifModifiedSinceMs: optional(integer),
  ifUnmodifiedSinceMs: optional(integer),
})

/** Signed: what lies outside a key is for the store to refuse. */
export const rangeRequest = oneOf<RangeRequest>({
  'from-to': record<{ readonly start: number; readonly end?: number }>({ start: integer, end: optional(integer) }),
  suffix: record({ length: integer }),
  part: record({ number: integer }),
})

export const listedKey = oneOf<ListedKey>({ key: record({ key: keyInfo }), prefix: record({ prefix: text }) })

export const deleteManyResult = oneOf<DeleteManyResult>({
  deleted: record({ key: text, existed: flag }),
  refused: record({
    key: text,
    code: word('PreconditionFailed', 'KeyNotFound', 'InvalidName', 'KeyTooLong'),
    message: text,
  }),
})

// -------------------------------------------------------------------------------------------------------- uploads

export const uploadChecksum = record<NonNullable<Upload['checksum']>>({
  algorithm: checksumAlgorithm,
  type: checksumType,
})

export const upload = record<Upload>({
  id: text,
  key: text,
  owner: text,
  initiatedMs: count,
  attributes: uploadAttributes,
  checksum: optional(uploadChecksum),
})

export const partInfo = record<PartInfo>({
  number: count,
  size: count,
  etag: text,
  modifiedMs: count,
  checksum: optional(checksum),
})

export const listedUpload = oneOf<ListedUploadEntry>({ upload: record({ upload }), prefix: record({ prefix: text }) })

// ---------------------------------------------------------------------------------------------- tree and snapshots

export const treeEntry = record<TreeEntry>({
  name: text,
  kind: word('file', 'directory'),
  size: count,
  modifiedMs: count,
  owner: text,
})

export const snapshotInfo = record<SnapshotInfo>({ name: text, createdMs: count })
export const snapshotDifference = record<SnapshotDifference>({
  kind: word('added', 'removed', 'changed', 'renamed'),
  key: text,
  to: optional(text),
})

// ------------------------------------------------------------------------------------------ identities and cluster

export const user = record<User>({ name: text, admin: flag, enabled: flag, createdMs: count })
export const accessKeyInfo = record<AccessKeyInfo>({ id: text, user: text, enabled: flag, createdMs: count })

const containerState = word('OPEN', 'CLOSING', 'QUASI_CLOSED', 'CLOSED', 'DELETING', 'DELETED')

export const scmSummary = record<ScmSummary>({
  containers: record<ScmSummary['containers']>({
    OPEN: count,
    CLOSING: count,
    QUASI_CLOSED: count,
    CLOSED: count,
    DELETING: count,
    DELETED: count,
  }),
  pendingDeletionBlocks: count,
  totalBytes: count,
  availableBytes: count,
})

type Departures = 'rack' | 'pipelines' | 'containers' | 'maintenanceUntilMs' | 'departure'
export const datanodeInfo = record<Omit<DatanodeInfo, Departures>>({
  id: text,
  address: text,
  operational: word('IN_SERVICE', 'DECOMMISSIONING', 'DECOMMISSIONED', 'ENTERING_MAINTENANCE', 'IN_MAINTENANCE'),
  health: word('HEALTHY', 'STALE', 'DEAD'),
  registeredMs: count,
  lastHeartbeatMs: count,
  disks: listOf(
    record<Omit<DatanodeInfo['disks'][number], 'problem'>>({
      path: text,
      uuid: text,
      state: word('healthy', 'failed', 'full'),
      totalBytes: count,
      availableBytes: count,
      usedBytes: count,
    }),
  ),
})

export const containerInfo = record<ContainerInfo>({
  id: count,
  state: containerState,
  replication,
  pipeline: text,
  datanodes: listOf(text),
  createdMs: count,
  nextLocal: count,
  usedBytes: count,
  liveBytes: count,
})

export { maxPageBytes, pageOf } from '@o3/common/codec/record'
