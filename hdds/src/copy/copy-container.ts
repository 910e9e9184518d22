import { StoreError } from '@o3/common/errors'
import { formatHash } from '../core/content-hash.ts'
import { ContainerCopy } from '../storage/container-copy.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { untilAborted } from '../service/until-aborted.ts'
import { syncParts } from './copy-scope.ts'
import type { CopyScope, CopyTask } from './copy-scope.ts'
import { ReplicaSync, survey } from './replica-sync.ts'
import type { Participant } from './sync-options.ts'

/**
 * Makes a closed replica here out of those at the sources, or ends the making of one. Idempotent: a replica that is here and
 * holds the same is what was asked for. It is closed as the sources are: by agreement when one of them is (and sound), or
 * `QUASI_CLOSED`.
 *
 * Rejects with `Unavailable` (no source, or a block that none can give), `Damaged` (sources that contradict each other; or
 * another replica is here), `ConcurrentChange`, `OutOfSpace`, `VolumeFailed`, or the signal's reason. What was taken stays,
 * and the next attempt goes on with it.
 */
export async function copyContainer(scope: CopyScope, task: CopyTask): Promise<void> {
  const { home, log } = scope
  const { container: id, signal } = task
  const participants = await untilAborted(survey(id, task.sources, log), signal)
  if (isHere(scope, task, participants)) return
  const copy = await ContainerCopy.open(diskFor(scope, task), {
    container: id,
    generation: nextGeneration(scope, task, participants),
    liveBytes: Math.max(...participants.map(({ summary }) => summary.liveBytes)),
  })
  try {
    const { byAuthority } = await sync(scope, task, copy, participants)
    await copy.seal(byAuthority ? 'agreed' : 'alone')
    const shown = await copy.show(async () => {
      for (const disk of home.dataDisks) {
        await disk.forgetLost(id)
        await disk.readmit([id])
      }
    })
    home.admit(shown)
    log.info({ container: id, hash: shown.report().contentHash }, 'a container was copied')
  } catch (error) {
    await copy.leave()
    throw error
  }
}

/** Throws `Damaged` when something else is here under this id: SCM has it deleted first. */
function isHere({ home }: CopyScope, { container: id }: CopyTask, participants: readonly Participant[]): boolean {
  const here = home.containerHere(id)
  if (here === undefined) return false
  const { contentHash, state } = here.report()
  const isSame = contentHash !== undefined && participants.some(({ summary }) => summary.contentHash === contentHash)
  if (isSame && (state === 'CLOSED' || state === 'QUASI_CLOSED')) return true
  throw new StoreError('Damaged', `another replica of container ${id} is here`, {
    details: { container: id, local: 0, offset: 0, path: here.current.file.path },
  })
}

/** Where a copy was begun it goes on. */
function diskFor({ home }: CopyScope, { container: id }: CopyTask): DataDisk {
  const begun = home.dataDisks.find((disk) => disk.copies.has(id) && disk.state !== 'failed')
  return begun ?? home.diskForCopy()
}

/**
 * Never the first: a file of generation 1 knows all tombstones that it ever had (see `reconcileContainer`), and a copy does
 * not know those of its source.
 */
function nextGeneration(
  { home }: CopyScope,
  { container: id }: CopyTask,
  participants: readonly Participant[],
): number {
  const lost = home.dataDisks.map((disk) => disk.lost.get(id)?.checkpoint.generation ?? 0)
  return 1 + Math.max(1, ...lost, ...participants.map(({ summary }) => summary.generation))
}

async function sync(
  scope: CopyScope,
  task: CopyTask,
  copy: ContainerCopy,
  participants: readonly Participant[],
): Promise<{ readonly byAuthority: boolean }> {
  const { container: target, restoration } = copy
  const totalBytes = Math.max(...participants.map(({ summary }) => summary.liveBytes))
  let doneBytes = target.ledger.live
  task.progress(doneBytes, totalBytes)
  const result = await new ReplicaSync({
    ...syncParts(scope, task),
    target,
    restoration,
    extras: 'drop',
    mayTake: () => true,
    spend: (bytes) => copy.spend(bytes),
    progress: (bytes) => {
      doneBytes += bytes
      task.progress(Math.min(doneBytes, totalBytes), totalBytes)
    },
  }).run()
  if (target.ledger.contentHash === undefined) throw new StoreError('Internal', 'a copy without a content hash')
  scope.log.debug({ container: task.container, hash: formatHash(target.ledger.contentHash) }, 'a copy is whole')
  return result
}
