import type { HddsConfig } from '../config.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { onEachDisk } from './on-each-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Makes the indexes durable now and then, so that a start after a crash has little to read. */
export function indexCheckpointing(disks: readonly DataDisk[], config: HddsConfig): Reconciler {
  return onEachDisk({
    name: 'hdds.index-checkpoint',
    disks,
    work: (disk) => disk.checkpointIndex(),
    // The next checkpoint covers what this one could not; the start would read further back, no more.
    tolerates: ['OutOfSpace'],
    pauseMs: () => config.indexCheckpointMs,
  })
}
