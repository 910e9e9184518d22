import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { canBeSettled } from '../life/deletions.ts'
import { containers, deletions } from '../tables.ts'
import { containerOf } from './settle-deletions.ts'

/**
 * A transaction goes when every replica that its container has by now has carried it out. Acknowledgements repeat; unknown
 * ones are old. What a datanode says whose replica does not count says nothing of the replica that it may have later.
 */
export function acknowledgeDeletions(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'acknowledge-deletions' }>,
): Decision<ScmReply> {
  const { datanode } = command
  const transactions = [...new Set(command.transactions)]
  const changes: Change[] = []
  for (const [n, row] of view.getMany(deletions, transactions).entries()) {
    if (row === undefined) continue
    const container = view.get(containers, containerOf(row))
    // Its container is gone, or was encoded meanwhile: `settle-deletions` sees to that.
    if (container === undefined || container.ec !== undefined || !container.datanodes.includes(datanode)) continue
    const { copies } = container
    const before = row.copies === copies ? row.done : []
    if (before.includes(datanode)) continue
    const value = { ...row, copies, done: [...before, datanode] }
    changes.push({ table: deletions, key: transactions[n], value: canBeSettled(container, value) ? undefined : value })
  }
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}
