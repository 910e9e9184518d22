import { assert } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import type { Draft } from '../draft.ts'
import { changeMembers, checkQuotaShape, checkTexts } from '../limits.ts'
import { checkUserName } from '../names.ts'
import { moveOwned } from '../owners.ts'
import { bucketOf } from '../records.ts'
import { isRefusal } from '../refusal.ts'
import { buckets, bucketUsage } from '../rows/bucket.ts'
import type { CommandOf } from './handler.ts'

/** `BucketNotFound`, `InvalidName` (owner), `InvalidArgument` (quota, texts), `TooLarge` (tags, metadata), `TooManyEntries` (members). */
export function updateBucket(draft: Draft, command: CommandOf<'update-bucket'>): OmReply | Refusal {
  const ref = { volume: command.volume, bucket: command.bucket }
  const found = findBucket(draft, ref)
  if (isRefusal(found)) return found
  const before = found.row
  const { owner = before.owner, quota = before.quota, tags = before.tags, metadata = before.metadata } = command
  const refusal =
    (owner === before.owner ? undefined : checkUserName(owner)) ??
    checkQuotaShape(quota) ??
    checkTexts([], tags, metadata)
  if (refusal !== undefined) return refusal
  const members = changeMembers(before.members, command.members)
  if (isRefusal(members)) return members

  const usage = draft.get(bucketUsage, before.id)
  assert(usage !== undefined, 'a bucket has counters')
  const row = { ...before, owner, quota, members, tags, metadata, modifiedMs: draft.stamp.wallMs }
  draft.put(buckets, ref, row)
  moveOwned(draft, before.owner, owner)
  return { kind: 'bucket', bucket: bucketOf(ref, row, usage) }
}
