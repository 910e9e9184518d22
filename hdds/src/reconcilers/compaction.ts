import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { onEachDisk } from './on-each-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Gives back the space of deleted blocks. */
export function compaction(disks: readonly DataDisk[], config: HddsConfig): Reconciler {
  return onEachDisk({
    name: 'hdds.compaction',
    disks,
    work: (disk) => disk.compact(),
    // Nothing was changed; other containers, or other people's files, may make room.
    tolerates: ['OutOfSpace', 'Closed'],
    pauseMs: () => config.compactIntervalMs,
  })
}
