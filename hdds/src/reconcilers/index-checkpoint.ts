import { isStoreError } from '@o3/common/errors'
import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Makes the indexes durable now and then, so that a start after a crash has little to read. */
export class IndexCheckpointing implements Reconciler {
  readonly name = 'hdds.index-checkpoint'
  private readonly disks: readonly DataDisk[]
  private readonly config: HddsConfig

  constructor(disks: readonly DataDisk[], config: HddsConfig) {
    this.disks = disks
    this.config = config
  }

  async run(): Promise<void> {
    for (const disk of this.disks) {
      if (disk.state === 'failed') continue
      try {
        await disk.checkpointIndex()
      } catch (error) {
        // The next checkpoint covers what this one could not; the start would read further back, no more.
        if (!isStoreError(error, 'OutOfSpace')) throw error
      }
    }
  }

  pauseMs(): number {
    return this.config.indexCheckpointMs
  }
}
