import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { nodes } from '../tables.ts'

/** A node that comes back keeps its operational state; its address may have changed. */
export function registerNode(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'register-node' }>,
  stamp: Stamp,
): Decision<ScmReply> {
  const known = view.get(nodes, command.id)
  if (known !== undefined && known.address === command.address)
    return { kind: 'decision', reply: { kind: 'done' }, changes: [] }
  const value = known ?? { operational: 'IN_SERVICE' as const, registeredMs: stamp.wallMs }
  return {
    kind: 'decision',
    reply: { kind: 'done' },
    changes: [{ table: nodes, key: command.id, value: { ...value, address: command.address } }],
  }
}
