/** Counters and quotas. The counters of a bucket and of its volume change with every plan that changes what they count. */

import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Quota, Usage } from '../api/api.ts'
import type { FoundBucket } from './bucket.ts'
import type { Draft } from './draft.ts'
import { bucketUsage } from './rows/bucket.ts'
import { volumes, volumeUsage } from './rows/volume.ts'

/** Differences; negative when something goes. */
export interface UsageChange {
  readonly bytes: number
  readonly keys: number
  readonly uploads?: number
}

/**
 * Counts the change, or refuses with `QuotaExceeded`. What does not grow is never refused, also above a quota that was
 * lowered since.
 */
export function charge(draft: Draft, bucket: FoundBucket, change: UsageChange): Refusal | undefined {
  const ofBucket = draft.get(bucketUsage, bucket.row.id)
  const volume = draft.get(volumes, bucket.ref.volume)
  const ofVolume = draft.get(volumeUsage, bucket.ref.volume)
  assert(ofBucket !== undefined && volume !== undefined && ofVolume !== undefined, 'a bucket lies in a volume')

  const refusal =
    checkQuota('bucket', bucket.row.quota, ofBucket, change) ?? checkQuota('volume', volume.quota, ofVolume, change)
  if (refusal !== undefined) return refusal

  const { bytes, keys, uploads = 0 } = change
  draft.put(bucketUsage, bucket.row.id, {
    bytes: ofBucket.bytes + bytes,
    keys: ofBucket.keys + keys,
    uploads: ofBucket.uploads + uploads,
    nextDirectory: ofBucket.nextDirectory,
  })
  if (bytes !== 0 || keys !== 0) {
    draft.put(volumeUsage, bucket.ref.volume, {
      bytes: ofVolume.bytes + bytes,
      keys: ofVolume.keys + keys,
      buckets: ofVolume.buckets,
    })
  }
  return undefined
}

function checkQuota(scope: string, quota: Quota, used: Usage, change: UsageChange): Refusal | undefined {
  for (const unit of ['bytes', 'keys'] as const) {
    const limit = quota[unit]
    if (limit !== undefined && change[unit] > 0 && used[unit] + change[unit] > limit) {
      return refuse('QuotaExceeded', `the ${scope}'s quota of ${limit} ${unit} would be exceeded`, {
        scope,
        unit,
        limit,
        used: used[unit],
      })
    }
  }
  return undefined
}
