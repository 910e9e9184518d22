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

const buckets = new WeakMap<BucketRow, { readonly usage: BucketUsageRow; readonly bucket: Bucket }>()

/** A row of a bucket has one name for ever; its counters change with each write. */
export function bucketOf({ volume, bucket: name }: BucketRef, row: BucketRow, usage: BucketUsageRow): Bucket {
  const known = buckets.get(row)
  if (known?.usage === usage) return known.bucket
  const { bytes, keys, uploads } = usage
  const bucket: Bucket = { volume, name, ...row, usage: { bytes, keys }, uploads }
  buckets.set(row, { usage, bucket })
  return bucket
}

export const keyOf = oncePerRow((name, row: LeafRow): Key => {
  const { size, modifiedMs, owner, updateId, content, parts } = row
  const key = { ...row.attributes, name, size, modifiedMs, owner, updateId, content }
  return parts === undefined ? key : { ...key, parts }
})

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

export const userOf = oncePerRow((name, { admin, enabled, createdMs }: UserRow): User => {
  return { name, admin, enabled, createdMs }
})

export const accessKeyOf = oncePerRow((id, { user, sealedSecret, enabled, createdMs }: AccessKeyRow): AccessKey => {
  return { id, user, sealedSecret, enabled, createdMs }
})

/**
 * Rows are immutable and kept, and the hot reads ask for the same ones again and again: the record is made once, and
 * whoever keeps something beside it finds it by its identity. A renamed key shares its row, so the name is compared.
 */
function oncePerRow<Row extends object, Value>(
  make: (name: string, row: Row) => Value,
): (name: string, row: Row) => Value {
  const made = new WeakMap<Row, { readonly name: string; readonly value: Value }>()
  return (name, row) => {
    const known = made.get(row)
    if (known?.name === name) return known.value
    const value = make(name, row)
    made.set(row, { name, value })
    return value
  }
}
