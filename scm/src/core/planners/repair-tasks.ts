/** The tasks under way: what they take of datanodes, what is asked for them, and how they end. */

import type { ContainerId, DatanodeCommand, DatanodeId, EncodingReport } from '../../api/api.ts'
import type { ClusterView } from '../cluster-view.ts'
import { worthOf } from './container-facts.ts'
import type { NodeFacts } from './topology.ts'

export interface RepairTask {
  readonly id: string
  readonly kind: 'copy' | 'reconstruct' | 'encode'
  /** What is planned as one: the container, or the parent of the shard. */
  readonly unit: ContainerId
  /** Whose row names the target as incoming: the container, or the shard. For an encoding the parent. */
  readonly container: ContainerId
  /** Carries it out. */
  readonly at: DatanodeId
  readonly sources: readonly DatanodeId[]
  readonly targets: readonly DatanodeId[]
  /** Written to each target. */
  readonly bytes: number
  /** Undefined for one that an earlier leader asked for: it goes on or it does not. */
  readonly command: DatanodeCommand | undefined
  /** Of an encoding anew: how many blocks of the container were recorded as deleted when it was put together. */
  readonly deletedBlocks?: number | undefined
  /** Of a move: whose replica goes when this one is there. */
  readonly movedFrom?: DatanodeId | undefined
}

export type TaskOutcome =
  | { readonly task: RepairTask; readonly kind: 'done'; readonly encoding: EncodingReport | undefined }
  /** Also one that nobody hears of any more. */
  | { readonly task: RepairTask; readonly kind: 'failed'; readonly message: string }

export interface TaskLimits {
  /** A task that its datanode does not speak of for so long is lost: the command, the answer or the datanode was. */
  readonly silenceMs: number
  /** One that makes no progress for so long is given up. */
  readonly stallMs: number
}

interface Live {
  readonly task: RepairTask
  /** It is written down, so it may be asked for. */
  recorded: boolean
  heardMs: number
  doneBytes: number
  progressMs: number
  /** As its datanode told it: it may not say so twice. */
  outcome: TaskOutcome | undefined
}

/** Bounded by the limits of each datanode: whoever adds asks first how much there is. */
export class RepairTasks {
  private readonly limits: TaskLimits
  private readonly live = new Map<string, Live>()
  private readonly units = new Map<ContainerId, Set<Live>>()

  constructor(limits: TaskLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.live.size
  }

  all(): readonly RepairTask[] {
    return [...this.live.values()].map(({ task }) => task)
  }

  ofUnit(unit: ContainerId): readonly RepairTask[] {
    return [...(this.units.get(unit) ?? [])].map(({ task }) => task)
  }

  /** Counts from now on. `asked` only after `recorded`. */
  add(task: RepairTask, nowMs: number): void {
    const live = {
      task,
      recorded: task.command === undefined,
      heardMs: nowMs,
      doneBytes: 0,
      progressMs: nowMs,
      outcome: undefined,
    }
    this.live.set(task.id, live)
    const unit = this.units.get(task.unit)
    if (unit === undefined) this.units.set(task.unit, new Set([live]))
    else unit.add(live)
  }

  recorded(id: string, nowMs: number): void {
    const live = this.live.get(id)
    if (live === undefined) return
    live.recorded = true
    live.heardMs = nowMs
    live.progressMs = nowMs
  }

  remove(id: string): void {
    const live = this.live.get(id)
    if (live === undefined) return
    this.live.delete(id)
    const unit = this.units.get(live.task.unit)
    unit?.delete(live)
    if (unit?.size === 0) this.units.delete(live.task.unit)
  }

  /** For the answer to a heartbeat: again and again, until the datanode speaks of the task. */
  commandsFor(datanode: DatanodeId, view: ClusterView): readonly DatanodeCommand[] {
    const known = view.nodes.get(datanode)?.live?.tasks
    const commands: DatanodeCommand[] = []
    for (const { task, recorded, outcome } of this.live.values()) {
      if (task.at !== datanode || !recorded || outcome !== undefined || task.command === undefined) continue
      if (known?.has(task.id) !== true) commands.push(task.command)
    }
    return commands
  }

  /** Those that have ended by what their datanodes say, or do not say. They stay until they are removed. */
  ended(view: ClusterView): readonly TaskOutcome[] {
    const outcomes: TaskOutcome[] = []
    for (const live of this.live.values()) {
      if (!live.recorded) continue
      live.outcome ??= this.outcomeOf(live, view)
      if (live.outcome !== undefined) outcomes.push(live.outcome)
    }
    return outcomes
  }

  /** What tasks take of a datanode. Reserved bytes are those that are not written yet. */
  loadOf(): ReadonlyMap<DatanodeId, Pick<NodeFacts, 'incoming' | 'outgoing' | 'reservedBytes'>> {
    const loads = new Map<DatanodeId, { incoming: number; outgoing: number; reservedBytes: number }>()
    const at = (id: DatanodeId) => {
      const load = loads.get(id) ?? { incoming: 0, outgoing: 0, reservedBytes: 0 }
      loads.set(id, load)
      return load
    }
    for (const { task, doneBytes } of this.live.values()) {
      for (const target of task.targets) {
        const load = at(target)
        load.incoming += 1
        load.reservedBytes += Math.max(0, task.bytes - doneBytes / task.targets.length)
      }
      for (const source of new Set(task.sources)) at(source).outgoing += 1
    }
    return loads
  }

  private outcomeOf(live: Live, view: ClusterView): TaskOutcome | undefined {
    const { task } = live
    const failed = (message: string): TaskOutcome => ({ task, kind: 'failed', message })
    const node = view.nodes.get(task.at)
    if (node === undefined || node.health === 'DEAD') return failed(`datanode ${task.at} is dead`)
    const left = task.targets.find((id) => !mayReceive(id, view))
    if (left !== undefined) return failed(`datanode ${left} takes no more copies`)
    const report = node.live?.tasks.get(task.id)
    if (report?.state === 'failed') return failed(report.message ?? 'it failed')
    if (report?.state === 'done') return { task, kind: 'done', encoding: report.encoding }
    if (report !== undefined) {
      live.heardMs = view.nowMs
      if (report.doneBytes > live.doneBytes) live.progressMs = view.nowMs
      live.doneBytes = Math.max(live.doneBytes, report.doneBytes)
    }
    if (view.nowMs - live.heardMs >= this.limits.silenceMs) return failed(`datanode ${task.at} does not speak of it`)
    if (view.nowMs - live.progressMs >= this.limits.stallMs) return failed('it makes no progress')
    return undefined
  }
}

/** A copy to a datanode that is suspected goes on; one to a datanode that is taken away would be for nothing. */
function mayReceive(id: DatanodeId, view: ClusterView): boolean {
  const node = view.nodes.get(id)
  if (node === undefined) return false
  const worth = worthOf({ operational: node.row.operational, health: node.health })
  return worth === 'solid' || worth === 'suspect'
}
