import { isStoreError } from '@o3/common/errors'
import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Gives back the space of deleted blocks. */
export class Compaction implements Reconciler {
  readonly name = 'hdds.compaction'
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
        await disk.compact()
      } catch (error) {
        // Nothing was changed; other containers, or other people's files, may make room.
        if (!isStoreError(error, 'OutOfSpace', 'Closed')) throw error
      }
    }
  }

  pauseMs(): number {
    return this.config.compactIntervalMs
  }
}
