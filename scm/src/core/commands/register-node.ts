import type { Decision, PlanView, Stamp } from '@o3/ratis/api'
import type { ScmCommand, ScmReply } from '../command.ts'
import { defaultRack, nodes } from '../tables.ts'

/** A node that comes back keeps its operational state; its address and its rack may have changed. */
export function registerNode(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'register-node' }>,
  stamp: Stamp,
): Decision<ScmReply> {
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  const known = view.get(nodes, command.id)
  const { address, rack = known?.rack ?? defaultRack } = command
  if (known !== undefined && known.address === address && known.rack === rack) return { ...done, changes: [] }
  const value = known ?? {
    operational: 'IN_SERVICE' as const,
    maintenanceUntilMs: undefined,
    registeredMs: stamp.wallMs,
  }
  return { ...done, changes: [{ table: nodes, key: command.id, value: { ...value, address, rack } }] }
}
