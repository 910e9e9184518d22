import type { StateView, Table } from '@o3/ratis/api'
import { Audit } from '../core/audit/audit.ts'
import { blockReferences, deletedBlocks, queueEnds } from '../core/rows/block.ts'
import { buckets, bucketUsage } from '../core/rows/bucket.ts'
import { entries } from '../core/rows/entry.ts'
import { leases } from '../core/rows/lease.ts'
import { completedSlots, completedUploads, parts, uploadProgress, uploads } from '../core/rows/upload.ts'
import { accessKeys, owners, users } from '../core/rows/user.ts'
import { volumes, volumeUsage } from '../core/rows/volume.ts'
import { scanRows } from './cursors.ts'

/** Walks every table of one snapshot. What is not as it should be, a sentence each; empty when all is well. */
export async function auditStore(view: StateView): Promise<readonly string[]> {
  const audit = new Audit()
  const { usage, blocks } = audit
  await each(view, volumes, (name, row) => usage.addVolume(name, row))
  await each(view, volumeUsage, (name, row) => usage.addVolumeUsage(name, row))
  await each(view, buckets, (ref, row) => usage.addBucket(ref, row))
  await each(view, bucketUsage, (id, row) => audit.addBucketUsage(id, row))
  await each(view, owners, (owner, count) => usage.addOwner(owner, count))
  await each(view, entries, (key, row) => audit.addEntry(key, row))
  await each(view, uploads, (key) => audit.addUpload(key))
  await each(view, uploadProgress, (upload, row) => audit.addProgress(upload, row))
  await each(view, parts, (key, row) => audit.addPart(key, row))
  await each(view, completedUploads, (upload) => audit.addCompleted(upload))
  await each(view, completedSlots, (_slot, upload) => audit.addCompletedSlot(upload))
  await each(view, leases, (id, row) => blocks.addLease(id, row))
  await each(view, blockReferences, (block, count) => blocks.addReferences(block, count))
  await each(view, deletedBlocks, (position, row) => audit.addDeleted(position, row))
  await each(view, queueEnds, (name, row) => audit.addQueueEnds(name, row))
  await each(view, users, (name, row) => audit.addUser(name, row))
  await each(view, accessKeys, (id, row) => audit.addAccessKey(id, row))
  return audit.finish()
}

function each<Key, Value>(
  view: StateView,
  table: Table<Key, Value>,
  visit: (key: Key, value: Value) => void,
): Promise<void> {
  return scanRows(view, { table, range: { from: '' } }, ({ key, value }) => {
    visit(key, value)
    return undefined
  })
}
