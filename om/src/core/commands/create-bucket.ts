import { assert, refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { checkQuotaShape, checkTexts } from '../limits.ts'
import { checkBucketName, checkUserName } from '../names.ts'
import { addOwned } from '../owners.ts'
import { bucketOf } from '../records.ts'
import { buckets, bucketUsage } from '../rows/bucket.ts'
import { rootDirectory } from '../rows/entry.ts'
import { volumes, volumeUsage } from '../rows/volume.ts'
import { volumeNotFound } from '../volume.ts'
import type { CommandOf } from './handler.ts'

/**
 * `InvalidName`, `InvalidArgument` (quota, texts), `TooLarge` (tags and metadata), `VolumeNotFound`, `BucketAlreadyExists`,
 * `QuotaExceeded` (buckets of the volume).
 */
export function createBucket(draft: Draft, command: CommandOf<'create-bucket'>): OmReply | Refusal {
  const { owner, quota, replication, tags = {}, metadata = {} } = command
  const refusal =
    checkBucketName(command.bucket) ?? checkUserName(owner) ?? checkQuotaShape(quota) ?? checkTexts([], tags, metadata)
  if (refusal !== undefined) return refusal

  const volume = draft.get(volumes, command.volume)
  if (volume === undefined) return volumeNotFound(command.volume)
  if (draft.get(buckets, command) !== undefined) return refuse('BucketAlreadyExists', 'the bucket exists already')
  const ofVolume = draft.get(volumeUsage, command.volume)
  assert(ofVolume !== undefined, 'a volume has counters')
  const limit = volume.quota.buckets
  if (limit !== undefined && ofVolume.buckets >= limit) {
    return refuse('QuotaExceeded', `the volume's quota of ${limit} buckets would be exceeded`, {
      scope: 'volume',
      unit: 'buckets',
      limit,
      used: ofVolume.buckets,
    })
  }

  const { wallMs, sequence } = draft.stamp
  const ref = { volume: command.volume, bucket: command.bucket }
  const made = { createdMs: wallMs, modifiedMs: wallMs }
  const row = { id: sequence, owner, ...made, replication, quota, members: {}, tags, metadata }
  const usage = { bytes: 0, keys: 0, uploads: 0, nextDirectory: rootDirectory + 1 }
  draft.put(buckets, ref, row)
  draft.put(bucketUsage, row.id, usage)
  draft.put(volumeUsage, ref.volume, { ...ofVolume, buckets: ofVolume.buckets + 1 })
  addOwned(draft, owner)
  return { kind: 'bucket', bucket: bucketOf(ref, row, usage) }
}
