/**
 * A cluster on virtual time: model datanodes, the real rows with the real plans of SCM's commands, the real life of containers,
 * the real replication manager. A step is a second, in which every datanode that is up sends its heartbeat.
 */

import { StoreError, assert } from '@o3/common/errors'
import { SimRandom } from '@o3/common/env/sim'
import { nullLogger } from '@o3/common/logger'
import type { PlanView, Table } from '@o3/ratis/api'
import type {
  ContainerId,
  ContainerReport,
  DatanodeCommand,
  DatanodeId,
  NodeOperationalState,
  PipelineId,
  ReplicationConfig,
} from '../../src/api/api.ts'
import { healthOf } from '../../src/core/cluster-view.ts'
import type { ClusterContainer, ClusterNode, ClusterView, NodeView } from '../../src/core/cluster-view.ts'
import type { ScmCommand, ScmReply } from '../../src/core/command.ts'
import { isReconcile } from '../../src/core/life/plan.ts'
import { planContainer } from '../../src/core/life/container-life.ts'
import { planScm } from '../../src/core/rules.ts'
import { OmissionBuilder, spentBlocks } from '../../src/core/recorded-deletions.ts'
import type { Omission, OmissionBounds, RecordedDeletion } from '../../src/core/recorded-deletions.ts'
import { containers, counters, encodedDeletions, nodes, untouched } from '../../src/core/tables.ts'
import type { ContainerRow, EncodedDeletionKey, NodeRow } from '../../src/core/tables.ts'
import { defaultReplicationConfig } from '../../src/service/replication/replication-config.ts'
import type { ReplicationConfig as Limits } from '../../src/service/replication/replication-config.ts'
import { ReplicationManager } from '../../src/service/replication/replication-manager.ts'
import { ModelNode } from './model-node.ts'

const health = { staleAfterMs: 4_000, deadAfterMs: 20_000 }
const lifeLimits = {
  containerBytes: 1024 ** 3,
  garbageShare: 0.5,
  garbageFloorBytes: 1024 ** 2,
  closeAfterDeletions: 100,
  closeAfterDeletionMs: 60_000,
  aloneAfterMs: 10_000,
}

/** Rows in memory, with the plan's own view of them. */
class MemoryRows implements PlanView {
  private readonly rows = new Map<string, unknown>()
  private readonly records = new Map<ContainerId, Map<number, RecordedDeletion>>()

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    return this.rows.get(table.prefix + table.encodeKey(key)) as Value | undefined
  }

  getMany<Key, Value>(table: Table<Key, Value>, keys: readonly Key[]): readonly (Value | undefined)[] {
    return keys.map((key) => this.get(table, key))
  }

  /** Of one container, in their order: nobody gets a lower number than another before. */
  recordsOf(container: ContainerId): readonly RecordedDeletion[] {
    return [...(this.records.get(container)?.values() ?? [])]
  }

  set<Key, Value>(table: Table<Key, Value>, key: Key, value: Value | undefined): void {
    const name = table.prefix + table.encodeKey(key)
    if (value === undefined) this.rows.delete(name)
    else this.rows.set(name, value)
    if (table.name === encodedDeletions.name) this.index(key as EncodedDeletionKey, value as RecordedDeletion['blocks'])
  }

  private index({ container, transaction }: EncodedDeletionKey, blocks: RecordedDeletion['blocks'] | undefined): void {
    const records = this.records.get(container) ?? new Map<number, RecordedDeletion>()
    this.records.set(container, records)
    if (blocks === undefined) records.delete(transaction)
    else records.set(transaction, { transaction, blocks })
  }
}

export interface ModelOptions {
  readonly seed: string
  readonly config?: Partial<Limits>
  /** A bug: what an encoding is told to leave out is not what its rows claim. */
  readonly omission?: ((found: Omission) => Omission) | undefined
}

export class ModelCluster {
  readonly random: SimRandom
  readonly datanodes = new Map<DatanodeId, ModelNode>()
  readonly config: Limits
  /** Chance that a task fails at its end. */
  failures = 0
  nowMs = 0
  manager: ReplicationManager
  readonly everEncoded = new Set<ContainerId>()
  /** Encodings out of older shards, by what became of them. */
  readonly anew = { encoded: 0, declined: 0, 'nothing-left': 0 }
  private term = 1
  private readonly rows = new MemoryRows()
  private readonly ids = new Set<ContainerId>()
  private readonly live = new Map<DatanodeId, NodeView>()
  private readonly healths = new Map<DatanodeId, string>()
  private readonly due = new Map<DatanodeId, DatanodeCommand[]>()
  /** Whose life is to be looked at. */
  private readonly touched = new Set<ContainerId>()
  private lastTask = 0
  private lastContainer = 0
  /** Blocks of encoded containers that somebody has deleted. */
  private readonly deleted = new Map<ContainerId, Set<number>>()
  private readonly plant: NonNullable<ModelOptions['omission']>

  constructor(options: ModelOptions) {
    this.random = new SimRandom(options.seed)
    this.config = { ...defaultReplicationConfig, ...options.config }
    this.plant = options.omission ?? ((found) => found)
    this.manager = this.newManager()
  }

  // -------------------------------------------------------------------------------------------------- setting up

  addNode(id: DatanodeId, options: { readonly rack: string; readonly capacityBytes: number }): ModelNode {
    const node = new ModelNode(id, options, {
      node: (other) => this.datanodes.get(other),
      deleting: (at, container) => this.checkDeletion(at, container),
      fails: () => this.random.chance(this.failures),
      encodedAnew: (kind) => void (this.anew[kind] += 1),
    })
    this.datanodes.set(id, node)
    const row: NodeRow = {
      address: `${id}:1`,
      rack: options.rack,
      operational: 'IN_SERVICE',
      maintenanceUntilMs: undefined,
      registeredMs: 0,
    }
    this.rows.set(nodes, id, row)
    return node
  }

  addContainer(id: ContainerId, replication: ReplicationConfig, at: readonly DatanodeId[], bytes: number): void {
    const row: ContainerRow = {
      ...untouched,
      state: 'CLOSED',
      replication,
      datanodes: at,
      origins: at,
      createdMs: 0,
      nextLocal: 11,
    }
    this.rows.set(containers, id, row)
    this.rows.set(counters, 'container', Math.max(id, this.rows.get(counters, 'container') ?? 0))
    this.lastContainer = Math.max(this.lastContainer, id)
    this.ids.add(id)
    for (const datanode of at) this.datanodes.get(datanode)?.replicas.set(id, { bytes, state: 'CLOSED', version: 0 })
  }

  // ------------------------------------------------------------------------------------------------------ running

  /** One second. */
  async step(): Promise<void> {
    this.nowMs += 1_000
    for (const node of this.datanodes.values()) node.step()
    for (const node of this.datanodes.values()) if (node.isUp) this.heartbeat(node)
    this.noteHealths()
    this.runLife()
    await this.manager.round()
    this.clearRecords()
    this.runLife()
  }

  /** Of an encoded container. */
  deleteEncoded(container: ContainerId, locals: readonly number[]): void {
    const deleted = this.deleted.get(container) ?? new Set<number>()
    this.deleted.set(container, deleted)
    for (const local of locals) deleted.add(local)
    const blocks = locals.map((firstLocal) => ({ container, firstLocal, count: 1 }))
    this.execute({ kind: 'delete-blocks', blocks })
  }

  deletedOf(container: ContainerId): ReadonlySet<number> {
    return this.deleted.get(container) ?? new Set<number>()
  }

  recordsOf(container: ContainerId): readonly RecordedDeletion[] {
    return this.rows.recordsOf(container)
  }

  newLeader(): void {
    this.term += 1
    this.due.clear()
    this.manager = this.newManager()
  }

  setOperational(datanode: DatanodeId, to: NodeOperationalState): void {
    this.execute({ kind: 'set-operational', datanode, to, untilMs: undefined })
  }

  operationalOf(datanode: DatanodeId): NodeOperationalState | undefined {
    return this.rows.get(nodes, datanode)?.operational
  }

  row(container: ContainerId): ContainerRow | undefined {
    return this.rows.get(containers, container)
  }

  allContainers(): readonly ContainerId[] {
    return [...this.ids]
  }

  private newManager(): ReplicationManager {
    return new ReplicationManager({
      clock: { monotonicMs: () => this.nowMs },
      random: this.random,
      log: nullLogger,
      config: this.config,
      term: this.term,
      view: () => this.view(),
      // A log takes its time: others act in between.
      execute: async (command) => {
        const reply = this.execute(command)
        await Promise.resolve()
        return reply
      },
      omission: async (container, bounds) => {
        const omission = this.omission(container, bounds)
        await Promise.resolve()
        return omission && this.plant(omission)
      },
    })
  }

  /** As the service's worker does it, some at a time. */
  private clearRecords(): void {
    for (const container of this.ids) {
      const row = this.row(container)
      if (row === undefined || spentBlocks(row) === 0) continue
      const transactions = this.recordsOf(container).map(({ transaction }) => transaction)
      this.execute({ kind: 'drop-records', container, transactions: transactions.slice(0, 3) })
    }
  }

  private omission(container: ContainerId, bounds: OmissionBounds) {
    const builder = new OmissionBuilder(bounds)
    this.recordsOf(container).every((record) => builder.add(record) === 'taken')
    return builder.finish()
  }

  private heartbeat(node: ModelNode): void {
    const before = this.live.get(node.id)
    const reports = new Map(node.reports().map((report) => [report.id, report]))
    this.live.set(node.id, {
      id: node.id,
      address: `${node.id}:1`,
      rack: node.rack,
      lastHeartbeatMs: this.nowMs,
      disks: node.disks(),
      containers: reports,
      pipelines: new Map(),
      tasks: new Map(node.tasks().map((task) => [task.task, task])),
    })
    for (const id of new Set([...reports.keys(), ...(before?.containers.keys() ?? [])])) {
      if (isSame(reports.get(id), before?.containers.get(id))) continue
      this.touched.add(id)
      this.manager.notice({ kind: 'container', container: id })
    }
    const due = this.due.get(node.id) ?? []
    this.due.delete(node.id)
    node.take([...due, ...this.manager.commandsFor(node.id)])
  }

  private noteHealths(): void {
    for (const [id, { health: now }] of this.view().nodes) {
      if (this.healths.get(id) === now) continue
      this.healths.set(id, now)
      this.manager.notice({ kind: 'node', datanode: id })
      for (const container of this.ids) this.touched.add(container)
    }
  }

  /** As the service does it: states follow reports, and commands are due until they are done. */
  private runLife(): void {
    const view = this.view()
    const again: ContainerId[] = []
    this.due.clear()
    for (const id of this.touched) {
      this.touched.delete(id)
      for (let n = 0; n < 5; n++) {
        const container = view.container(id)
        if (container === undefined) break
        const { change, due } = planContainer(container, view, lifeLimits)
        // Due until the reports say that it is done: looked at again in the next step.
        if (due.length > 0) again.push(id)
        for (const { datanode, command } of due) this.makeDue(datanode, command)
        if (change === undefined) break
        this.execute(change)
      }
    }
    for (const id of again) this.touched.add(id)
  }

  private makeDue(datanode: DatanodeId, command: ReturnType<typeof planContainer>['due'][number]['command']): void {
    const due = this.due.get(datanode) ?? []
    this.due.set(datanode, due)
    if (!isReconcile(command)) {
      due.push(command)
      return
    }
    const { kind, container, sources } = command
    this.lastTask += 1
    const places = sources.map((id) => ({ datanode: id, address: `${id}:1` }))
    due.push({ kind: `${kind}-container`, task: `life-${this.lastTask}`, container, sources: places })
  }

  private execute(command: ScmCommand): ScmReply {
    const stamp = { wallMs: this.nowMs, sequence: 1, nonce: '' }
    const decision = planScm(this.rows, command, stamp)
    if (decision.kind !== 'decision') throw new StoreError(decision.code, decision.message)
    for (const { table, key, value } of decision.changes) {
      this.rows.set(table, key, value)
      if (table.name === 'containers') this.noteContainer(key as ContainerId, value as ContainerRow | undefined)
      if (table.name === 'nodes') this.manager.notice({ kind: 'node', datanode: key as DatanodeId })
    }
    return decision.reply
  }

  private noteContainer(id: ContainerId, value: ContainerRow | undefined): void {
    if (value?.ec !== undefined) this.everEncoded.add(id)
    this.lastContainer = Math.max(this.lastContainer, id)
    if (value === undefined) this.ids.delete(id)
    else this.ids.add(id)
    this.touched.add(id)
    this.manager.notice({ kind: 'container', container: id })
  }

  // --------------------------------------------------------------------------------------------------------- view

  view(): ClusterView {
    const all = new Map<DatanodeId, ClusterNode>()
    for (const id of this.datanodes.keys()) {
      const row = this.rows.get(nodes, id)
      const live = this.live.get(id)
      if (row !== undefined) all.set(id, { id, row, health: healthOf(live, this.nowMs, health, 0), live })
    }
    const none = new Set<ContainerId>()
    return {
      nowMs: this.nowMs,
      wallMs: this.nowMs,
      nodes: all,
      pipelines: new Map(),
      container: (id) => this.containerOf(id),
      containerIds: () => this.ids,
      containersOn: (id) => this.containersOn(id),
      containersOf: (_pipeline: PipelineId) => none,
      lastContainer: this.lastContainer,
      lastPipeline: 0,
    }
  }

  private containerOf(id: ContainerId): ClusterContainer | undefined {
    const row = this.rows.get(containers, id)
    if (row === undefined) return undefined
    const reports = new Map(
      [...this.live.values()].flatMap((node) => {
        const report = node.containers.get(id)
        return report === undefined ? [] : [[node.id, report] as const]
      }),
    )
    return { id, row, reports, pendingDeletions: 0, deletingSinceMs: undefined }
  }

  private containersOn(datanode: DatanodeId): ReadonlySet<ContainerId> {
    const found = new Set(this.live.get(datanode)?.containers.keys())
    for (const id of this.ids) if (this.row(id)?.datanodes.includes(datanode) === true) found.add(id)
    return found
  }

  // ----------------------------------------------------------------------------------------------------- checking

  /** Good replicas of a container on datanodes that are up. */
  goodReplicas(container: ContainerId): readonly DatanodeId[] {
    return [...this.datanodes.values()]
      .filter((node) => node.isUp && node.replicas.get(container)?.state === 'CLOSED')
      .map(({ id }) => id)
  }

  /** Those of them that the row names: any other may be about to be deleted, for there were enough without it. */
  countedReplicas(container: ContainerId): readonly DatanodeId[] {
    const named = this.row(container)?.datanodes ?? []
    return this.goodReplicas(container).filter((id) => named.includes(id))
  }

  /** Of a group: how many shards can be read. */
  readableShards(row: ContainerRow): number {
    return (row.ec?.shards ?? []).filter((shard) => this.countedReplicas(shard).length > 0).length
  }

  /** Nothing that is asked for may delete what nobody else has. */
  private checkDeletion(at: ModelNode, container: ContainerId): void {
    const row = this.row(container)
    if (row?.shardOf !== undefined) this.checkShardDeletion(at, container, row.shardOf.container)
    if (row === undefined || row.state === 'DELETING') return
    if (row.ec !== undefined) {
      const whole = row.ec.shards.filter((shard) =>
        [...this.datanodes.values()].some(({ replicas }) => replicas.has(shard)),
      )
      assert(whole.length >= 3, `container ${container} is deleted at ${at.id} before its shards are there`)
      return
    }
    // One that lost its power in this moment still has what SCM saw: that is no loss.
    const whole = [...this.datanodes.values()].filter((node) => node.replicas.get(container)?.state === 'CLOSED')
    const others = whole.map(({ id }) => id).filter((id) => id !== at.id)
    const newest = Math.max(...others.map((id) => this.datanodes.get(id)?.replicas.get(container)?.version ?? -1))
    const own = at.replicas.get(container)
    assert(others.length > 0, `the last replica of container ${container} is deleted at ${at.id}`)
    assert(
      own !== undefined && newest >= own.version,
      `the newest content of container ${container} is deleted at ${at.id}`,
    )
  }

  /** Shards go when others are there, all of them, or when their container goes, or was never read from them. */
  private checkShardDeletion(at: ModelNode, shard: ContainerId, parent: ContainerId): void {
    const shards = this.row(parent)?.ec?.shards
    if (shards === undefined || this.row(parent)?.state === 'DELETING' || shards.includes(shard)) return
    const whole = shards.filter((each) => [...this.datanodes.values()].some(({ replicas }) => replicas.has(each)))
    assert(whole.length >= 3, `shard ${shard} is deleted at ${at.id} before there are others of container ${parent}`)
  }

  /** After every step. */
  checkLimits(): void {
    const incoming = new Map<DatanodeId, number>()
    const outgoing = new Map<DatanodeId, number>()
    for (const task of this.manager.underWay()) {
      for (const target of task.targets) incoming.set(target, (incoming.get(target) ?? 0) + 1)
      for (const source of new Set(task.sources)) outgoing.set(source, (outgoing.get(source) ?? 0) + 1)
    }
    const ours = this.manager.underWay().filter(({ command }) => command !== undefined)
    assert(ours.length <= this.config.maxTasks, `${ours.length} tasks are under way`)
    for (const [id, count] of incoming) assert(count <= this.config.maxIncoming, `${count} copies go to ${id}`)
    for (const [id, count] of outgoing) assert(count <= this.config.maxOutgoing, `${count} tasks read from ${id}`)
  }
}

function isSame(a: ContainerReport | undefined, b: ContainerReport | undefined): boolean {
  return a?.state === b?.state && a?.contentHash === b?.contentHash && a?.usedBytes === b?.usedBytes
}
