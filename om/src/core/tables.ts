/** What OM remembers, table by table. One byte each in the row keys; no two may share it. */

import type { Table } from '@o3/ratis/api'
import { blockReferences, deletedBlocks, queueEnds } from './rows/block.ts'
import { buckets, bucketUsage } from './rows/bucket.ts'
import { entries } from './rows/entry.ts'
import { leases } from './rows/lease.ts'
import { completedSlots, completedUploads, parts, uploadProgress, uploads } from './rows/upload.ts'
import { accessKeys, owners, users } from './rows/user.ts'
import { volumes, volumeUsage } from './rows/volume.ts'

export const omTables = [
  volumes,
  volumeUsage,
  buckets,
  bucketUsage,
  entries,
  uploads,
  uploadProgress,
  parts,
  completedUploads,
  completedSlots,
  users,
  owners,
  accessKeys,
  leases,
  blockReferences,
  deletedBlocks,
  queueEnds,
] as unknown as readonly Table<never, never>[]
