/** Rows as the records of the contract: with the names that stand in their row keys, and their counters. */

import { binaryToUtf8 } from '@o3/common/codec'
import type { BinaryKey } from '@o3/common/kv'
import type { AccessKey, Bucket, BucketRef, Key, KeySummary, Part, Upload, UploadId, User, Volume } from '../api/api.ts'
import type { BucketRow, BucketUsageRow } from './rows/bucket.ts'
import type { LeafRow } from './rows/entry.ts'
import type { PartRow, UploadRow } from './rows/upload.ts'
import type { AccessKeyRow, UserRow } from './rows/user.ts'
import type { VolumeRow, VolumeUsageRow } from './rows/volume.ts'

export function volumeOf(name: string, row: VolumeRow, usage: VolumeUsageRow): Volume {
  return { name, ...row, usage }
}

export function bucketOf({ volume, bucket }: BucketRef, row: BucketRow, usage: BucketUsageRow): Bucket {
  const { bytes, keys, uploads } = usage
  return { volume, name: bucket, ...row, usage: { bytes, keys }, uploads }
}

export function keyOf(name: string, row: LeafRow): Key {
  const { size, modifiedMs, owner, updateId, content, parts } = row
  const key = { ...row.attributes, name, size, modifiedMs, owner, updateId, content }
  return parts === undefined ? key : { ...key, parts }
}

/** Does not touch where the bytes are, so that nothing of that is decoded. */
export function keySummaryOf(name: string, row: LeafRow): KeySummary {
  const { size, modifiedMs, owner, updateId } = row
  // The spread stands first: V8 then copies the attributes whole, which a page of a thousand keys feels.
  return { ...row.attributes, name, size, modifiedMs, owner, updateId }
}

export function uploadOf(id: UploadId, key: BinaryKey, row: UploadRow): Upload {
  const { owner, initiatedMs, attributes, checksum } = row
  const upload = { id, key: binaryToUtf8(key), owner, initiatedMs, attributes }
  return checksum === undefined ? upload : { ...upload, checksum }
}

export function partOf(number: number, row: PartRow): Part {
  const { size, etag, modifiedMs, checksum, content } = row
  const part = { number, size, etag, modifiedMs, content }
  return checksum === undefined ? part : { ...part, checksum }
}

export function userOf(name: string, { admin, enabled, createdMs }: UserRow): User {
  return { name, admin, enabled, createdMs }
}

export function accessKeyOf(id: string, { user, sealedSecret, enabled, createdMs }: AccessKeyRow): AccessKey {
  return { id, user, sealedSecret, enabled, createdMs }
}
