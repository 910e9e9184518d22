/**
 * Keeps containers replicated, for the leader of one term: judges what events have touched, begins what is most urgent, follows
 * the tasks, and writes into the rows where replicas are being made and which do not count any more.
 *
 * What a container does by itself (opening, closing, agreeing, taking in what has arrived, deleting what no row names) is decided in
 * `core/life`. Here is how many replicas there are, and where.
 */

import { isStoreError } from '@o3/common/errors'
import type { Clock, Random } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { BalancerStatus, ContainerId, DatanodeCommand, DatanodeId, ReplicationReport } from '../../api/api.ts'
import type { ClusterContainer, ClusterEvent, ClusterView } from '../../core/cluster-view.ts'
import type { ScmCommand, ScmReply } from '../../core/command.ts'
import { planGroupRepair } from '../../core/planners/erasure-plan.ts'
import type { HealthCount } from '../../core/planners/health-report.ts'
import { RepairQueue, urgencyOf } from '../../core/planners/repair-queue.ts'
import type { RepairTask, RepairTasks } from '../../core/planners/repair-tasks.ts'
import { planBookkeeping, planRepair } from '../../core/planners/replication-plan.ts'
import type { PlanContext, RepairAction, RepairPlan } from '../../core/planners/replication-plan.ts'
import type { Omission, OmissionBounds } from '../../core/recorded-deletions.ts'
import type { Topology } from '../../core/planners/topology.ts'
import { topologyOfView, unitOf } from '../../core/planners/view-facts.ts'
import { Balancer } from './balancer.ts'
import { Departures } from './departures.ts'
import { EncodingTasks } from './encoding-tasks.ts'
import { Encodings } from './encodings.ts'
import { Judgements } from './judgements.ts'
import type { Judged } from './judgements.ts'
import type { ReplicationConfig } from './replication-config.ts'
import { RowChanges } from './row-changes.ts'
import { TaskCommands } from './task-commands.ts'
import { TaskKeeper } from './task-keeper.ts'
import { UnitMemory } from './unit-memory.ts'

export interface ReplicationManagerParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly random: Pick<Random, 'fraction'>
  readonly log: Logger
  readonly config: ReplicationConfig
  /** Of the term. Names of tasks carry it, so that no two leaders' tasks are taken for one another. */
  readonly term: number
  /** As it is now. */
  view(): ClusterView
  /** In the name of this term: `NotLeader` once it is over. */
  readonly execute: (command: ScmCommand) => Promise<ScmReply>
  /** Of the recorded deletions of an encoded container the first ones: see `OmissionBuilder`. */
  readonly omission: (container: ContainerId, bounds: OmissionBounds) => Promise<Omission | undefined>
}

/**
 * One per term, made when its leader has read the rows; `round` is called again and again once repairs are allowed (safemode), and
 * soon after something has happened. Rounds do not overlap.
 */
export class ReplicationManager {
  private readonly parts: ReplicationManagerParts
  private readonly tasks: RepairTasks
  private readonly commands: TaskCommands
  private readonly queue = new RepairQueue()
  private readonly keeper: TaskKeeper
  private readonly rows: RowChanges
  private readonly memory: UnitMemory
  private readonly judgements: Judgements
  private readonly balancer: Balancer
  private readonly departures: Departures
  private readonly encodings: Encodings
  private readonly encodingTasks: EncodingTasks
  /** Units to judge anew. */
  private readonly dirty = new Set<ContainerId>()
  /** Units that waited for a task of another one to end. */
  private readonly parked = new Set<ContainerId>()
  private racks = -1
  private current: Promise<void> | undefined

  constructor(parts: ReplicationManagerParts) {
    this.parts = parts
    const { config } = parts
    this.commands = new TaskCommands(parts.term)
    this.memory = new UnitMemory(config)
    this.rows = new RowChanges(parts.execute, (unit) => this.dirty.add(unit))
    this.judgements = new Judgements((unit) => this.memory.movedFrom(unit))
    this.balancer = new Balancer(config.balance)
    this.departures = new Departures(parts.log)
    this.encodings = new Encodings(config)
    const { encodings, rows, commands } = this
    this.encodingTasks = new EncodingTasks({ encodings, rows, commands, config, omission: parts.omission })
    this.keeper = new TaskKeeper({
      ...parts,
      rows: this.rows,
      memory: this.memory,
      ended: (task) => this.noteEnded(task),
      copied: (source, bytes) => this.departures.noteCopied(source, bytes),
    })
    this.tasks = this.keeper.tasks
    const view = parts.view()
    for (const id of view.containerIds()) this.dirty.add(unitOf(id, view.container(id)?.row))
  }

  /** Something may have changed. Cheap: it is looked at in the next round. */
  notice(event: ClusterEvent): void {
    const view = this.parts.view()
    switch (event.kind) {
      case 'container':
        this.dirty.add(unitOf(event.container, view.container(event.container)?.row))
        return
      case 'node':
        for (const id of view.containersOn(event.datanode)) this.dirty.add(unitOf(id, view.container(id)?.row))
        return
      case 'pipeline':
        return
    }
  }

  /** For the answer to a heartbeat of this datanode. */
  commandsFor(datanode: DatanodeId): readonly DatanodeCommand[] {
    return this.tasks.commandsFor(datanode, this.parts.view())
  }

  /** Rejects with nothing but bugs and a store that has failed; a term that is over ends the round. */
  round(): Promise<void> {
    this.current ??= this.runRound().finally(() => {
      this.current = undefined
    })
    return this.current
  }

  blocked(): NonNullable<ReplicationReport['blocked']> {
    return this.memory.blockedReport()
  }

  healths(): readonly HealthCount[] {
    return this.judgements.tally.report()
  }

  /** Nothing waits to be judged: what the other doors say is up to date. */
  get isSettled(): boolean {
    return this.dirty.size === 0
  }

  /** Tasks under way, for people and for checks. */
  underWay(): readonly RepairTask[] {
    return this.tasks.all()
  }

  progressOf(datanode: DatanodeId): ReturnType<Departures['progressOf']> {
    return this.departures.progressOf(datanode)
  }

  /** Why an administrator should not take it out of service; undefined when nothing speaks against it. */
  whyNotLeave(datanode: DatanodeId, to: 'DECOMMISSIONED' | 'IN_MAINTENANCE'): string | undefined {
    const view = this.parts.view()
    return this.departures.whyNotLeave({ datanode, to }, view, topologyOfView(view, this.tasks))
  }

  setBalancer(to: 'on' | 'off'): void {
    this.balancer.set(to)
  }

  balancerStatus(): BalancerStatus {
    return this.balancer.status(this.tasks)
  }

  // ------------------------------------------------------------------------------------------------------- a round

  private async runRound(): Promise<void> {
    try {
      await this.keeper.end(this.parts.view())
      await this.judgeDirty()
      await this.repair()
      await this.encode()
      await this.balance()
      await this.depart()
    } catch (error) {
      // The next leader begins anew; what is half done is in the rows.
      if (!isStoreError(error, 'NotLeader', 'OutcomeUnknown')) throw error
    }
  }

  /** What waited for a task to end may go on. */
  private noteEnded(task: RepairTask): void {
    this.dirty.add(task.unit)
    for (const unit of this.parked) this.dirty.add(unit)
    this.parked.clear()
  }

  // ------------------------------------------------------------------------------------------------------- judging

  private async judgeDirty(): Promise<void> {
    const view = this.parts.view()
    const topology = topologyOfView(view, this.tasks)
    // What is well spread depends on how many racks there are.
    if (topology.racks !== this.racks && this.racks >= 0) {
      for (const id of view.containerIds()) this.dirty.add(unitOf(id, view.container(id)?.row))
    }
    this.racks = topology.racks
    for (const datanode of this.departures.begin(view)) {
      for (const id of view.containersOn(datanode)) this.dirty.add(unitOf(id, view.container(id)?.row))
    }
    let judged = 0
    for (const unit of this.dirty) {
      if (judged === this.parts.config.maxJudged) break
      judged += 1
      this.dirty.delete(unit)
      await this.judge(unit, view, topology)
    }
    if (judged < this.parts.config.maxJudged) this.departures.noteJudged()
  }

  private async judge(unit: ContainerId, view: ClusterView, topology: Topology): Promise<void> {
    const judged = this.judgements.judge(unit, view, topology)
    this.departures.note(unit, judged, view)
    this.encodings.note(unit, judged, { view, memory: this.memory, now: this.parts.clock.monotonicMs() })
    this.inherit(unit, view)
    if (judged === undefined) {
      this.queue.withdraw(unit)
      this.memory.drop(unit)
      return
    }
    if (judged.kind === 'container') await this.keepBooks(judged, view, topology)
    if (judged.kind === 'group') await this.keepBooksOfShards(judged, view)
    if (isNothingToDo(judged)) {
      this.memory.settled(unit)
      this.queue.withdraw(unit)
      return
    }
    const sinceMs = this.parts.clock.monotonicMs()
    this.queue.offer(unit, { urgency: urgencyOf(judged.found), sinceMs }, this.memory.readyMs(unit))
  }

  /** A copy that another leader began: it is waited for like our own, and taken back when nobody hears of it. */
  private inherit(unit: ContainerId, view: ClusterView): void {
    const tasks = this.tasks.ofUnit(unit)
    const known = new Set(tasks.flatMap((task) => task.targets.map((target) => `${task.container} ${target}`)))
    for (const id of this.judgements.membersOf(unit, view)) {
      const container = view.container(id)
      for (const target of container?.row.incoming ?? []) {
        if (container === undefined || known.has(`${id} ${target}`)) continue
        this.keeper.inherit(this.commands.inherited({ unit, container, target }, view))
      }
    }
  }

  /** The dead are forgotten here; what is adopted, and what a datanode has lost, follow from its life. */
  private async keepBooks(
    judged: Extract<Judged, { kind: 'container' }>,
    view: ClusterView,
    topology: Topology,
  ): Promise<void> {
    const container = view.container(judged.unit)
    if (container === undefined) return
    const forgotten = planBookkeeping(judged.facts, judged.found, topology)
      .filter(({ kind, datanode }) => kind === 'forget' && view.nodes.get(datanode)?.health === 'DEAD')
      .map(({ datanode }) => datanode)
    if (forgotten.length > 0) await this.withoutReplicas(container, forgotten, judged.unit)
  }

  private async keepBooksOfShards(judged: Extract<Judged, { kind: 'group' }>, view: ClusterView): Promise<void> {
    for (const [index, shard] of judged.facts.shards.entries()) {
      if (judged.found.shards[index]?.worth !== 'solid') continue
      const container = view.container(shard.container)
      const dead = shard.replicas.filter(({ datanode }) => isGone(datanode, view)).map(({ datanode }) => datanode)
      if (container !== undefined && dead.length > 0) await this.withoutReplicas(container, dead, judged.unit)
    }
  }

  // ----------------------------------------------------------------------------------------------------- repairing

  private async repair(): Promise<void> {
    const { clock, config } = this.parts
    const view = this.parts.view()
    const begun: Promise<void>[] = []
    for (let looked = 0; looked < 4 * config.maxBegun && begun.length < config.maxBegun; looked++) {
      const now = clock.monotonicMs()
      if (!this.keeper.admits()) break
      const unit = this.queue.take(now)
      if (unit === undefined) break
      begun.push(...this.repairUnit(unit, view, now))
    }
    await Promise.all(begun)
  }

  private repairUnit(unit: ContainerId, view: ClusterView, now: number): readonly Promise<void>[] {
    const topology = topologyOfView(view, this.tasks)
    const judged = this.judgements.judge(unit, view, topology)
    if (judged === undefined || isNothingToDo(judged)) return []
    const plan = this.planOf(judged, topology, now)
    const started = this.begin(plan.actions, judged, view, now)
    this.memory.noteWhyBlocked(unit, started.length > 0 ? undefined : plan.blocked)
    if (started.length > 0) return started
    const rank = { urgency: urgencyOf(judged.found), sinceMs: now }
    if (plan.blocked?.refusal === 'busy') this.parked.add(unit)
    // Also where nothing better is known: places, and what is avoided, change without an event.
    else if (this.tasks.ofUnit(unit).length === 0) {
      this.queue.offer(unit, rank, this.memory.blockedUntilMs(unit, now))
    }
    return []
  }

  private planOf(judged: Judged, topology: Topology, now: number): RepairPlan {
    const { config, random } = this.parts
    const context: PlanContext = {
      topology,
      limits: config,
      draw: () => random.fraction(),
      avoid: this.memory.avoided(judged.unit, now),
    }
    if (judged.kind === 'group') return planGroupRepair(judged.facts, judged.found, context)
    const plan = planRepair(judged.facts, judged.found, context)
    const waiting = plan.actions.flatMap((action) => (action.kind === 'reconcile' ? [action.datanode] : []))
    const overdue = waiting.filter((datanode) => this.memory.isImpatient(judged.unit, datanode, now))
    if (overdue.length === 0) return plan
    const avoid = [...(context.avoid ?? []), ...overdue]
    return planRepair(judged.facts, judged.found, { ...context, avoid })
  }

  /** One change of a row for all that is planned for it. */
  private begin(actions: readonly RepairAction[], judged: Judged, view: ClusterView, now: number): Promise<void>[] {
    const made = new Map<ContainerId, RepairTask[]>()
    const gone = new Map<ContainerId, DatanodeId[]>()
    for (const action of actions) {
      const id = this.judgements.memberOf(judged, action)
      const container = view.container(id)
      if (container === undefined) continue
      switch (action.kind) {
        case 'copy':
        case 'reconstruct':
          made.set(id, [...(made.get(id) ?? []), this.commands.forRepair(action, judged, container, view)])
          break
        case 'delete':
          gone.set(id, [...(gone.get(id) ?? []), action.datanode])
          break
        case 'reconcile':
          // Its life asks for it; here it is only waited for, for a while.
          this.memory.noteWaiting(judged.unit, action.datanode, now)
          break
      }
    }
    const { unit } = judged
    return [
      ...[...made].map(([id, tasks]) => this.keeper.begin(tasks, view.container(id))),
      ...[...gone].map(([id, replicas]) => this.withoutReplicas(view.container(id), replicas, unit)),
    ]
  }

  private async withoutReplicas(
    container: ClusterContainer | undefined,
    gone: readonly DatanodeId[],
    unit: ContainerId,
  ): Promise<void> {
    const isDone = await this.rows.giveUp(container, gone, unit)
    if (!isDone || container === undefined) return
    const moved = this.memory.movedFrom(container.id)
    if (moved !== undefined && gone.includes(moved)) this.memory.forgetMoved(container.id)
  }

  // ------------------------------------------------------------------------------------- encoding, balance, departures

  private async encode(): Promise<void> {
    const { clock, config, random } = this.parts
    const view = this.parts.view()
    const now = clock.monotonicMs()
    const topology = topologyOfView(view, this.tasks)
    if (!this.keeper.admits()) return
    const context = { topology, limits: config, draw: () => random.fraction() }
    const round = { view, now, tasks: this.tasks, judgements: this.judgements, memory: this.memory }
    const task = await this.encodingTasks.next(round, context)
    if (task !== undefined) this.keeper.beginRecorded(task)
  }

  private async balance(): Promise<void> {
    const now = this.parts.clock.monotonicMs()
    const view = this.parts.view()
    // Repairs go first: what they wait for is what moves would take.
    if (this.parked.size > 0 || !this.keeper.admits()) return
    const topology = topologyOfView(view, this.tasks)
    const { tasks, judgements, memory } = this
    const moves = this.balancer.next({ topology, view, now, tasks, judgements, memory })
    await Promise.all(
      moves.map(async (move) => {
        const container = view.container(move.container)
        if (container === undefined) return
        const unit = unitOf(move.container, container.row)
        await this.keeper.begin([this.commands.forMove(move, unit, container, view)], container)
      }),
    )
  }

  private async depart(): Promise<void> {
    const view = this.parts.view()
    let unjudged: ReadonlySet<DatanodeId> | 'any' | undefined
    const isUnjudged = (datanode: DatanodeId): boolean => {
      unjudged ??= this.unjudged(view)
      return unjudged === 'any' || unjudged.has(datanode)
    }
    for (const { datanode, to } of this.departures.due(view, this.parts.clock.monotonicMs(), isUnjudged)) {
      try {
        await this.parts.execute({ kind: 'set-operational', datanode, to, untilMs: undefined })
      } catch (error) {
        // An administrator has changed his mind in the same moment.
        if (!isStoreError(error, 'ConcurrentChange')) throw error
      }
    }
  }

  /** The datanodes of what is still to be judged. While there is more than a round takes, it may be any. */
  private unjudged(view: ClusterView): ReadonlySet<DatanodeId> | 'any' {
    if (this.dirty.size > this.parts.config.maxJudged) return 'any'
    const found = new Set<DatanodeId>()
    for (const unit of this.dirty) {
      for (const id of this.judgements.membersOf(unit, view)) {
        for (const datanode of view.container(id)?.row.datanodes ?? []) found.add(datanode)
      }
    }
    return found
  }
}

/** Or nothing that could be done: what is missing comes back with its datanode, or not at all. */
function isNothingToDo({ found }: Judged): boolean {
  return found.health === 'HEALTHY' || found.health === 'MISSING'
}

function isGone(datanode: DatanodeId, view: ClusterView): boolean {
  return view.nodes.get(datanode)?.health === 'DEAD'
}
