import type { ContainerId, DatanodeId, EcPolicy } from '../../api/api.ts'
import type { ClusterView } from '../../core/cluster-view.ts'
import { ecPolicyOf, ecShape } from '../../core/planners/container-facts.ts'
import { planEncoding, shardBytesOf } from '../../core/planners/encoding.ts'
import type { EncodingPlan } from '../../core/planners/encoding.ts'
import type { RepairTasks } from '../../core/planners/repair-tasks.ts'
import { freeSources } from '../../core/planners/replication-plan.ts'
import type { PlanContext } from '../../core/planners/replication-plan.ts'
import { AnewEncodings } from './anew-encodings.ts'
import type { Judged, Judgements } from './judgements.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { UnitMemory } from './unit-memory.ts'

export interface EncodingRound {
  readonly view: ClusterView
  readonly now: number
  readonly tasks: RepairTasks
  readonly judgements: Judgements
  readonly memory: UnitMemory
}

export interface ChosenEncoding {
  readonly unit: ContainerId
  readonly plan: Extract<EncodingPlan, { kind: 'encode' }>
  /** `anew`: it is encoded, and its deleted blocks are to be left out. */
  readonly how: 'first' | 'anew'
}

/** Containers looked at for one encoding. */
const examined = 100

/** Chooses what is encoded, and ends what was begun. */
export class Encodings {
  private readonly config: ReplicationConfig
  /** Closed ones that are to be encoded one day, and since when they are known to be closed. The oldest first. */
  private readonly waiting = new Map<ContainerId, number>()
  private readonly anew: AnewEncodings
  /** Begun by another leader, or by this one before it lost the task: their shards have rows. */
  private readonly begun = new Set<ContainerId>()

  constructor(config: ReplicationConfig) {
    this.config = config
    this.anew = new AnewEncodings(config)
  }

  note(unit: ContainerId, judged: Judged | undefined, known: Pick<EncodingRound, 'view' | 'memory' | 'now'>): void {
    const row = known.view.container(unit)?.row
    if (row?.encoding === undefined) this.begun.delete(unit)
    else this.begun.add(unit)
    const wants =
      judged?.kind === 'container' &&
      row?.state === 'CLOSED' &&
      row.encoding === undefined &&
      ecPolicyOf(row.replication) !== undefined
    if (!wants) this.waiting.delete(unit)
    else if (!this.waiting.has(unit)) this.waiting.set(unit, known.now)
    this.anew.note(unit, judged, known)
  }

  /** The next to encode; undefined when there is none, or enough are under way. Neither kind waits for the other. */
  next(round: EncodingRound, context: PlanContext): ChosenEncoding | undefined {
    const under = round.tasks.all().filter(({ kind }) => kind === 'encode')
    const anew = under.filter(
      ({ command }) => command?.kind === 'encode-container' && command.from !== undefined,
    ).length
    const { maxEncodings, maxEncodingsAnew } = this.config
    const first = under.length - anew < maxEncodings ? this.nextFirst(round, context) : undefined
    return first ?? (anew < maxEncodingsAnew ? this.anew.next(round, context) : undefined)
  }

  /** One that was begun and that nobody carries out: asked for again at a datanode with a good replica, or with a shard. */
  toResume(round: EncodingRound, context: PlanContext): ChosenEncoding | undefined {
    const { view, tasks } = round
    for (const unit of this.begun) {
      const row = view.container(unit)?.row
      if (row?.encoding === undefined || isEncoded(tasks, unit)) continue
      const { policy, shards } = row.encoding
      const { sources, shardBytes } = this.sourcesOf(unit, policy, round, context)
      const [encoder] = sources
      const targets = shards.map((shard) => view.container(shard)?.row.datanodes[0] ?? '')
      const incoming = (id: DatanodeId): number => context.topology.nodes.get(id)?.incoming ?? 0
      if (encoder === undefined || targets.some((id) => incoming(id) >= context.limits.maxIncoming)) continue
      const how = row.ec === undefined ? 'first' : 'anew'
      return { unit, plan: { kind: 'encode', policy, encoder, sources, targets, shardBytes }, how }
    }
    return undefined
  }

  private nextFirst(round: EncodingRound, context: PlanContext): ChosenEncoding | undefined {
    const { view, now, tasks, judgements, memory } = round
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
      if (plan.kind === 'encode') return { unit, plan, how: 'first' }
    }
    return undefined
  }

  private sourcesOf(
    unit: ContainerId,
    policy: EcPolicy,
    { view, judgements }: EncodingRound,
    context: PlanContext,
  ): { readonly sources: readonly DatanodeId[]; readonly shardBytes: number } {
    const judged = judgements.judge(unit, view, context.topology)
    if (judged?.kind === 'group') {
      const { policy: read, shardBytes } = judged.facts
      const maxSources = ecShape[read].data
      const holders = judged.found.shards.flatMap(({ good }) => good.readable.slice(0, 1))
      const sources = freeSources(holders, { ...context, limits: { ...context.limits, maxSources } })
      return { sources: sources.length < maxSources ? [] : sources, shardBytes }
    }
    const container = view.container(unit)
    const closed = (container?.row.datanodes ?? []).filter((id) => container?.reports.get(id)?.state === 'CLOSED')
    const readable = closed.filter((id) => view.nodes.get(id)?.health === 'HEALTHY')
    const replicas = readable.map((datanode) => ({ datanode, state: 'CLOSED' as const }))
    const sources = freeSources(replicas, { ...context, limits: { ...context.limits, maxSources: 1 } })
    return { sources, shardBytes: shardBytesOf(liveBytesOf(unit, view), policy) }
  }
}

function isEncoded(tasks: RepairTasks, unit: ContainerId): boolean {
  return tasks.ofUnit(unit).some(({ kind }) => kind === 'encode')
}

function liveBytesOf(unit: ContainerId, view: ClusterView): number {
  return Math.max(0, ...[...(view.container(unit)?.reports.values() ?? [])].map(({ liveBytes }) => liveBytes))
}
