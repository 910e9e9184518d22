import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { ReplicaSummary } from '../api/api.ts'
import { recordBytes } from '../core/record-layout.ts'
import { buriedBlocks } from '../storage/buried-blocks.ts'
import type { Container } from '../storage/container.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { Restoration } from '../storage/restoration.ts'
import { syncParts } from './copy-scope.ts'
import type { CopyScope, CopyTask } from './copy-scope.ts'
import { ReplicaSync } from './replica-sync.ts'
import type { SyncResult } from './sync-options.ts'

/**
 * Takes what a sealed replica lacks from others; then it is `CLOSED`, durably. Blocks are written behind the seal, with a new
 * seal behind them: a crash between leaves a `QUASI_CLOSED` replica with more blocks than before, and it is done again.
 *
 * What was deleted here does not come back: a replica that was closed alone keeps its tombstones, for it is not compacted. One
 * that was closed by agreement and rewritten since does not know any more what it lacks and what was deleted; it takes
 * nothing, and where that leaves it different from a sound source it must be made anew.
 *
 * Two origins together have all that was acknowledged, and one that was closed by agreement has it alone. Whoever has taken
 * from others only may lack some, and must not be `CLOSED`: where it is, what others have more counts as deleted. SCM asks for the
 * right sources, but those that it means may be gone by now, or made anew by a copy: so it is looked at here. `anybody`: SCM knows
 * that nobody else is left; then all of the sources must have given what they have.
 *
 * Rejects with `ContainerNotFound`, `Damaged` (it does not verify here, or a block differs: a finding), and as `copyContainer`.
 */
export async function reconcileContainer(
  scope: CopyScope,
  task: CopyTask,
  from: 'origins' | 'anybody' = 'origins',
): Promise<void> {
  const { container, disk } = find(scope, task)
  if (!container.isSealed) throw new StoreError('InvalidArgument', `container ${task.container} takes blocks still`)
  if (container.isDamaged) {
    throw new StoreError('Damaged', `container ${task.container} does not verify here: it must be made anew`, {
      details: { container: task.container, local: 0, offset: 0, path: container.current.file.path },
    })
  }
  const restoration = new Restoration(container)
  try {
    // One that began before knows nothing of what is written now.
    await disk.compactionSettled()
    const unknown = await deletedHere(scope, task, container)
    // Nobody else has anything of it.
    const isLast = from === 'anybody' && task.sources.length === 0
    const { refused, from: sources } = isLast ? nothing : await sync(scope, task, { container, restoration, unknown })
    if (from === 'origins') assertWhole(container, sources)
    else if (sources.length < task.sources.length) throw notAll(task)
    if (refused > 0 && unknown === 'anything') {
      throw new StoreError('Incompatible', `container ${task.container} lacks blocks that may have been deleted here`, {
        details: { container: task.container, blocks: refused },
      })
    }
  } finally {
    await restoration.end()
  }
  await container.agree()
  scope.log.info({ container: task.container, hash: container.report().contentHash }, 'a container was reconciled')
}

const nothing: Pick<SyncResult, 'refused' | 'from'> = { refused: 0, from: [] }

/** With all that these sources have. `Unavailable`: there may be blocks that were acknowledged beside those. */
function assertWhole({ id, ledger }: Container, sources: readonly ReplicaSummary[]): void {
  const { sealState } = ledger
  const makesWhole = ({ seal, damaged }: ReplicaSummary): boolean =>
    !damaged && (seal === 'agreed' || (seal === 'origin' && sealState === 'origin'))
  if (sealState === 'agreed' || sources.some(makesWhole)) return
  throw new StoreError('Unavailable', `the replicas of container ${id} that are there may lack blocks all of them`, {
    details: { container: id },
  })
}

function notAll({ container }: CopyTask): StoreError {
  return new StoreError('Unavailable', `not all that is left of container ${container} can be read`, {
    details: { container },
  })
}

/** What may not be taken: these ids, or nothing may, because the file does not know what was deleted from it. */
type Deleted = { has(local: LocalId): boolean } | 'anything'

async function deletedHere({ pace }: CopyScope, { signal }: CopyTask, container: Container): Promise<Deleted> {
  const { ledger, generation } = container
  if (ledger.sealState === 'agreed' && generation > 1) return 'anything'
  return await buriedBlocks(container, pace, signal)
}

interface Reconciled {
  readonly container: Container
  readonly restoration: Restoration
  readonly unknown: Deleted
}

async function sync(scope: CopyScope, task: CopyTask, parts: Reconciled): Promise<SyncResult> {
  const { container: target, restoration, unknown } = parts
  let doneBytes = 0
  return await new ReplicaSync({
    ...syncParts(scope, task),
    target,
    restoration,
    extras: 'keep',
    mayTake: (local) => unknown !== 'anything' && !unknown.has(local),
    spend: () => {},
    progress: (bytes) => {
      doneBytes += recordBytes(bytes)
      task.progress(doneBytes, doneBytes)
    },
  }).run()
}

function find({ home }: CopyScope, { container: id }: CopyTask): { container: Container; disk: DataDisk } {
  const container = home.containerHere(id)
  const disk = home.dataDisks.find((each) => each.scope === container?.scope)
  if (container !== undefined && disk !== undefined) return { container, disk }
  throw new StoreError('ContainerNotFound', `no container ${id}`, { details: { container: id } })
}
