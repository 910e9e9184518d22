/** The cluster as the leader of one term knows it. */

import type { Clock } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { ExecuteOptions, ReplicatedStore, StateView, Table, Term } from '@o3/ratis/api'
import type { ContainerId, DatanodeId, PipelineId, PipelineReport, ReplicationConfig } from '../api/api.ts'
import type { ClusterContainer, ClusterEvent, ClusterNode, ClusterPipeline, ClusterView } from '../core/cluster-view.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { hasMajority } from '../core/life/replicas.ts'
import { containers, counters, nodes, numberOfPipeline, pipelines } from '../core/tables.ts'
import type { ContainerRow, NodeRow, PipelineRow } from '../core/tables.ts'
import { KeyedSets } from './keyed-sets.ts'
import type { NodeRegistry } from './node-registry.ts'
import { RowMirror } from './row-mirror.ts'
import { touchedBy } from './touched-rows.ts'

export interface ClusterParts {
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly registry: NodeRegistry
  readonly clock: Clock
  readonly term: Term
}

/** Of deletions, as `DeletionQueue` counts them. */
export interface PendingDeletions {
  countOf(container: ContainerId): number
  sinceMs(container: ContainerId): number | undefined
}

const pageRows = 1_000
const noDeletions: PendingDeletions = { countOf: () => 0, sinceMs: () => undefined }

/**
 * Rows and reports together, by all the ways in which they are asked for. The rows are read once, when the term begins, behind
 * a read barrier; from then on every change of the term goes through `execute`, which reads again what it has touched. While
 * another member leads it may change anything, so a cluster is of no use after its term.
 *
 * It shows what this leader has done and heard. That it still leads when it says so is for the store to confirm.
 */
export class Cluster implements ClusterView {
  readonly term: Term
  pending: PendingDeletions = noDeletions
  /** In the order in which they subscribed. They take note, and act later. */
  private readonly listeners: ((event: ClusterEvent) => void)[] = []
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly registry: NodeRegistry
  private readonly clock: Clock
  private readonly nodeRows: RowMirror<DatanodeId, NodeRow>
  private readonly pipelineRows: RowMirror<PipelineId, PipelineRow>
  private readonly containerRows: RowMirror<ContainerId, ContainerRow>
  private readonly byNode = new Map<DatanodeId, ClusterNode>()
  private readonly byPipeline = new Map<PipelineId, ClusterPipeline>()
  private readonly named = new KeyedSets<DatanodeId, ContainerId>()
  /** By their origins, those that were sealed alone. */
  private readonly awaiting = new KeyedSets<DatanodeId, ContainerId>()
  private readonly written = new KeyedSets<PipelineId, ContainerId>()
  private readonly open = new Map<ReplicationConfig, Map<ContainerId, ContainerRow>>()
  private lastContainerId: ContainerId = 0
  private lastPipelineNumber = 0
  private spent = false

  private constructor({ store, registry, clock, term }: ClusterParts) {
    this.store = store
    this.registry = registry
    this.clock = clock
    this.term = term
    this.nodeRows = new RowMirror(
      (id) => store.get(nodes, id),
      (id) => this.noteNode(id),
    )
    this.pipelineRows = new RowMirror(
      (id) => store.get(pipelines, id),
      (id) => this.notePipeline(id),
    )
    this.containerRows = new RowMirror(
      (id) => store.get(containers, id),
      (id, ...rows) => this.noteContainer(id, ...rows),
    )
  }

  /** `NotLeader`. All rows of one moment. */
  static async load(parts: ClusterParts): Promise<Cluster> {
    const cluster = new Cluster(parts)
    await parts.store.read((view) => cluster.loadRows(view))
    return cluster
  }

  /** From now on it follows what datanodes say; what they said while the rows were read is taken in. */
  listen(): void {
    this.registry.listener = (event) => this.hear(event)
    for (const id of this.byNode.keys()) this.noteNode(id)
    for (const id of this.byPipeline.keys()) this.notePipeline(id)
  }

  subscribe(listener: (event: ClusterEvent) => void): void {
    this.listeners.push(listener)
  }

  /** True when something may have been changed that was not read again: the next who asks begins with the rows anew. */
  get isSpent(): boolean {
    return this.spent
  }

  /** In this term or never. What it has changed is seen here when it resolves. Errors: those of the store, and the refusals. */
  async execute(command: ScmCommand, options: ExecuteOptions = {}): Promise<ScmReply> {
    const before = touchedBy(command, undefined, this)
    const reply = await this.commit(command, options)
    try {
      await this.refresh(before, touchedBy(command, reply, this))
    } catch (error) {
      this.spent = true
      // It is done, and must not be reported as if it were not, only because the term ends meanwhile.
      if (!isStoreError(error, 'NotLeader', 'OutcomeUnknown')) throw error
    }
    return reply
  }

  private async commit(command: ScmCommand, options: ExecuteOptions): Promise<ScmReply> {
    try {
      return await this.store.execute(command, { ...options, term: this.term })
    } catch (error) {
      if (isStoreError(error, 'OutcomeUnknown')) this.spent = true
      throw error
    }
  }

  /** Rows that may have changed without anybody knowing: whoever was refused knows less than the plan that refused it. */
  async refreshContainer(id: ContainerId): Promise<void> {
    await this.containerRows.refresh(id)
  }

  /** One of its deletions is done. */
  noteDeletion(container: ContainerId): void {
    this.tell({ kind: 'container', container })
  }

  // ------------------------------------------------------------------------------------------------ what planners read

  get nowMs(): number {
    return this.clock.monotonicMs()
  }

  get wallMs(): number {
    return this.clock.wallMs()
  }

  get nodes(): ReadonlyMap<DatanodeId, ClusterNode> {
    return this.byNode
  }

  get pipelines(): ReadonlyMap<PipelineId, ClusterPipeline> {
    return this.byPipeline
  }

  get lastContainer(): ContainerId {
    return this.lastContainerId
  }

  get lastPipeline(): number {
    return this.lastPipelineNumber
  }

  container(id: ContainerId): ClusterContainer | undefined {
    const row = this.containerRows.get(id)
    if (row === undefined) return undefined
    return {
      id,
      row,
      reports: this.registry.reportsOf(id),
      pendingDeletions: this.pending.countOf(id),
      deletingSinceMs: this.pending.sinceMs(id),
    }
  }

  containerIds(): Iterable<ContainerId> {
    return this.containerRows.keys()
  }

  *containersOn(datanode: DatanodeId): Iterable<ContainerId> {
    const named = this.named.get(datanode)
    yield* named
    for (const id of this.registry.view(datanode)?.containers.keys() ?? []) if (!named.has(id)) yield id
  }

  /** Those that are `QUASI_CLOSED` with it among their origins: when they are whole depends on it, whether or not it has a replica. */
  containersAwaiting(datanode: DatanodeId): ReadonlySet<ContainerId> {
    return this.awaiting.get(datanode)
  }

  containersOf(pipeline: PipelineId): ReadonlySet<ContainerId> {
    return this.written.get(pipeline)
  }

  /** Of this replication, those that take allocations as far as their rows say. */
  openContainers(replication: ReplicationConfig): ReadonlyMap<ContainerId, ContainerRow> {
    return this.open.get(replication) ?? new Map<ContainerId, ContainerRow>()
  }

  /** Of which there are open containers. */
  openReplications(): Iterable<ReplicationConfig> {
    return this.open.keys()
  }

  /** Health is a matter of time: whoever is about to plan has it looked at first. Costs a look at each datanode. */
  refreshHealth(): void {
    for (const [id, node] of this.byNode) {
      if (node.health === this.registry.health(id) && node.live === this.registry.view(id)) continue
      this.noteNode(id)
    }
  }

  // ------------------------------------------------------------------------------------------------------------- rows

  private async loadRows(view: StateView): Promise<void> {
    this.lastContainerId = (await view.get(counters, 'container')) ?? 0
    this.lastPipelineNumber = (await view.get(counters, 'pipeline')) ?? 0
    await eachRow(view, nodes, (id, row) => this.nodeRows.load(id, row))
    await eachRow(view, pipelines, (id, row) => this.pipelineRows.load(id, row))
    await eachRow(view, containers, (id, row) => this.containerRows.load(id, row))
  }

  private async refresh(...touched: readonly ReturnType<typeof touchedBy>[]): Promise<void> {
    const of = <Key>(keys: readonly Key[], rows: { refresh(key: Key): Promise<void> }) =>
      [...new Set(keys)].map((key) => rows.refresh(key))
    await Promise.all([
      ...of(
        touched.flatMap((each) => each.nodes),
        this.nodeRows,
      ),
      ...of(
        touched.flatMap((each) => each.pipelines),
        this.pipelineRows,
      ),
      ...of(
        touched.flatMap((each) => each.containers),
        this.containerRows,
      ),
    ])
  }

  private noteNode(id: DatanodeId): void {
    const row = this.nodeRows.get(id)
    if (row === undefined) return
    const before = this.byNode.get(id)
    const node: ClusterNode = { id, row, health: this.registry.health(id), live: this.registry.view(id) }
    this.byNode.set(id, node)
    const isNews =
      before?.health !== node.health || before.row !== row || (before.live === undefined) !== (node.live === undefined)
    // One that was started anew has said what it has of its pipelines before it was known here.
    if (!isNews && before.live === node.live) return
    for (const pipeline of this.byPipeline.values())
      if (pipeline.row.members.includes(id)) this.notePipeline(pipeline.id)
    if (isNews) this.tell({ kind: 'node', datanode: id })
  }

  private notePipeline(id: PipelineId): void {
    const row = this.pipelineRows.get(id)
    if (row === undefined) this.byPipeline.delete(id)
    else {
      this.lastPipelineNumber = Math.max(this.lastPipelineNumber, numberOfPipeline(id) ?? 0)
      const reports = new Map<DatanodeId, PipelineReport>()
      for (const member of row.members) {
        const report = this.registry.view(member)?.pipelines?.get(id)
        if (report !== undefined) reports.set(member, report)
      }
      const before = this.byPipeline.get(id)
      const pipeline = { id, row, reports, minoritySinceMs: before?.minoritySinceMs }
      const minoritySinceMs = hasMajority(pipeline, this, id) ? undefined : (before?.minoritySinceMs ?? this.nowMs)
      this.byPipeline.set(id, { ...pipeline, minoritySinceMs })
    }
    this.tell({ kind: 'pipeline', pipeline: id })
  }

  private noteContainer(id: ContainerId, before: ContainerRow | undefined, after: ContainerRow | undefined): void {
    this.lastContainerId = Math.max(this.lastContainerId, id)
    const held = (row: ContainerRow | undefined) => (row === undefined ? [] : [...row.datanodes, ...row.incoming])
    for (const datanode of held(before)) this.named.delete(datanode, id)
    for (const datanode of held(after)) this.named.add(datanode, id)
    for (const origin of awaitedBy(before)) this.awaiting.delete(origin, id)
    for (const origin of awaitedBy(after)) this.awaiting.add(origin, id)
    if (before?.pipeline !== undefined) this.written.delete(before.pipeline, id)
    if (after?.pipeline !== undefined) this.written.add(after.pipeline, id)
    if (before !== undefined) this.open.get(before.replication)?.delete(id)
    if (after?.state === 'OPEN' && after.shardOf === undefined) this.noteOpen(id, after)
    this.tell({ kind: 'container', container: id })
  }

  private noteOpen(id: ContainerId, row: ContainerRow): void {
    const open = this.open.get(row.replication)
    if (open === undefined) this.open.set(row.replication, new Map([[id, row]]))
    else open.set(id, row)
  }

  private hear(event: ClusterEvent): void {
    if (event.kind === 'node') this.noteNode(event.datanode)
    else if (event.kind === 'pipeline') this.notePipeline(event.pipeline)
    else this.tell(event)
  }

  private tell(event: ClusterEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

function awaitedBy(row: ContainerRow | undefined): readonly DatanodeId[] {
  return row?.state === 'QUASI_CLOSED' ? row.origins : []
}

async function eachRow<Key, Row>(
  view: StateView,
  table: Table<Key, Row>,
  take: (key: Key, row: Row) => void,
): Promise<void> {
  const cursor = view.cursor(table, { from: '' })
  try {
    for (;;) {
      const page = await cursor.next(pageRows)
      if (page.length === 0) return
      for (const { key, value } of page) take(key, value)
    }
  } finally {
    await cursor.close()
  }
}
