import type { ContainerId } from '../../api/api.ts'
import type { ClusterView } from '../../core/cluster-view.ts'
import { ecPolicyOf } from '../../core/planners/container-facts.ts'
import { planEncoding, shardBytesOf } from '../../core/planners/encoding.ts'
import type { EncodingPlan } from '../../core/planners/encoding.ts'
import type { RepairTask, RepairTasks } from '../../core/planners/repair-tasks.ts'
import type { PlanContext } from '../../core/planners/replication-plan.ts'
import type { EncodedAs } from '../../core/tables.ts'
import type { Judged, Judgements } from './judgements.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { TaskCommands } from './task-commands.ts'
import type { UnitMemory } from './unit-memory.ts'

export interface EncodingRound {
  readonly view: ClusterView
  readonly now: number
  readonly tasks: RepairTasks
  readonly judgements: Judgements
  readonly memory: UnitMemory
}

/** Containers looked at for one encoding. */
const examined = 100

/** Chooses what is encoded, and ends what was begun. */
export class Encodings {
  private readonly config: ReplicationConfig
  /** Closed ones that are to be encoded one day, and since when they are known to be closed. The oldest first. */
  private readonly waiting = new Map<ContainerId, number>()

  constructor(config: ReplicationConfig) {
    this.config = config
  }

  note(unit: ContainerId, judged: Judged | undefined, view: ClusterView, nowMs: number): void {
    const row = view.container(unit)?.row
    const wants =
      judged?.kind === 'container' &&
      row?.state === 'CLOSED' &&
      row.encoding === undefined &&
      ecPolicyOf(row.replication) !== undefined
    if (!wants) this.waiting.delete(unit)
    else if (!this.waiting.has(unit)) this.waiting.set(unit, nowMs)
  }

  /** The next to encode; undefined when there is none, or enough are under way. */
  next(
    round: EncodingRound,
    context: PlanContext,
  ): { readonly unit: ContainerId; readonly plan: Extract<EncodingPlan, { kind: 'encode' }> } | undefined {
    const { view, now, tasks, judgements, memory } = round
    if (tasks.all().filter(({ kind }) => kind === 'encode').length >= this.config.maxEncodings) return undefined
    let looked = 0
    for (const [unit, sinceMs] of this.waiting) {
      if (now - sinceMs < this.config.encodeAfterMs || looked === examined) return undefined
      if (memory.readyMs(unit) > now || tasks.ofUnit(unit).length > 0) continue
      looked += 1
      const judged = judgements.judge(unit, view, context.topology)
      if (judged?.kind !== 'container') continue
      const avoid = memory.avoided(unit, now)
      const facts = {
        container: judged.facts,
        found: judged.found,
        closedForMs: now - sinceMs,
        liveBytes: liveBytesOf(unit, view),
      }
      const plan = planEncoding(facts, this.config, { ...context, avoid })
      if (plan.kind === 'encode') return { unit, plan }
    }
    return undefined
  }

  /** One that another leader began: asked for again at a datanode with a good replica. Undefined: there is none now. */
  resume(unit: ContainerId, encoding: EncodedAs, view: ClusterView, commands: TaskCommands): RepairTask | undefined {
    const container = view.container(unit)
    const encoder = container?.row.datanodes.find(
      (id) => container.reports.get(id)?.state === 'CLOSED' && view.nodes.get(id)?.health === 'HEALTHY',
    )
    if (encoder === undefined) return undefined
    const bytes = shardBytesOf(liveBytesOf(unit, view), encoding.policy)
    return commands.forResumedEncoding({ unit, encoding, encoder, bytes }, view)
  }

  /** Whether its shards are closed by their rows: then they may be read instead of the replicas. */
  isComplete(task: RepairTask, view: ClusterView): boolean {
    const shards = view.container(task.unit)?.row.encoding?.shards ?? []
    return shards.length > 0 && shards.every((id) => view.container(id)?.row.state === 'CLOSED')
  }
}

function liveBytesOf(unit: ContainerId, view: ClusterView): number {
  return Math.max(0, ...[...(view.container(unit)?.reports.values() ?? [])].map(({ liveBytes }) => liveBytes))
}
