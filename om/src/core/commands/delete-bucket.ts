import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import { findBucket } from '../bucket.ts'
import type { Draft } from '../draft.ts'
import { removeOwned } from '../owners.ts'
import { isRefusal } from '../refusal.ts'
import { buckets, bucketUsage } from '../rows/bucket.ts'
import { volumeUsage } from '../rows/volume.ts'
import { done } from './handler.ts'
import type { CommandOf } from './handler.ts'

/** `BucketNotFound`, `BucketNotEmpty` while it has keys or uploads in progress. */
export function deleteBucket(draft: Draft, { volume, bucket }: CommandOf<'delete-bucket'>): OmReply | Refusal {
  const found = findBucket(draft, { volume, bucket })
  if (isRefusal(found)) return found
  const { ref, row } = found
  const usage = draft.get(bucketUsage, row.id)
  const ofVolume = draft.get(volumeUsage, volume)
  assert(usage !== undefined && ofVolume !== undefined, 'a bucket and its volume have counters')
  if (usage.keys > 0 || usage.uploads > 0) {
    return refuse('BucketNotEmpty', 'the bucket still has keys or uploads', {
      keys: usage.keys,
      uploads: usage.uploads,
    })
  }
  draft.remove(buckets, ref)
  draft.remove(bucketUsage, row.id)
  draft.put(volumeUsage, volume, { ...ofVolume, buckets: ofVolume.buckets - 1 })
  removeOwned(draft, row.owner)
  return done
}
