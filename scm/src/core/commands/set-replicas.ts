import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { Replicas, ScmCommand, ScmReply } from '../command.ts'
import { containers } from '../tables.ts'

/**
 * Compare and set, so that two who decide at the same time do not both take away a copy that the other counted on. Each
 * replica that was not there before, finished or not, voids what was said of deletions (`DeletionRow.copies`).
 */
export function setReplicas(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'set-replicas' }>,
): Decision<ScmReply> | Refusal {
  const { container, was, becomes } = command
  const row = view.get(containers, container)
  if (row === undefined) return refuse('ContainerNotFound', `there is no container ${container}`)
  if (!isSame(row, was)) {
    return refuse('ConcurrentChange', `the replicas of container ${container} are not those any more`)
  }
  const all = [...becomes.datanodes, ...becomes.incoming]
  if (new Set(all).size < all.length) {
    return refuse('InvalidArgument', `container ${container} cannot be twice on one datanode: ${all.join(', ')}`)
  }
  const before = new Set([...row.datanodes, ...row.incoming])
  const added = all.filter((id) => !before.has(id)).length
  return {
    kind: 'decision',
    reply: { kind: 'done' },
    changes: [{ table: containers, key: container, value: { ...row, ...becomes, copies: row.copies + added } }],
  }
}

function isSame(a: Replicas, b: Replicas): boolean {
  return a.datanodes.join('\n') === b.datanodes.join('\n') && a.incoming.join('\n') === b.incoming.join('\n')
}
