/**
 * The memory of completed uploads: a client whose answer was lost repeats the completion and gets the same answer,
 * though the upload is gone. It holds the last 10,000 completions of the store, in a ring; the next one takes the place
 * of the oldest. A repetition that comes later than that finds no upload, as it would at S3 after some days.
 */

import type { OmReply } from '../api/api.ts'
import type { Draft } from './draft.ts'
import type { NamedPart } from './named-parts.ts'
import { queueEnds } from './rows/block.ts'
import type { LeafRow } from './rows/entry.ts'
import { completedSlots, completedUploads } from './rows/upload.ts'
import type { UploadKey } from './rows/upload.ts'

export const rememberedCompletions = 10_000

export function rememberCompletion(draft: Draft, key: UploadKey, named: readonly NamedPart[], made: LeafRow): void {
  const { first, next } = draft.queue('completed-uploads')
  const slot = next % rememberedCompletions
  const oldest = draft.get(completedSlots, slot)
  if (oldest !== undefined) draft.remove(completedUploads, oldest)
  draft.put(completedSlots, slot, key.upload)
  draft.put(completedUploads, key.upload, {
    bucket: key.bucket,
    key: key.key,
    fingerprint: fingerprintOf(named),
    etag: made.attributes.etag,
    modifiedMs: made.modifiedMs,
    updateId: made.updateId,
    size: made.size,
  })
  draft.put(queueEnds, 'completed-uploads', { first: oldest === undefined ? first : first + 1, next: next + 1 })
}

/** What the same completion was answered, if it is remembered. */
export function recallCompletion(draft: Draft, key: UploadKey, named: readonly NamedPart[]): OmReply | undefined {
  const before = draft.get(completedUploads, key.upload)
  if (before === undefined || before.bucket !== key.bucket || before.key !== key.key) return undefined
  if (before.fingerprint !== fingerprintOf(named)) return undefined
  const { etag, modifiedMs, updateId, size } = before
  return { kind: 'key', etag, modifiedMs, updateId, size }
}

/**
 * 52 bits of the parts that a completion names (FNV-1a, two lanes), to tell a repetition from another request for the
 * same upload. Not against forgery: who knows the upload id may complete it anyway.
 */
function fingerprintOf(named: readonly NamedPart[]): number {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (const { number, etag, checksum = '' } of named) {
    const text = `${number}:${etag}:${checksum};`
    for (let i = 0; i < text.length; i++) {
      low = Math.imul(low ^ text.charCodeAt(i), 0x01000193)
      high = Math.imul(high ^ text.charCodeAt(i), 0x85ebca6b)
    }
  }
  return (high >>> 12) * 0x1_0000_0000 + (low >>> 0)
}
