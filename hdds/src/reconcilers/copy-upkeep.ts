import type { Clock } from '@o3/common/env'
import type { HddsConfig } from '../config.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { removeCopy } from '../storage/container-copy.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { onEachDisk } from './on-each-disk.ts'
import type { Reconciler } from './reconciler.ts'

/** Removes copies that nobody has worked on for so long: SCM has another plan, and they take room. */
export function copyUpkeep(disks: readonly DataDisk[], clock: Clock, { copyKeepMs }: HddsConfig): Reconciler {
  const idleSince = new WeakMap<ContainerFileName, number>()
  return onEachDisk({
    name: 'hdds.copy-upkeep',
    disks,
    work: async (disk) => {
      for (const [id, name] of disk.copies) {
        const isOpen = [...disk.openCopies].some((container) => container.id === id)
        const since = idleSince.get(name)
        if (isOpen) idleSince.delete(name)
        else if (since === undefined) idleSince.set(name, clock.monotonicMs())
        else if (clock.monotonicMs() - since >= copyKeepMs) await removeCopy(disk, id)
      }
    },
    tolerates: ['OutOfSpace'],
    pauseMs: () => copyKeepMs / 4,
  })
}
