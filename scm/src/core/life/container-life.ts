/**
 * What is to happen to a container, from its row and the last reports: a state that follows them, and commands that are due to
 * datanodes until their reports say that they are done. How many replicas there are to be is for others to say; here is how
 * each of them opens, closes, agrees with the others, and goes.
 */

import { assert } from '@o3/common/errors'
import type { ContainerId, ContainerState } from '../../api/api.ts'
import type { ClusterContainer, ClusterView } from '../cluster-view.ts'
import { planClosed, planDeleting, planReplicas, strayDeletions } from './closed.ts'
import { planClosing, planQuasiClosed } from './closing.ts'
import type { ClosingLimits } from './closing.ts'
import { planOpen } from './opening.ts'
import type { OpenLimits } from './opening.ts'
import { nothing } from './plan.ts'
import type { ContainerPlan, Due } from './plan.ts'
import { factsOf } from './replicas.ts'
import type { ContainerFacts } from './replicas.ts'

export type ContainerLimits = OpenLimits & ClosingLimits

type Stage = (facts: ContainerFacts, limits: ContainerLimits) => ContainerPlan

const stages: Readonly<Record<ContainerState, Stage>> = {
  OPEN: planOpen,
  CLOSING: planClosing,
  QUASI_CLOSED: (facts) => planReplicas(facts) ?? withStrays(planQuasiClosed(facts), facts),
  CLOSED: (facts) => planReplicas(facts) ?? planClosed(facts),
  DELETING: planDeleting,
  // A row that is dropped has no life.
  DELETED: () => nothing,
}

/** At most one change at a time; after it, plan again. Deterministic. */
export function planContainer(container: ClusterContainer, view: ClusterView, limits: ContainerLimits): ContainerPlan {
  return stages[container.row.state](factsOf(container, view), limits)
}

function withStrays({ change, due }: ContainerPlan, facts: ContainerFacts): ContainerPlan {
  return { change, due: [...due, ...strayDeletions(facts)] }
}

/**
 * Of a container that datanodes report and that has no row. Ids are never given twice, so one up to the last that was given
 * out is of a container that was deleted while its datanode was away. A later one is none of ours (rows that were restored
 * from a copy, or another cluster's datanode): it is left alone.
 */
export function planUnknown(id: ContainerId, view: ClusterView): readonly Due[] {
  assert(view.container(id) === undefined, 'it has no row')
  if (id > view.lastContainer) return []
  const due: Due[] = []
  for (const { id: datanode, health, live } of view.nodes.values()) {
    if (health !== 'HEALTHY' || live?.containers.get(id) === undefined) continue
    due.push({ datanode, command: { kind: 'delete-container', container: id } })
    due.push({ datanode, command: { kind: 'full-report' } })
  }
  return due
}
