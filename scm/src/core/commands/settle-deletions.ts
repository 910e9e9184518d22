import { assert } from '@o3/common/errors'
import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ContainerId } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { canBeSettled } from '../life/deletions.ts'
import { blocksIn } from '../recorded-deletions.ts'
import type { RecordedDeletion } from '../recorded-deletions.ts'
import { containers, counters, deletions, encodedDeletions } from '../tables.ts'
import type { ContainerRow, DeletionRow } from '../tables.ts'

/**
 * Those that wait for somebody stay as they are: who asks may know less than the rows. One whose container was encoded meanwhile
 * gets a new number: records are numbered in the order in which they are made (`LeftOut`).
 */
export function settleDeletions(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'settle-deletions' }>,
): Decision<ScmReply> {
  const transactions = [...new Set(command.transactions)]
  const changes: Change[] = []
  const encoded = new Map<ContainerId, RecordedDeletion[]>()
  const before = view.get(counters, 'deletion') ?? 0
  let last = before
  for (const [n, row] of view.getMany(deletions, transactions).entries()) {
    if (row === undefined) continue
    const transaction = transactions[n] as number
    const container = containerOf(row)
    const held = view.get(containers, container)
    if (held?.ec !== undefined) {
      last += 1
      addTo(encoded, container, { transaction: last, blocks: row.blocks })
    } else if (!canBeSettled(held, row)) continue
    changes.push({ table: deletions, key: transaction, value: undefined })
  }
  for (const [container, recorded] of encoded) {
    changes.push(...recordEncoded(container, view.get(containers, container) as ContainerRow, recorded))
  }
  if (last > before) changes.push({ table: counters, key: 'deletion', value: last })
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}

/** Nobody is asked to delete blocks of an encoded container: they are left out when it is encoded anew. */
export function recordEncoded(
  container: ContainerId,
  row: ContainerRow,
  recorded: readonly RecordedDeletion[],
): readonly Change[] {
  // Its blocks go with it.
  if (row.state === 'DELETING') return []
  const blocks = blocksIn(recorded.flatMap((each) => each.blocks))
  return [
    { table: containers, key: container, value: { ...row, deletedBlocks: row.deletedBlocks + blocks } },
    ...recorded.map(({ transaction, blocks: ranges }) => {
      return { table: encodedDeletions, key: { container, transaction }, value: ranges }
    }),
  ]
}

function addTo<T>(lists: Map<ContainerId, T[]>, container: ContainerId, item: T): void {
  const list = lists.get(container)
  if (list === undefined) lists.set(container, [item])
  else list.push(item)
}

export function containerOf(row: DeletionRow): ContainerId {
  const container = row.blocks[0]?.container
  assert(container !== undefined, 'a deletion names at least one range')
  return container
}
