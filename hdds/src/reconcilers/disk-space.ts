import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { onEachDisk } from './on-each-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Asks each disk how much is free; more often while one is full, so that it recovers soon. */
export function diskSpaceWatch(disks: readonly DataDisk[], { spaceCheckMs }: HddsConfig): Reconciler {
  return onEachDisk({
    name: 'hdds.disk-space',
    disks,
    work: (disk) => disk.checkSpace(),
    tolerates: [],
    pauseMs: () => (disks.some((disk) => disk.state === 'full') ? spaceCheckMs / 10 : spaceCheckMs),
  })
}
