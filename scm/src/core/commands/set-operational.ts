import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { NodeOperationalState } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { nodes } from '../tables.ts'

/**
 * The way out of service leads through the state in which copies are made. Back into service is possible from everywhere, and
 * so is a change of mind between the two ways out.
 */
export const operationalSteps: Readonly<Record<NodeOperationalState, readonly NodeOperationalState[]>> = {
  IN_SERVICE: ['DECOMMISSIONING', 'ENTERING_MAINTENANCE'],
  DECOMMISSIONING: ['DECOMMISSIONED', 'ENTERING_MAINTENANCE', 'IN_SERVICE'],
  DECOMMISSIONED: ['IN_SERVICE'],
  ENTERING_MAINTENANCE: ['IN_MAINTENANCE', 'DECOMMISSIONING', 'IN_SERVICE'],
  IN_MAINTENANCE: ['DECOMMISSIONING', 'IN_SERVICE'],
}

/** Asking for the state that it has moves the end of its maintenance, and nothing else. */
export function setOperational(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'set-operational' }>,
): Decision<ScmReply> | Refusal {
  const row = view.get(nodes, command.datanode)
  if (row === undefined) return refuse('InvalidArgument', `there is no datanode ${command.datanode}`)
  const { to } = command
  if (row.operational !== to && !operationalSteps[row.operational].includes(to)) {
    return refuse('ConcurrentChange', `datanode ${command.datanode} is ${row.operational} and cannot become ${to}`)
  }
  const isMaintenance = to === 'ENTERING_MAINTENANCE' || to === 'IN_MAINTENANCE'
  // The step from entering to being in maintenance keeps the end that the administrator named.
  const untilMs = isMaintenance ? (command.untilMs ?? row.maintenanceUntilMs) : undefined
  const value = { ...row, operational: to, maintenanceUntilMs: untilMs }
  return { kind: 'decision', reply: { kind: 'done' }, changes: [{ table: nodes, key: command.datanode, value }] }
}
