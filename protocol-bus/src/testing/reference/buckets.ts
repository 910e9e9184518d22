import { StoreError } from '@o3/common/errors'
import type { BucketRight, Buckets, Principal } from '../../api/api.ts'
import { authorize } from '../../core/authorize.ts'
import { bucketFor, volumeFor } from './context.ts'
import type { ReferenceContext } from './context.ts'
import { checkQuotaShape, checkTexts, mergeMembers } from './limits.ts'
import { firstPage, namesAfter } from './listing.ts'
import { checkBucketName, checkUserName } from './names.ts'
import { bucketInfo, noQuota } from './records.ts'
import type { StoredBucket, StoredVolume } from './records.ts'

export function referenceBuckets(context: ReferenceContext, principal: Principal): Buckets {
  const visible = (volume: StoredVolume, bucket: StoredBucket): boolean =>
    !('kind' in authorize(principal, 'bucket:read', { kind: 'bucket', bucket: bucket.row, volume: volume.row }))
  return {
    async create(ref, options = {}) {
      const volume = volumeFor(context, principal, 'bucket:create', ref.volume)
      checkBucketName(ref.bucket)
      checkQuotaShape(options.quota)
      checkTexts({}, options.tags ?? {})
      if (volume.buckets.has(ref.bucket)) throw new StoreError('BucketAlreadyExists', 'the bucket exists already')
      const limit = volume.row.quota.buckets
      if (limit !== undefined && volume.buckets.size >= limit) {
        throw new StoreError('QuotaExceeded', 'the volume has as many buckets as its quota allows')
      }
      const nowMs = context.clock.wallMs()
      const row = {
        id: context.sequence(),
        volume: ref.volume,
        name: ref.bucket,
        owner: principal.user,
        createdMs: nowMs,
        modifiedMs: nowMs,
        replication: options.replication ?? 'RATIS/ONE',
        quota: options.quota ?? noQuota,
        members: {},
        tags: options.tags ?? {},
        metadata: {},
      }
      const bucket: StoredBucket = { row, keys: new Map(), uploads: new Map(), completed: new Map() }
      volume.buckets.set(ref.bucket, bucket)
      return bucketInfo(bucket)
    },

    /** To those who may see none of its buckets, a volume that does not exist looks like one that does. */
    async list(name, options) {
      const volume = context.records.volumes.get(name)
      if (volume === undefined) {
        if (principal.admin) throw new StoreError('VolumeNotFound', 'no such volume', { details: { volume: name } })
        return { items: [], truncated: false }
      }
      const names = namesAfter(volume.buckets.keys(), options).filter((bucket) =>
        visible(volume, volume.buckets.get(bucket)!),
      )
      const page = firstPage(names, options.limit)
      return { ...page, items: page.items.map((bucket) => bucketInfo(volume.buckets.get(bucket)!)) }
    },

    async info(ref) {
      return bucketInfo(bucketFor(context, principal, 'bucket:read', ref).bucket)
    },

    async update(ref, changes) {
      const { bucket } = bucketFor(context, principal, 'bucket:update', ref)
      const { row } = bucket
      const members = checkedChanges(row, changes)
      row.owner = changes.owner ?? row.owner
      row.quota = changes.quota ?? row.quota
      row.members = members
      row.tags = changes.tags ?? row.tags
      row.metadata = changes.metadata ?? row.metadata
      row.modifiedMs = context.clock.wallMs()
      return bucketInfo(bucket)
    },

    async delete(ref) {
      const { volume, bucket } = bucketFor(context, principal, 'bucket:delete', ref)
      if (bucket.keys.size > 0 || bucket.uploads.size > 0) {
        throw new StoreError('BucketNotEmpty', 'the bucket still has keys or uploads')
      }
      volume.buckets.delete(ref.bucket)
    },

    async link(ref) {
      volumeFor(context, principal, 'bucket:create', ref.volume)
      throw new StoreError('NotImplemented', 'bucket links come in a later release')
    },
  }
}

function checkedChanges(
  row: StoredBucket['row'],
  changes: Parameters<Buckets['update']>[1],
): Readonly<Record<string, BucketRight>> {
  if (changes.owner !== undefined && changes.owner !== row.owner) checkUserName(changes.owner)
  checkQuotaShape(changes.quota)
  checkTexts({}, changes.tags ?? row.tags, changes.metadata ?? row.metadata)
  return mergeMembers(row.members, changes.members)
}
