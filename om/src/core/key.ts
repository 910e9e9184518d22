/** One key in its bucket: found by name, put in place of what is there, taken out. */

import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { KeyRef, OmReply } from '../api/api.ts'
import { findBucket } from './bucket.ts'
import type { FoundBucket } from './bucket.ts'
import { releaseContent } from './block-references.ts'
import type { Draft } from './draft.ts'
import { binaryKeyName } from './names.ts'
import { isRefusal } from './refusal.ts'
import type { RowView } from './row-view.ts'
import type { LeafRow } from './rows/entry.ts'
import { locate, pathOfKey, putEntry, removeEntry } from './tree.ts'
import type { Place } from './tree.ts'
import { charge } from './usage.ts'

export interface KeyPlace {
  readonly bucket: FoundBucket
  readonly place: Place
  /** Undefined when there is no such key. */
  readonly row: LeafRow | undefined
}

/** `BucketNotFound`, `InvalidName`, `KeyTooLong`. */
export function findKeyPlace(rows: RowView, ref: KeyRef): KeyPlace | Refusal {
  const bucket = findBucket(rows, ref)
  if (isRefusal(bucket)) return bucket
  return keyPlaceIn(rows, bucket, ref.key)
}

/** `InvalidName`, `KeyTooLong`. */
export function keyPlaceIn(rows: RowView, bucket: FoundBucket, key: string): KeyPlace | Refusal {
  const name = binaryKeyName(key)
  return isRefusal(name) ? name : locateKey(rows, bucket, name)
}

export function locateKey(rows: RowView, bucket: FoundBucket, name: BinaryKey): KeyPlace {
  const place = locate(rows, bucket.row.id, pathOfKey(name))
  const { row } = place
  assert(row?.kind !== 'directory', 'a name without a slash at its end is a leaf')
  return { bucket, place, row }
}

export function keyNotFound(key: string): Refusal {
  return refuse('KeyNotFound', 'no such key', { key })
}

export function keyReply({ attributes, modifiedMs, updateId, size }: LeafRow): OmReply {
  return { kind: 'key', etag: attributes.etag, modifiedMs, updateId, size }
}

/**
 * Puts the row there, frees what it replaces, counts both together with what `upload` held, when the key comes from one:
 * in one sum, since what does not grow as a whole is within every quota. `QuotaExceeded`.
 */
export function replaceKey(
  draft: Draft,
  at: KeyPlace,
  row: LeafRow,
  upload?: { readonly bytes: number },
): Refusal | undefined {
  const before = at.row
  const refusal = charge(draft, at.bucket, {
    bytes: row.size - (before?.size ?? 0) - (upload?.bytes ?? 0),
    keys: before === undefined ? 1 : 0,
    uploads: upload === undefined ? 0 : -1,
  })
  if (refusal !== undefined) return refusal
  putEntry(draft, at.place, row)
  if (before !== undefined) releaseContent(draft, before)
  return undefined
}

/** Takes the key out, frees its blocks, counts. The key must be there. */
export function removeKey(draft: Draft, at: KeyPlace): void {
  forgetKey(draft, at)
  removeEntry(draft, at.place)
}

/** Frees and uncounts what is there, for an entry that is then removed or replaced. */
export function forgetKey(draft: Draft, at: KeyPlace): void {
  assert(at.row !== undefined, 'a key that goes is there')
  const refusal = charge(draft, at.bucket, { bytes: -at.row.size, keys: -1 })
  assert(refusal === undefined, 'a deletion is within every quota')
  releaseContent(draft, at.row)
}
