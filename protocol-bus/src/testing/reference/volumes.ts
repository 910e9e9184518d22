import { StoreError } from '@o3/common/errors'
import type { Principal, VolumeRight, Volumes } from '../../api/api.ts'
import { authorize } from '../../core/authorize.ts'
import { permit, volumeFor } from './context.ts'
import type { ReferenceContext } from './context.ts'
import { checkQuotaShape, checkTexts, mergeMembers } from './limits.ts'
import { firstPage, namesAfter } from './listing.ts'
import { checkBucketName, checkUserName } from './names.ts'
import { noQuota, volumeInfo } from './records.ts'
import type { StoredVolume } from './records.ts'

export function referenceVolumes(context: ReferenceContext, principal: Principal): Volumes {
  const { volumes } = context.records
  const visible = (volume: StoredVolume): boolean =>
    !('kind' in authorize(principal, 'volume:read', { kind: 'volume', volume: volume.row }))
  return {
    async create(name, options = {}) {
      permit(principal, 'volume:create', { kind: 'cluster' })
      checkBucketName(name)
      checkUserName(options.owner ?? principal.user)
      checkQuotaShape(options.quota)
      if (volumes.has(name)) throw new StoreError('VolumeAlreadyExists', 'the volume exists already')
      const nowMs = context.clock.wallMs()
      const row = {
        name,
        owner: options.owner ?? principal.user,
        createdMs: nowMs,
        modifiedMs: nowMs,
        quota: options.quota ?? noQuota,
        members: {},
        metadata: {},
      }
      volumes.set(name, { row, buckets: new Map() })
      return volumeInfo(volumes.get(name)!)
    },

    async list(options) {
      const names = namesAfter(volumes.keys(), options).filter((name) => visible(volumes.get(name)!))
      const page = firstPage(names, options.limit)
      return { ...page, items: page.items.map((name) => volumeInfo(volumes.get(name)!)) }
    },

    async info(name) {
      return volumeInfo(volumeFor(context, principal, 'volume:read', name))
    },

    async update(name, changes) {
      const { row } = volumeFor(context, principal, 'volume:update', name)
      // An owner who could lift the quota that an administrator set would have none.
      if (changes.owner !== undefined || changes.quota !== undefined) {
        permit(principal, 'cluster:admin', { kind: 'cluster' })
      }
      const members = checkedChanges(row, changes)
      row.owner = changes.owner ?? row.owner
      row.quota = changes.quota ?? row.quota
      row.members = members
      row.metadata = changes.metadata ?? row.metadata
      row.modifiedMs = context.clock.wallMs()
      return volumeInfo(volumes.get(name)!)
    },

    async delete(name) {
      const volume = volumeFor(context, principal, 'volume:delete', name)
      if (volume.buckets.size > 0) throw new StoreError('VolumeNotEmpty', 'the volume still has buckets')
      volumes.delete(name)
    },
  }
}

function checkedChanges(
  row: StoredVolume['row'],
  changes: Parameters<Volumes['update']>[1],
): Readonly<Record<string, VolumeRight>> {
  if (changes.owner !== undefined && changes.owner !== row.owner) checkUserName(changes.owner)
  checkQuotaShape(changes.quota)
  checkTexts({}, changes.metadata ?? row.metadata)
  return mergeMembers(row.members, changes.members)
}
