/** What a leader remembers of a container beyond rows and reports: failures, patience, moves. Gone with its term. */

import type { ContainerId, DatanodeId, ReplicationReport } from '../../api/api.ts'
import { backoffMs } from '../../core/planners/repair-queue.ts'
import type { RepairPlan } from '../../core/planners/replication-plan.ts'
import type { RepairTask } from '../../core/planners/repair-tasks.ts'
import type { ReplicationConfig } from './replication-config.ts'

const mostShown = 10

interface Failures {
  count: number
  readyMs: number
  readonly avoidUntilMs: Map<DatanodeId, number>
}

/** Bounded by the containers that failed or wait; a container that goes is dropped. */
export class UnitMemory {
  private readonly config: ReplicationConfig
  private readonly failures = new Map<ContainerId, Failures>()
  /** When a replica was first waited for: `unit datanode`. */
  private readonly waiting = new Map<ContainerId, Map<DatanodeId, number>>()
  private readonly blocked = new Map<ContainerId, number>()
  private readonly whyBlocked = new Map<ContainerId, string>()
  private readonly moved = new Map<ContainerId, DatanodeId>()
  private readonly declined = new Map<ContainerId, number>()
  private readonly recording = new Set<string>()
  private readonly doneMs = new Map<string, number>()

  constructor(config: ReplicationConfig) {
    this.config = config
  }

  failed(task: RepairTask, nowMs: number): void {
    const found = this.failures.get(task.unit) ?? { count: 0, readyMs: 0, avoidUntilMs: new Map<DatanodeId, number>() }
    found.count += 1
    const limits = { firstMs: this.config.firstBackoffMs, mostMs: this.config.mostBackoffMs }
    found.readyMs = nowMs + backoffMs(found.count, limits)
    for (const target of task.targets) found.avoidUntilMs.set(target, nowMs + this.config.avoidMs)
    this.failures.set(task.unit, found)
  }

  succeeded(unit: ContainerId): void {
    this.failures.delete(unit)
    this.blocked.delete(unit)
  }

  /** Its shards are new: what was found of the old ones says nothing of them. */
  encoded(unit: ContainerId): void {
    this.succeeded(unit)
    this.declined.delete(unit)
  }

  /** Not to be tried before. */
  readyMs(unit: ContainerId): number {
    return this.failures.get(unit)?.readyMs ?? -Infinity
  }

  avoided(unit: ContainerId, nowMs: number): readonly DatanodeId[] {
    const until = this.failures.get(unit)?.avoidUntilMs ?? new Map<DatanodeId, number>()
    return [...until].flatMap(([datanode, untilMs]) => (untilMs > nowMs ? [datanode] : []))
  }

  /** When to look again at one for which nothing can be done now; later each time. */
  blockedUntilMs(unit: ContainerId, nowMs: number): number {
    const count = (this.blocked.get(unit) ?? 0) + 1
    this.blocked.set(unit, count)
    return nowMs + backoffMs(count, { firstMs: this.config.firstBackoffMs, mostMs: this.config.mostBackoffMs })
  }

  /** That others have enough to do is no reason: it passes. */
  noteWhyBlocked(unit: ContainerId, blocked: RepairPlan['blocked']): void {
    if (blocked === undefined || blocked.refusal === 'busy') this.whyBlocked.delete(unit)
    else this.whyBlocked.set(unit, blocked.message)
  }

  /** How many wait for something that does not come by itself, and of a few why. */
  blockedReport(): NonNullable<ReplicationReport['blocked']> {
    const sample = [...this.whyBlocked].slice(0, mostShown).map(([container, why]) => ({ container, why }))
    return { containers: this.whyBlocked.size, sample }
  }

  noteWaiting(unit: ContainerId, datanode: DatanodeId, nowMs: number): void {
    const known = this.waiting.get(unit)
    if (known === undefined) this.waiting.set(unit, new Map([[datanode, nowMs]]))
    else if (!known.has(datanode)) known.set(datanode, nowMs)
  }

  isImpatient(unit: ContainerId, datanode: DatanodeId, nowMs: number): boolean {
    const sinceMs = this.waiting.get(unit)?.get(datanode)
    return sinceMs !== undefined && nowMs - sinceMs >= this.config.patienceMs
  }

  /** With so many deleted blocks its datanode did not find an encoding worth it. */
  noteDeclined(unit: ContainerId, deletedBlocks: number): void {
    this.declined.set(unit, deletedBlocks)
  }

  declinedAt(unit: ContainerId): number | undefined {
    return this.declined.get(unit)
  }

  noteMoved(container: ContainerId, from: DatanodeId): void {
    this.moved.set(container, from)
  }

  movedFrom(container: ContainerId): DatanodeId | undefined {
    return this.moved.get(container)
  }

  forgetMoved(container: ContainerId): void {
    this.moved.delete(container)
  }

  /** Between a task and its row there is a log: what the row says in that time is of before. */
  noteRecording(task: string): void {
    this.recording.add(task)
  }

  noteRecorded(task: string): void {
    this.recording.delete(task)
  }

  isRecording(task: string): boolean {
    return this.recording.has(task)
  }

  /** For a task that is called done: whether its replica should have been reported by now. */
  isOverdue(task: string, nowMs: number): boolean {
    const sinceMs = this.doneMs.get(task)
    if (sinceMs === undefined) this.doneMs.set(task, nowMs)
    return sinceMs !== undefined && nowMs - sinceMs >= this.config.landingMs
  }

  forgetTask(task: string): void {
    this.recording.delete(task)
    this.doneMs.delete(task)
  }

  /** It is well again. */
  settled(unit: ContainerId): void {
    this.waiting.delete(unit)
    this.blocked.delete(unit)
    this.whyBlocked.delete(unit)
  }

  drop(unit: ContainerId): void {
    this.failures.delete(unit)
    this.waiting.delete(unit)
    this.blocked.delete(unit)
    this.whyBlocked.delete(unit)
    this.moved.delete(unit)
    this.declined.delete(unit)
  }
}
