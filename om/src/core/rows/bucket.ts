/** Buckets, and their counters in rows of their own. */

import { readU64Key, u64Key, utf8ToBinary } from '@o3/common/codec'
import type { Table } from '@o3/ratis/api'
import { replicationConfigs } from '@o3/scm/api'
import type { ReplicationConfig } from '@o3/scm/api'
import type { Bucket, BucketId, BucketRef, BucketRight, DirectoryId, Usage } from '../../api/api.ts'
import { choice, openRow, startRow } from './row.ts'
import { readMembers, readQuota, writeMembers, writeQuota } from './volume.ts'

export type BucketRow = Omit<Bucket, 'volume' | 'name' | 'usage' | 'uploads'>

export interface BucketUsageRow extends Usage {
  readonly uploads: number
  /** The id of the next directory: ids are dense within a bucket and never reused. */
  readonly nextDirectory: DirectoryId
}

// The orders are persisted: append, never reorder.
const rights: readonly BucketRight[] = ['read', 'write', 'all']
export const replications: readonly ReplicationConfig[] = replicationConfigs

/** By volume and name. NUL is in neither, so the buckets of a volume stand together, in the order of their names. */
export const buckets: Table<BucketRef, BucketRow> = {
  name: 'buckets',
  prefix: 'b',
  encodeKey: ({ volume, bucket }) => `${utf8ToBinary(volume)}\0${utf8ToBinary(bucket)}`,
  decodeKey: (binary) => {
    const end = binary.indexOf('\0')
    return { volume: binary.slice(0, end), bucket: binary.slice(end + 1) }
  },
  encode: (row) => {
    const writer = startRow().varint(row.id).utf8(row.owner).varint(row.createdMs).varint(row.modifiedMs)
    writer.u8(replications.indexOf(row.replication))
    writeQuota(writer, row.quota)
    writeMembers(writer, row.members, rights)
    return writer.textMap(row.tags).textMap(row.metadata).finish()
  },
  decode: (bytes) => {
    const reader = openRow(bytes, 'buckets')
    return {
      id: reader.varint(),
      owner: reader.utf8(),
      createdMs: reader.varint(),
      modifiedMs: reader.varint(),
      replication: choice(replications, reader.u8()),
      quota: readQuota(reader),
      members: readMembers(reader, rights),
      tags: reader.textMap(),
      metadata: reader.textMap(),
    }
  },
}

export const bucketUsage: Table<BucketId, BucketUsageRow> = {
  name: 'bucket-usage',
  prefix: 'B',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    startRow(32).varint(row.bytes).varint(row.keys).varint(row.uploads).varint(row.nextDirectory).finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'bucket-usage')
    return {
      bytes: reader.varint(),
      keys: reader.varint(),
      uploads: reader.varint(),
      nextDirectory: reader.varint(),
    }
  },
}
