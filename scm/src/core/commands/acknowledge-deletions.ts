import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers, deletions } from '../tables.ts'
import { containerOf, isDone } from './settle-deletions.ts'

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
    const isCounted = container === undefined || container.datanodes.includes(datanode)
    if (!isCounted) continue
    const copies = container?.copies ?? 0
    const before = row.copies === copies ? row.done : []
    if (before.includes(datanode)) continue
    const value = { ...row, copies, done: [...before, datanode] }
    changes.push({
      table: deletions,
      key: transactions[n],
      value: isDone(value, container) ? undefined : value,
    })
  }
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}
