import { StoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'
import type { DataDisk } from '../storage/data-disk.ts'
import type { Reconciler } from './reconciler.ts'

export interface OnEachDisk {
  readonly name: string
  readonly disks: readonly DataDisk[]
  readonly work: (disk: DataDisk) => Promise<unknown>
  /** What may go wrong on one disk without a word: the next round makes up for it, and the other disks have their turn. */
  readonly tolerates: readonly StoreErrorCode[]
  readonly pauseMs: () => number
}

/** The same work on every disk that has not failed, one after the other. */
export function onEachDisk({ name, disks, work, tolerates, pauseMs }: OnEachDisk): Reconciler {
  return {
    name,
    pauseMs,
    async run() {
      for (const disk of disks) {
        if (disk.state === 'failed') continue
        try {
          await work(disk)
        } catch (error) {
          if (!(error instanceof StoreError && tolerates.includes(error.code))) throw error
        }
      }
    },
  }
}
