import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Asks each disk how much is free; more often while one is full, so that it recovers soon. */
export class DiskSpaceWatch implements Reconciler {
  readonly name = 'hdds.disk-space'
  private readonly disks: readonly DataDisk[]
  private readonly config: HddsConfig

  constructor(disks: readonly DataDisk[], config: HddsConfig) {
    this.disks = disks
    this.config = config
  }

  async run(): Promise<void> {
    for (const disk of this.disks) if (disk.state !== 'failed') await disk.checkSpace()
  }

  pauseMs(): number {
    const { spaceCheckMs } = this.config
    return this.disks.some((disk) => disk.state === 'full') ? spaceCheckMs / 10 : spaceCheckMs
  }
}
