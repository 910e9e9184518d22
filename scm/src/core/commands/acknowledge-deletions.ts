import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { deletions } from '../tables.ts'

/** The transaction goes when its last datanode has carried it out. Acknowledgements repeat; unknown ones are old. */
export function acknowledgeDeletions(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'acknowledge-deletions' }>,
): Decision<ScmReply> {
  const changes: Change[] = []
  for (const transaction of new Set(command.transactions)) {
    const row = view.get(deletions, transaction)
    if (row === undefined || !row.waitingFor.includes(command.datanode)) continue
    const waitingFor = row.waitingFor.filter((id) => id !== command.datanode)
    const value = waitingFor.length === 0 ? undefined : { ...row, waitingFor }
    changes.push({ table: deletions, key: transaction, value })
  }
  return { kind: 'decision', reply: { kind: 'done' }, changes }
}
