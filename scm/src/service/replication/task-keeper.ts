import type { Clock } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { DatanodeId, EncodingReport } from '../../api/api.ts'
import type { ClusterContainer, ClusterView } from '../../core/cluster-view.ts'
import { ByteBudget } from '../../core/planners/byte-budget.ts'
import { RepairTasks } from '../../core/planners/repair-tasks.ts'
import type { RepairTask, TaskOutcome } from '../../core/planners/repair-tasks.ts'
import type { ReplicationConfig } from './replication-config.ts'
import type { RowChanges } from './row-changes.ts'
import type { UnitMemory } from './unit-memory.ts'

export interface TaskKeeperParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Logger
  readonly config: ReplicationConfig
  readonly rows: RowChanges
  readonly memory: UnitMemory
  /** A task is gone, well or not: there is room for others, and its unit is to be judged again. */
  ended(task: RepairTask): void
  /** What was read there has arrived elsewhere. */
  copied(source: DatanodeId, bytes: number): void
}

/** Begins and ends tasks, and has the rows say so: what they name as incoming is waited for by whoever leads. */
export class TaskKeeper {
  readonly tasks: RepairTasks
  private readonly parts: TaskKeeperParts
  private readonly budget: ByteBudget

  constructor(parts: TaskKeeperParts) {
    this.parts = parts
    this.tasks = new RepairTasks(parts.config)
    this.budget = new ByteBudget(parts.config)
  }

  /** Whether the cluster bears another task now. */
  admits(): boolean {
    return this.tasks.size < this.parts.config.maxTasks && this.budget.admits(this.parts.clock.monotonicMs())
  }

  /** All of one container. They are asked for once the row names their targets. */
  async begin(tasks: readonly RepairTask[], container: ClusterContainer | undefined): Promise<void> {
    const [first] = tasks
    if (first === undefined || container === undefined) return
    const { memory, rows, clock } = this.parts
    for (const task of tasks) {
      this.add(task)
      memory.noteRecording(task.id)
    }
    let isRecorded = false
    try {
      const targets = tasks.flatMap((task) => task.targets)
      isRecorded = await rows.expect(container, targets, first.unit)
    } finally {
      for (const task of tasks) {
        memory.noteRecorded(task.id)
        if (isRecorded) this.tasks.recorded(task.id, clock.monotonicMs())
        else this.forget(task)
      }
    }
  }

  /** One that the rows name already. */
  beginRecorded(task: RepairTask): void {
    this.add(task)
    this.tasks.recorded(task.id, this.parts.clock.monotonicMs())
  }

  /** One that another leader began: it takes nothing of the budget of this one. */
  inherit(task: RepairTask): void {
    this.tasks.add(task, this.parts.clock.monotonicMs())
  }

  /** First those whose targets have arrived, or were given up, by what the rows say; then by what datanodes say. */
  async end(view: ClusterView): Promise<void> {
    for (const task of this.tasks.all()) {
      if (task.kind === 'encode' || this.parts.memory.isRecording(task.id)) continue
      const row = view.container(task.container)?.row
      const waits = task.targets.some((target) => row?.incoming.includes(target) === true)
      if (!waits) this.arrived(task, row?.datanodes ?? [])
    }
    for (const outcome of this.tasks.ended(view)) await this.endOne(outcome, view)
  }

  private add(task: RepairTask): void {
    this.tasks.add(task, this.parts.clock.monotonicMs())
    this.budget.charge(task.bytes * task.targets.length)
  }

  private arrived(task: RepairTask, holders: readonly DatanodeId[]): void {
    const { memory } = this.parts
    this.forget(task)
    if (!task.targets.every((target) => holders.includes(target))) return
    memory.succeeded(task.unit)
    if (task.movedFrom !== undefined) memory.noteMoved(task.container, task.movedFrom)
    for (const source of task.sources) this.parts.copied(source, task.bytes)
  }

  private async endOne(outcome: TaskOutcome, view: ClusterView): Promise<void> {
    const { memory, clock, rows, log } = this.parts
    const { task } = outcome
    const now = clock.monotonicMs()
    if (outcome.kind === 'done') {
      if (task.kind === 'encode' && (await this.endEncoding(task, outcome.encoding, view))) return
      // Reports follow; if they do not, what was made was lost in the last step.
      if (!memory.isOverdue(task.id, now)) return
    }
    const message = outcome.kind === 'failed' ? outcome.message : 'what it made is not reported'
    this.forget(task)
    memory.failed(task, now)
    log.warn({ task: task.id, container: task.container, datanode: task.at, message }, 'a task failed')
    const container = view.container(task.container)
    if (task.kind === 'encode') {
      await rows.execute({ kind: 'abandon-encoding', container: task.unit }, task.unit)
    } else if (container !== undefined) await rows.expectNoMore(container, task.targets, task.unit)
  }

  /** False while the rows of the shards do not say yet that they are closed. */
  private async endEncoding(task: RepairTask, said: EncodingReport | undefined, view: ClusterView): Promise<boolean> {
    const { memory, rows } = this.parts
    const { unit } = task
    const isMade = said === undefined || said.kind === 'encoded'
    if (isMade && !areShardsClosed(task, view)) return false
    this.forget(task)
    if (isMade) {
      memory.encoded(unit)
      await rows.execute({ kind: 'finish-encoding', container: unit, blocks: said?.blocks }, unit)
      return true
    }
    memory.succeeded(unit)
    // What was deleted since it was asked has not been declined.
    if (said.kind === 'declined') memory.noteDeclined(unit, task.deletedBlocks ?? 0)
    await rows.execute({ kind: 'abandon-encoding', container: unit }, unit)
    // Every block of it was deleted, and it takes no more.
    if (said.kind === 'nothing-left') {
      await rows.execute({ kind: 'transition-container', container: unit, to: 'DELETING' }, unit)
    }
    return true
  }

  private forget(task: RepairTask): void {
    this.tasks.remove(task.id)
    this.parts.memory.forgetTask(task.id)
    this.parts.ended(task)
  }
}

/** By their rows: then they may be read instead of the replicas. */
function areShardsClosed(task: RepairTask, view: ClusterView): boolean {
  const shards = view.container(task.unit)?.row.encoding?.shards ?? []
  return shards.length > 0 && shards.every((id) => view.container(id)?.row.state === 'CLOSED')
}
