import { assert } from '@o3/common/errors'
import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { BlockRange, ContainerId } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { canBeSettled } from '../life/deletions.ts'
import { containers, deletions, encodedDeletions } from '../tables.ts'
import type { ContainerRow, DeletionRow } from '../tables.ts'

/** Those that wait for somebody stay as they are: who asks may know less than the rows. */
export function settleDeletions(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'settle-deletions' }>,
): Decision<ScmReply> {
  const transactions = [...new Set(command.transactions)]
  const changes: Change[] = []
  const encoded = new Map<ContainerId, { readonly transaction: number; readonly blocks: readonly BlockRange[] }[]>()
  for (const [n, row] of view.getMany(deletions, transactions).entries()) {
    if (row === undefined) continue
    const transaction = transactions[n] as number
    const container = containerOf(row)
    const held = view.get(containers, container)
    if (held?.ec !== undefined) {
      encoded.set(container, [...(encoded.get(container) ?? []), { transaction, blocks: row.blocks }])
    } else if (!canBeSettled(held, row)) continue
    changes.push({ table: deletions, key: transaction, value: undefined })
  }
  for (const [container, recorded] of encoded) {
    changes.push(...recordEncoded(container, view.get(containers, container) as ContainerRow, recorded))
  }
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}

/** Nobody is asked to delete blocks of an encoded container: they are left out when it is encoded anew. */
export function recordEncoded(
  container: ContainerId,
  row: ContainerRow,
  recorded: readonly { readonly transaction: number; readonly blocks: readonly BlockRange[] }[],
): readonly Change[] {
  const blocks = recorded.flatMap((each) => each.blocks).reduce((sum, { count }) => sum + count, 0)
  return [
    { table: containers, key: container, value: { ...row, deletedBlocks: row.deletedBlocks + blocks } },
    ...recorded.map(({ transaction, blocks: ranges }) => {
      return { table: encodedDeletions, key: { container, transaction }, value: ranges }
    }),
  ]
}

export function containerOf(row: DeletionRow): ContainerId {
  const container = row.blocks[0]?.container
  assert(container !== undefined, 'a deletion names at least one range')
  return container
}
