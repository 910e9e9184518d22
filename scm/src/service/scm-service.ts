/** SCM over its replicated store: the doors of `api`, bound to plans and to what the datanodes report. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { Keyring } from '@o3/common/keyring'
import type { Logger } from '@o3/common/log'
import type { ExecuteOptions, ReplicatedStore } from '@o3/ratis/api'
import { u64Key } from '@o3/common/codec'
import type {
  BlockRange,
  ContainerId,
  ContainerInfo,
  ContainerReport,
  ContainerState,
  DatanodeAnswer,
  DatanodeCommand,
  DatanodeId,
  DatanodeInfo,
  Heartbeat,
  RegisterRequest,
  ContainerPlace,
  ReplicationConfig,
  Scm,
  ScmSummary,
  SecretKeys,
} from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { planTransition } from '../core/container-planner.ts'
import { containers, deletions, nodes } from '../core/tables.ts'
import type { ContainerRow, DeletionRow } from '../core/tables.ts'
import { BlockAllocator } from './block-allocator.ts'
import { readContainers } from './container-rows.ts'
import { Leadership } from '@o3/ratis/leadership'
import type { Standing } from '@o3/ratis/leadership'
import { NodeEnrolment } from './node-enrolment.ts'
import { NodeRegistry } from './node-registry.ts'
import { SecretKeeper } from './secret-keeper.ts'

export interface ScmServiceOptions {
  readonly env: Env
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly config: ScmConfig
  readonly log: Logger
  /** Seals the secret keys. Without it there are none to be had here (`Unavailable`), and nothing is written unsealed. */
  readonly sealing?: Keyring
}

const pageRows = 1000

/** Of a member that does not lead: it has taken note, and asks for nothing. */
const quiet: DatanodeAnswer = { term: undefined, commands: [] }

/**
 * One member of SCM. Whether it leads or not, it keeps what datanodes report; rows are written, blocks handed out and commands
 * given only by the leader. What a leader knows beyond rows and reports belongs to its term (see `BlockAllocator`).
 *
 * At a member that does not lead every door but the datanode's rejects with `NotLeader`, also those that only read: the
 * store would answer them linearizably, but only by asking the leader, and a caller who finds the leader stays there.
 */
export class ScmService implements Scm {
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly config: ScmConfig
  private readonly log: Logger
  private readonly leadership: Leadership
  private readonly registry: NodeRegistry
  private readonly enrolment: NodeEnrolment
  private readonly allocator: BlockAllocator
  private readonly keeper: SecretKeeper

  constructor(options: ScmServiceOptions) {
    this.store = options.store
    this.config = options.config
    this.log = options.log
    this.leadership = new Leadership('SCM', options.store)
    this.registry = new NodeRegistry(options.env.clock, options.config)
    this.enrolment = new NodeEnrolment(options.store, this.registry)
    this.allocator = new BlockAllocator({ ...options, leadership: this.leadership, registry: this.registry })
    this.keeper = new SecretKeeper({ ...options, leadership: this.leadership, sealing: options.sealing })
  }

  /** Reads nothing, for a member that follows could not: what a leader needs is read when its term asks for it. */
  async start(): Promise<void> {}

  /** Where this member stands in its group: for readiness, never for correctness. */
  standing(): Standing {
    return this.leadership.standing()
  }

  // ------------------------------------------------------------------------------------------------- datanodes

  async register(request: RegisterRequest): Promise<DatanodeAnswer> {
    this.registry.register(request)
    this.log.info(
      { datanode: request.id, disks: request.disks.length, containers: request.containers.length },
      'datanode registered',
    )
    return this.answer(request.id, [])
  }

  async heartbeat(heartbeat: Heartbeat): Promise<DatanodeAnswer> {
    if (!this.registry.heartbeat(heartbeat)) return { term: this.leadership.term, commands: [{ kind: 'register' }] }
    return this.answer(heartbeat.id, heartbeat.deletedTransactions)
  }

  /**
   * What the datanode said is noted already. A leader answers with commands, which are of the term in which it began: rows
   * that it reads may be newer, but if another leads by now they are for that one to act upon.
   */
  private async answer(id: DatanodeId, deleted: readonly number[]): Promise<DatanodeAnswer> {
    const { term } = this.leadership
    if (term === undefined) return quiet
    try {
      await this.enrolment.ensure(id, term)
      if (deleted.length > 0) {
        await this.store.execute({ kind: 'acknowledge-deletions', datanode: id, transactions: deleted }, { term })
      }
      const commands = await this.commandsFor(id)
      return this.leadership.term === term ? { term, commands } : quiet
    } catch (error) {
      // Elected, but not ready yet; or deposed meanwhile. Deletions that this answer does not acknowledge are told again.
      if (isStoreError(error, 'NotLeader')) return quiet
      if (isStoreError(error, 'OutcomeUnknown') && this.leadership.term !== term) return quiet
      throw error
    }
  }

  /** First the states follow the reports, then the node is told what its containers lack. */
  private async commandsFor(id: DatanodeId): Promise<readonly DatanodeCommand[]> {
    const pending = await this.pendingDeletions()
    const mine = (await readContainers(this.store)).filter(({ row }) => row.datanodes.includes(id))
    const commands: DatanodeCommand[] = []
    for (const { id: container, row } of mine) {
      const state = await this.advance(container, row, pending)
      const report = this.registry.view(id)?.containers.get(container)
      if (state === 'CLOSING' && report?.state === 'OPEN') commands.push({ kind: 'close-container', container })
      // Nobody ever wrote there: an empty closed container must exist to be reported, and then goes the usual way.
      if (state === 'CLOSING' && report === undefined) commands.push({ kind: 'create-container', container })
      // Deltas cannot say "gone"; the full report that follows does.
      if (state === 'DELETING' && report !== undefined) {
        commands.push({ kind: 'delete-container', container }, { kind: 'full-report' })
      }
    }
    for (const [transaction, row] of pending) {
      if (commands.length >= this.config.deletionsPerHeartbeat) break
      if (row.waitingFor.includes(id)) commands.push({ kind: 'delete-blocks', transaction, blocks: row.blocks })
    }
    return commands
  }

  private async advance(
    container: ContainerId,
    row: ContainerRow,
    pending: ReadonlyMap<number, DeletionRow>,
  ): Promise<ContainerState> {
    const reports = this.reportsOf(container, row)
    const transition = planTransition(
      {
        id: container,
        row,
        reports,
        // A datanode that this member has not heard lately may have told others of containers since.
        fullyReported: row.datanodes.every((id) => this.registry.health(id) === 'HEALTHY'),
        pendingDeletions: [...pending.values()].some((each) => each.blocks[0]?.container === container),
      },
      this.config,
    )
    if (transition === undefined) return row.state
    return this.transition(container, transition.to)
  }

  private async transition(
    container: ContainerId,
    to: ContainerState,
    options?: ExecuteOptions,
  ): Promise<ContainerState> {
    if (to !== 'OPEN') this.allocator.forget(container)
    await this.store.execute({ kind: 'transition-container', container, to }, options)
    this.log.info({ container, state: to }, 'container changed state')
    return to
  }

  // ---------------------------------------------------------------------------------------------------- blocks

  async allocateBlocks(
    request: {
      readonly count: number
      readonly replication: ReplicationConfig
    },
    options?: ExecuteOptions,
  ): Promise<readonly BlockRange[]> {
    if (!Number.isSafeInteger(request.count) || request.count < 1 || request.count > 65_536) {
      throw new StoreError('InvalidArgument', `a block count of ${request.count} is not between 1 and 65,536`)
    }
    return [await this.allocator.allocate(request.count, request.replication, options)]
  }

  async deleteBlocks(blocks: readonly BlockRange[], options?: ExecuteOptions): Promise<void> {
    this.leadership.expectTerm(options?.term)
    if (blocks.length > 0) await this.store.execute({ kind: 'delete-blocks', blocks }, options)
  }

  async locate(container: ContainerId): Promise<ContainerPlace> {
    this.leadership.expectTerm()
    const row = await this.store.get(containers, container)
    if (row === undefined) throw new StoreError('ContainerNotFound', `there is no container ${container}`)
    const found = row.datanodes.map(async (datanode) => {
      const node = await this.store.get(nodes, datanode)
      return { datanode, address: node?.address }
    })
    return {
      container,
      state: row.state,
      replication: row.replication,
      pipeline: undefined,
      replicas: await Promise.all(found),
      ec: undefined,
    }
  }

  // ------------------------------------------------------------------------------------------------------ keys

  secretKeys(): Promise<SecretKeys> {
    return this.keeper.keys()
  }

  rotateSecretKey(options?: ExecuteOptions): Promise<number> {
    return this.keeper.rotate(options)
  }

  // ----------------------------------------------------------------------------------------------------- admin

  async listNodes(): Promise<readonly DatanodeInfo[]> {
    this.leadership.expectTerm()
    const rows = await this.store.read(async (view) => {
      const cursor = view.cursor(nodes, { from: '' })
      try {
        return await cursor.next(10_000)
      } finally {
        await cursor.close()
      }
    })
    return rows.map(({ key, value }) => ({
      id: key,
      ...value,
      address: value.address ?? 'local',
      health: this.registry.health(key),
      lastHeartbeatMs: this.registry.lastHeartbeatWallMs(key),
      disks: this.registry.view(key)?.disks ?? [],
    }))
  }

  async listContainers(options: {
    readonly after?: ContainerId
    readonly limit: number
  }): Promise<readonly ContainerInfo[]> {
    this.leadership.expectTerm()
    const rows = await this.store.read(async (view) => {
      const cursor = view.cursor(containers, { from: u64Key((options.after ?? 0) + 1) })
      try {
        return await cursor.next(Math.min(options.limit, 10_000))
      } finally {
        await cursor.close()
      }
    })
    return rows.map(({ key, value }) => this.infoOf(key, value))
  }

  async closeContainer(container: ContainerId, options?: ExecuteOptions): Promise<void> {
    this.leadership.expectTerm(options?.term)
    await this.transition(container, 'CLOSING', options)
  }

  async summary(): Promise<ScmSummary> {
    this.leadership.expectTerm()
    const counts: Record<ContainerState, number> = {
      OPEN: 0,
      CLOSING: 0,
      QUASI_CLOSED: 0,
      CLOSED: 0,
      DELETING: 0,
      DELETED: 0,
    }
    for (const { row } of await readContainers(this.store)) counts[row.state] += 1
    let pendingDeletionBlocks = 0
    for (const row of (await this.pendingDeletions()).values()) {
      for (const range of row.blocks) pendingDeletionBlocks += range.count
    }
    return { containers: counts, pendingDeletionBlocks, ...this.registry.space() }
  }

  private infoOf(id: ContainerId, row: ContainerRow): ContainerInfo {
    const reports = this.reportsOf(id, row)
    return {
      id,
      ...row,
      usedBytes: Math.max(0, ...reports.map((report) => report.usedBytes)),
      liveBytes: Math.max(0, ...reports.map((report) => report.liveBytes)),
    }
  }

  private reportsOf(container: ContainerId, row: ContainerRow): readonly ContainerReport[] {
    return row.datanodes.flatMap((id) => {
      const report = this.registry.view(id)?.containers.get(container)
      return report === undefined ? [] : [report]
    })
  }

  /** The oldest first, as many as a heartbeat may carry to every node. */
  private pendingDeletions(): Promise<ReadonlyMap<number, DeletionRow>> {
    return this.store.read(async (view) => {
      const cursor = view.cursor(deletions, { from: '' })
      try {
        const page = await cursor.next(pageRows)
        return new Map(page.map(({ key, value }) => [key, value]))
      } finally {
        await cursor.close()
      }
    })
  }
}
