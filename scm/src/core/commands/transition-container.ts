import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Decision, PlanView } from '@o3/ratis/api'
import type { ContainerState } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers } from '../tables.ts'

/** Where a container may go from each state. It never becomes writable again. */
export const transitions: Readonly<Record<ContainerState, readonly ContainerState[]>> = {
  OPEN: ['CLOSING'],
  CLOSING: ['CLOSED', 'QUASI_CLOSED'],
  QUASI_CLOSED: ['CLOSED'],
  CLOSED: ['DELETING'],
  DELETING: ['DELETED'],
  DELETED: [],
}

/** Asking for the state that it has is agreed to: reports and executors repeat themselves. `DELETED` drops the row. */
export function transitionContainer(
  view: PlanView,
  command: Extract<ScmCommand, { kind: 'transition-container' }>,
): Decision<ScmReply> | Refusal {
  const row = view.get(containers, command.container)
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  if (row === undefined) {
    if (command.to === 'DELETED') return { ...done, changes: [] }
    return refuse('ContainerNotFound', `there is no container ${command.container}`)
  }
  if (row.state === command.to) return { ...done, changes: [] }
  if (!transitions[row.state].includes(command.to)) {
    return refuse('ConcurrentChange', `container ${command.container} is ${row.state} and cannot become ${command.to}`)
  }
  const value = command.to === 'DELETED' ? undefined : { ...row, state: command.to }
  return { ...done, changes: [{ table: containers, key: command.container, value }] }
}
