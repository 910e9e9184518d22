import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Change, Decision, PlanView } from '@o3/ratis/api'
import type { ContainerId, ContainerState } from '../../api/api.ts'
import type { ScmCommand, ScmReply } from '../command.ts'
import { containers } from '../tables.ts'
import type { ContainerRow } from '../tables.ts'

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
  const { container, to } = command
  const row = view.get(containers, container)
  const done = { kind: 'decision', reply: { kind: 'done' } } as const
  if (row === undefined) {
    if (to === 'DELETED') return { ...done, changes: [] }
    return refuse('ContainerNotFound', `there is no container ${container}`)
  }
  if (row.state === to) return { ...done, changes: [] }
  if (!transitions[row.state].includes(to)) {
    return refuse('ConcurrentChange', `container ${container} is ${row.state} and cannot become ${to}`)
  }
  if (to === 'DELETING' && row.encoding !== undefined) {
    return refuse('ConcurrentChange', `container ${container} is being encoded`)
  }
  const shards = to === 'DELETING' && row.ec !== undefined ? dropContainers(view, row.ec.shards) : []
  return { ...done, changes: [{ table: containers, key: container, value: movedTo(row, to) }, ...shards] }
}

function movedTo(row: ContainerRow, to: ContainerState): ContainerRow | undefined {
  if (to === 'DELETED') return undefined
  // Sealed alone, its members are asked for what their logs say of it, until it is closed.
  const isAskedFor = to === 'CLOSING' || to === 'QUASI_CLOSED'
  return { ...row, state: to, pipeline: isAskedFor ? row.pipeline : undefined }
}

/** On their way out, from whatever state: only for containers that are nothing without another one. */
export function dropContainers(view: PlanView, ids: readonly ContainerId[]): readonly Change[] {
  return view.getMany(containers, ids).flatMap((row, n) => {
    const value = row === undefined ? undefined : ({ ...row, state: 'DELETING', pipeline: undefined } as const)
    return value === undefined ? [] : [{ table: containers, key: ids[n], value }]
  })
}
