/** The reads of single records, written over rows at once (see `readLive`). They throw what they do not find. */

import { assert, StoreError } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { AccessKey, Bucket, BucketRef, Key, KeyRef, Upload, UploadId, User, Volume } from '../api/api.ts'
import { findBucket } from '../core/bucket.ts'
import { findKeyPlace, keyNotFound } from '../core/key.ts'
import { accessKeyOf, bucketOf, keyOf, uploadOf, userOf, volumeOf } from '../core/records.ts'
import { isRefusal } from '../core/refusal.ts'
import type { RowView } from '../core/row-view.ts'
import { bucketUsage } from '../core/rows/bucket.ts'
import { accessKeys, users } from '../core/rows/user.ts'
import { volumes, volumeUsage } from '../core/rows/volume.ts'
import { findUpload, uploadNotFound } from '../core/upload.ts'
import { accessKeyNotFound, userNotFound } from '../core/user.ts'
import { volumeNotFound } from '../core/volume.ts'

/** Throws a refusal; passes anything else through. */
export function agreed<T>(outcome: T | Refusal): T {
  if (isRefusal(outcome)) throw StoreError.fromRecord(outcome)
  return outcome
}

/** `VolumeNotFound`. */
export function readVolume(rows: RowView, name: string): Volume {
  const row = rows.get(volumes, name)
  if (row === undefined) throw StoreError.fromRecord(volumeNotFound(name))
  const usage = rows.get(volumeUsage, name)
  assert(usage !== undefined, 'a volume has counters')
  return volumeOf(name, row, usage)
}

/** `BucketNotFound`. */
export function readBucket(rows: RowView, ref: BucketRef): Bucket {
  const { row } = agreed(findBucket(rows, ref))
  const usage = rows.get(bucketUsage, row.id)
  assert(usage !== undefined, 'a bucket has counters')
  return bucketOf(ref, row, usage)
}

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`, `KeyNotFound`. */
export function readKey(rows: RowView, ref: KeyRef): Key {
  const { row } = agreed(findKeyPlace(rows, ref))
  if (row === undefined) throw StoreError.fromRecord(keyNotFound(ref.key))
  return keyOf(ref.key, row)
}

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`, `UploadNotFound`. */
export function readUpload(rows: RowView, ref: KeyRef & { readonly upload: UploadId }): Upload {
  const { key, row } = agreed(findUpload(rows, ref))
  if (row === undefined) throw StoreError.fromRecord(uploadNotFound(ref.upload))
  return uploadOf(ref.upload, key.key, row)
}

/** `UserNotFound`. */
export function readUser(rows: RowView, name: string): User {
  const row = rows.get(users, name)
  if (row === undefined) throw StoreError.fromRecord(userNotFound(name))
  return userOf(name, row)
}

/** `AccessKeyNotFound`. */
export function readAccessKey(rows: RowView, id: string): AccessKey {
  const row = rows.get(accessKeys, id)
  if (row === undefined) throw StoreError.fromRecord(accessKeyNotFound(id))
  return accessKeyOf(id, row)
}
