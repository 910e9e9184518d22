/** Sees to it that containers go where their reports lead them. */

import { isStoreError } from '@o3/common/errors'
import type { ContainerId, DatanodeCommand, DatanodeId } from '../api/api.ts'
import { planContainer, planUnknown } from '../core/life/container-life.ts'
import { isReconcile } from '../core/life/plan.ts'
import type { Due } from '../core/life/plan.ts'
import { ReconcileTasks } from './reconcile-tasks.ts'
import type { TermParts, TermWorker } from './term-worker.ts'

/** Planned in one round at most, at some 10 µs each: a round holds up whatever else this member does. */
const urgentPerRound = 1_000
const othersPerRound = 500
/** Time alone makes these due; so often they are looked at. */
const sweepMs = 1_000

/**
 * Plans each container again when something about it has changed, and not before: with a hundred thousand of them most do
 * nothing for days. What datanodes are to do is kept by datanode until a plan says otherwise.
 */
export class ContainerKeeper implements TermWorker {
  private readonly parts: TermParts
  private readonly tasks: ReconcileTasks
  /** What datanodes have said, or this leader has done: planned with the heartbeat that brought it. */
  private readonly urgent = new Set<ContainerId>()
  /** The beginning of the term, or a datanode that came or went: thousands at once, done little by little. */
  private readonly others = new Set<ContainerId>()
  private readonly busy = new Set<ContainerId>()
  private readonly due = new Map<DatanodeId, Map<ContainerId, readonly Due[]>>()
  private readonly dueAt = new Map<ContainerId, readonly DatanodeId[]>()
  private sweptMs = -Infinity

  constructor(parts: TermParts, reported: Iterable<ContainerId>) {
    this.parts = parts
    this.tasks = new ReconcileTasks(parts.cluster, parts.config)
    for (const id of parts.cluster.containerIds()) this.others.add(id)
    for (const id of reported) this.others.add(id)
    parts.cluster.subscribe((event) => {
      if (event.kind === 'container') this.urgent.add(event.container)
      else if (event.kind === 'node') this.noteNode(event.datanode)
      else for (const id of parts.cluster.containersOf(event.pipeline)) this.urgent.add(id)
    })
  }

  async round(): Promise<void> {
    this.sweep()
    for (;;) {
      const batch = [...take(this.urgent, urgentPerRound), ...take(this.others, othersPerRound)]
      const turns = await Promise.all(batch.map((id) => this.advance(id)))
      // What a change has led to is planned at once; the rest can wait for the next heartbeat.
      if (this.urgent.size === 0 || batch.length >= urgentPerRound || !turns.includes('taken')) return
    }
  }

  commandsFor(datanode: DatanodeId): readonly DatanodeCommand[] {
    const mine = this.due.get(datanode)
    if (mine === undefined) return []
    const commands: DatanodeCommand[] = []
    let wantsReport = false
    const line = [...mine]
    for (const [container, due] of line) {
      if (commands.length >= this.parts.config.commandsPerHeartbeat) break
      for (const { command } of due) {
        if (command.kind === 'full-report') wantsReport = true
        else commands.push(isReconcile(command) ? this.tasks.commandOf(datanode, command) : command)
      }
      // To the end of the line: those that take long do not stand before the others.
      mine.delete(container)
      mine.set(container, due)
    }
    return wantsReport ? [...commands, { kind: 'full-report' }] : commands
  }

  /** What only time changes: pipelines without a majority, deletions that wait for their container to be closed. */
  private sweep(): void {
    const { cluster, config } = this.parts
    if (cluster.nowMs - this.sweptMs < sweepMs) return
    this.sweptMs = cluster.nowMs
    for (const { id, minoritySinceMs } of cluster.pipelines.values()) {
      if (minoritySinceMs === undefined || cluster.nowMs - minoritySinceMs < config.aloneAfterMs) continue
      for (const container of cluster.containersOf(id)) this.urgent.add(container)
    }
    for (const replication of cluster.openReplications()) {
      for (const id of cluster.openContainers(replication).keys()) {
        if (cluster.pending.countOf(id) > 0) this.urgent.add(id)
      }
    }
  }

  private async advance(id: ContainerId): Promise<'taken' | 'busy'> {
    if (this.busy.has(id)) {
      this.urgent.add(id)
      return 'busy'
    }
    this.busy.add(id)
    try {
      await this.follow(id)
      return 'taken'
    } finally {
      this.busy.delete(id)
    }
  }

  private async follow(id: ContainerId): Promise<void> {
    const { cluster, config } = this.parts
    const container = cluster.container(id)
    if (container === undefined) return this.setDue(id, planUnknown(id, cluster))
    const { change, due } = planContainer(container, cluster, config)
    this.setDue(id, due)
    if (change === undefined) return
    try {
      await cluster.execute(change)
      this.noteChange(change)
    } catch (error) {
      // Somebody was faster, or there is too much to do: its row is looked at again, with the next round.
      if (!isStoreError(error, 'ConcurrentChange', 'ContainerNotFound', 'Busy', 'OutOfSpace')) throw error
      await cluster.refreshContainer(id)
      this.others.add(id)
    }
  }

  private noteChange(change: Parameters<TermParts['cluster']['execute']>[0]): void {
    const { log } = this.parts
    if (change.kind === 'transition-container')
      log.info({ container: change.container, state: change.to }, 'container changed state')
    if (change.kind === 'set-replicas')
      log.info({ container: change.container, ...change.becomes }, 'container has other replicas')
  }

  private noteNode(datanode: DatanodeId): void {
    const { cluster } = this.parts
    for (const id of cluster.containersOn(datanode)) this.others.add(id)
    for (const id of cluster.containersAwaiting(datanode)) this.others.add(id)
  }

  private setDue(id: ContainerId, due: readonly Due[]): void {
    for (const datanode of this.dueAt.get(id) ?? []) {
      if (!due.some((each) => each.datanode === datanode && isReconcile(each.command))) this.tasks.forget(datanode, id)
      const at = this.due.get(datanode)
      at?.delete(id)
      if (at?.size === 0) this.due.delete(datanode)
    }
    if (due.length === 0) {
      this.dueAt.delete(id)
      return
    }
    const byNode = Map.groupBy(due, ({ datanode }) => datanode)
    this.dueAt.set(id, [...byNode.keys()])
    for (const [datanode, mine] of byNode) {
      const at = this.due.get(datanode)
      if (at === undefined) this.due.set(datanode, new Map([[id, mine]]))
      else at.set(id, mine)
    }
  }
}

function take<T>(from: Set<T>, most: number): readonly T[] {
  const taken: T[] = []
  for (const each of from) {
    if (taken.length >= most) break
    taken.push(each)
  }
  for (const each of taken) from.delete(each)
  return taken
}
