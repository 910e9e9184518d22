/** Uploads in progress: finding one, joining its parts, ending it. */

import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { KeyRef, UploadId } from '../api/api.ts'
import { findBucket } from './bucket.ts'
import type { FoundBucket } from './bucket.ts'
import { releaseContent } from './block-references.ts'
import type { Draft } from './draft.ts'
import { binaryKeyName } from './names.ts'
import { isRefusal } from './refusal.ts'
import type { RowView } from './row-view.ts'
import { bitsIn } from './rows/bits.ts'
import { parts, uploadProgress, uploads } from './rows/upload.ts'
import type { UploadKey, UploadProgressRow, UploadRow } from './rows/upload.ts'

export interface FoundUpload {
  readonly bucket: FoundBucket
  readonly key: UploadKey
  /** Undefined when there is no such upload. */
  readonly row: UploadRow | undefined
}

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`. */
export function findUpload(rows: RowView, ref: KeyRef & { readonly upload: UploadId }): FoundUpload | Refusal {
  const bucket = findBucket(rows, ref)
  if (isRefusal(bucket)) return bucket
  const name = binaryKeyName(ref.key)
  if (isRefusal(name)) return name
  const key = { bucket: bucket.row.id, key: name, upload: ref.upload }
  return { bucket, key, row: rows.get(uploads, key) }
}

export function uploadNotFound(upload: UploadId): Refusal {
  return refuse('UploadNotFound', 'no such upload', { upload })
}

export function progressOf(rows: RowView, upload: UploadId): UploadProgressRow {
  const progress = rows.get(uploadProgress, upload)
  assert(progress !== undefined, 'an upload has its progress')
  return progress
}

/** Forgets the upload and its parts. Frees the bytes of all parts but those of `kept`, which the caller took over. */
export function endUpload(draft: Draft, key: UploadKey, kept: ReadonlySet<number>): void {
  const numbers = bitsIn(progressOf(draft, key.upload).parts)
  const partKeys = numbers.map((number) => ({ upload: key.upload, number }))
  draft.fetch(parts, partKeys)
  for (const partKey of partKeys) {
    if (!kept.has(partKey.number)) {
      const part = draft.get(parts, partKey)
      assert(part !== undefined, 'a part that the progress names is there')
      releaseContent(draft, part)
    }
    draft.remove(parts, partKey)
  }
  draft.remove(uploadProgress, key.upload)
  draft.remove(uploads, key)
}
