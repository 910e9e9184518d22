import { isStoreError } from '@o3/common/errors'
import type { HddsConfig } from '../config.ts'
import { settleContentHash } from '../storage/content-count.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { Pace } from '../storage/pace.ts'
import type { Clock } from '@o3/common/env'
import { onEachDisk } from './on-each-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Finds the content hash of closed containers that an earlier release wrote, one per round: SCM compares replicas by it. */
export function contentCounting(disks: readonly DataDisk[], clock: Clock, config: HddsConfig): Reconciler {
  const pace = new Pace(clock, () => config.compactBytesPerSecond)
  return onEachDisk({
    name: 'hdds.content-counting',
    disks,
    work: async (disk) => {
      for (const container of disk.containers.values()) {
        if (!container.isSealed || container.isDamaged || container.ledger.contentHash !== undefined) continue
        try {
          await settleContentHash(container, { pace })
        } catch (error) {
          // What cannot be read is reported, and the container unhealthy.
          if (!isStoreError(error, 'Damaged', 'ContainerNotFound', 'Aborted')) throw error
        }
        return
      }
    },
    tolerates: ['OutOfSpace', 'Closed'],
    pauseMs: () => config.compactIntervalMs,
  })
}
