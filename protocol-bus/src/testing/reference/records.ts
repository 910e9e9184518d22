/** What the reference store keeps: plain maps of plain records. */

import type {
  AccessKeyInfo,
  Bucket,
  KeyAttributes,
  KeyCommit,
  KeyInfo,
  PartInfo,
  Quota,
  Upload,
  User,
  Volume,
} from '../../api/api.ts'

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface StoredKey {
  readonly info: KeyInfo
  readonly bytes: Uint8Array
}

export interface StoredPart {
  readonly info: PartInfo
  readonly bytes: Uint8Array
}

export interface StoredUpload {
  readonly upload: Upload
  readonly parts: Map<number, StoredPart>
}

export interface StoredBucket {
  readonly row: Mutable<Omit<Bucket, 'usage' | 'uploads'>>
  readonly keys: Map<string, StoredKey>
  readonly uploads: Map<string, StoredUpload>
  /** Uploads that were completed: from which parts, and what was answered. */
  readonly completed: Map<string, { readonly fingerprint: string; readonly commit: KeyCommit }>
}

export interface StoredVolume {
  readonly row: Mutable<Omit<Volume, 'usage'>>
  readonly buckets: Map<string, StoredBucket>
}

export interface StoredAccessKey {
  readonly info: Mutable<AccessKeyInfo>
  readonly secret: string
}

export interface Records {
  readonly volumes: Map<string, StoredVolume>
  readonly users: Map<string, Mutable<User>>
  readonly accessKeys: Map<string, StoredAccessKey>
}

/**
 * Keys, and the parts of uploads under way, which take room like keys. Counted each time it is asked for: nothing that
 * could go stale.
 */
export function bucketUsage(bucket: StoredBucket): { bytes: number; keys: number } {
  let bytes = 0
  for (const key of bucket.keys.values()) bytes += key.bytes.length
  for (const upload of bucket.uploads.values()) bytes += uploadBytes(upload)
  return { bytes, keys: bucket.keys.size }
}

export function uploadBytes({ parts }: StoredUpload): number {
  let bytes = 0
  for (const part of parts.values()) bytes += part.bytes.length
  return bytes
}

export function volumeUsage(volume: StoredVolume): { bytes: number; keys: number; buckets: number } {
  const total = { bytes: 0, keys: 0, buckets: volume.buckets.size }
  for (const bucket of volume.buckets.values()) {
    const usage = bucketUsage(bucket)
    total.bytes += usage.bytes
    total.keys += usage.keys
  }
  return total
}

export function bucketInfo(bucket: StoredBucket): Bucket {
  return { ...bucket.row, usage: bucketUsage(bucket), uploads: bucket.uploads.size }
}

export function volumeInfo(volume: StoredVolume): Volume {
  return { ...volume.row, usage: volumeUsage(volume) }
}

export const noQuota: Quota = {}

/** The attributes alone, without what the store adds to them. */
export function attributesOf(info: KeyInfo): KeyAttributes {
  const { etag, contentType, checksum, headers, metadata, tags } = info
  return {
    etag,
    headers,
    metadata,
    tags,
    ...(contentType === undefined ? {} : { contentType }),
    ...(checksum === undefined ? {} : { checksum }),
  }
}
