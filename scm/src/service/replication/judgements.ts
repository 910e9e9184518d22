import type { ContainerId, DatanodeId } from '../../api/api.ts'
import type { ClusterView } from '../../core/cluster-view.ts'
import type { ContainerFacts, EcGroupFacts } from '../../core/planners/container-facts.ts'
import { assessGroup } from '../../core/planners/erasure-plan.ts'
import type { GroupAssessment } from '../../core/planners/erasure-plan.ts'
import { HealthTally } from '../../core/planners/health-report.ts'
import { assess, isAssessed } from '../../core/planners/replication-health.ts'
import type { Assessment } from '../../core/planners/replication-health.ts'
import type { RepairAction } from '../../core/planners/replication-plan.ts'
import type { Topology } from '../../core/planners/topology.ts'
import { containerFactsOf, groupFactsOf } from '../../core/planners/view-facts.ts'

/** What is known of one unit of planning: a container, or an erasure-coded one with its shards. */
export type Judged =
  | {
      readonly kind: 'container'
      readonly unit: ContainerId
      readonly facts: ContainerFacts
      readonly found: Assessment
    }
  | {
      readonly kind: 'group'
      readonly unit: ContainerId
      readonly facts: EcGroupFacts
      readonly found: GroupAssessment
    }

/** Judges units, and keeps count of their healths. */
export class Judgements {
  readonly tally = new HealthTally()
  private readonly movedFrom: (container: ContainerId) => DatanodeId | undefined

  constructor(movedFrom: (container: ContainerId) => DatanodeId | undefined) {
    this.movedFrom = movedFrom
  }

  /** Undefined for what is not judged: open, being deleted, gone. */
  judge(unit: ContainerId, view: ClusterView, topology: Topology): Judged | undefined {
    const judged = this.look(unit, view, topology)
    this.tally.note(unit, judged?.found.health)
    return judged
  }

  /** The containers whose rows a unit's tasks change. */
  membersOf(unit: ContainerId, view: ClusterView): readonly ContainerId[] {
    return [unit, ...(view.container(unit)?.row.ec?.shards ?? [])]
  }

  /** Whose row this action changes. */
  memberOf(judged: Judged, action: RepairAction): ContainerId {
    if (action.kind !== 'reconstruct' || judged.kind !== 'group') return action.container
    return judged.facts.shards[action.index]?.container ?? action.container
  }

  private look(unit: ContainerId, view: ClusterView, topology: Topology): Judged | undefined {
    const container = view.container(unit)
    if (container === undefined || !isAssessed(container.row) || container.row.shardOf !== undefined) return undefined
    const group = groupFactsOf(container, view, this.movedFrom)
    if (group !== undefined) return { kind: 'group', unit, facts: group, found: assessGroup(group, topology) }
    const facts = containerFactsOf(container, view, this.movedFrom(unit))
    return { kind: 'container', unit, facts, found: assess(facts, topology) }
  }
}
