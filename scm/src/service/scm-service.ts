/** SCM over its replicated store: the doors of `api`, bound to plans and to what the datanodes report. */

import { StoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/log'
import type { ReplicatedStore } from '@o3/ratis/api'
import { u64Key } from '@o3/common/codec'
import type {
  BlockRange,
  ContainerId,
  ContainerInfo,
  ContainerReport,
  ContainerState,
  DatanodeCommand,
  DatanodeId,
  DatanodeInfo,
  Heartbeat,
  RegisterRequest,
  ReplicaLocation,
  ReplicationConfig,
  RequestOptions,
  Scm,
  ScmSummary,
} from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { planTransition } from '../core/container-planner.ts'
import { containers, deletions, nodes } from '../core/tables.ts'
import type { ContainerRow, DeletionRow } from '../core/tables.ts'
import { BlockAllocator } from './block-allocator.ts'
import { NodeRegistry } from './node-registry.ts'

export interface ScmServiceOptions {
  readonly env: Env
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly config: ScmConfig
  readonly log: Logger
}

const pageRows = 1000

export class ScmService implements Scm {
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly config: ScmConfig
  private readonly log: Logger
  private readonly registry: NodeRegistry
  private readonly allocator: BlockAllocator

  constructor(options: ScmServiceOptions) {
    this.store = options.store
    this.config = options.config
    this.log = options.log
    this.registry = new NodeRegistry(options.env.clock, options.config)
    this.allocator = new BlockAllocator({ ...options, registry: this.registry })
  }

  /** Takes up the containers that were open. Call once, before anything else. */
  async start(): Promise<void> {
    const open = (await this.rows()).filter(({ row }) => row.state === 'OPEN')
    this.allocator.adopt(open.flatMap(({ id, row }) => row.datanodes.slice(0, 1).map((datanode) => ({ id, datanode }))))
  }

  // ------------------------------------------------------------------------------------------------- datanodes

  async register(request: RegisterRequest): Promise<{ readonly commands: readonly DatanodeCommand[] }> {
    await this.store.execute({ kind: 'register-node', id: request.id, address: request.address })
    this.registry.register(request)
    this.log.info(
      { datanode: request.id, disks: request.disks.length, containers: request.containers.length },
      'datanode registered',
    )
    return { commands: await this.commandsFor(request.id) }
  }

  async heartbeat(heartbeat: Heartbeat): Promise<{ readonly commands: readonly DatanodeCommand[] }> {
    if (!this.registry.heartbeat(heartbeat)) return { commands: [{ kind: 'full-report' }] }
    if (heartbeat.deletedTransactions.length > 0) {
      await this.store.execute({
        kind: 'acknowledge-deletions',
        datanode: heartbeat.id,
        transactions: heartbeat.deletedTransactions,
      })
    }
    return { commands: await this.commandsFor(heartbeat.id) }
  }

  /** First the states follow the reports, then the node is told what its containers lack. */
  private async commandsFor(id: DatanodeId): Promise<readonly DatanodeCommand[]> {
    const pending = await this.pendingDeletions()
    const mine = (await this.rows()).filter(({ row }) => row.datanodes.includes(id))
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
        fullyReported: row.datanodes.every((id) => this.registry.view(id) !== undefined),
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
    options?: RequestOptions,
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
    options?: RequestOptions,
  ): Promise<readonly BlockRange[]> {
    if (!Number.isSafeInteger(request.count) || request.count < 1 || request.count > 65_536) {
      throw new StoreError('InvalidArgument', `a block count of ${request.count} is not between 1 and 65,536`)
    }
    return [await this.allocator.allocate(request.count, request.replication, options)]
  }

  async deleteBlocks(blocks: readonly BlockRange[], options?: RequestOptions): Promise<void> {
    if (blocks.length > 0) await this.store.execute({ kind: 'delete-blocks', blocks }, options)
  }

  async locate(container: ContainerId): Promise<readonly ReplicaLocation[]> {
    const row = await this.store.get(containers, container)
    if (row === undefined) throw new StoreError('ContainerNotFound', `there is no container ${container}`)
    const found = row.datanodes.map(async (datanode) => {
      const node = await this.store.get(nodes, datanode)
      return { datanode, address: node?.address }
    })
    return await Promise.all(found)
  }

  // ----------------------------------------------------------------------------------------------------- admin

  async listNodes(): Promise<readonly DatanodeInfo[]> {
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

  async closeContainer(container: ContainerId, options?: RequestOptions): Promise<void> {
    await this.transition(container, 'CLOSING', options)
  }

  async summary(): Promise<ScmSummary> {
    const counts: Record<ContainerState, number> = {
      OPEN: 0,
      CLOSING: 0,
      QUASI_CLOSED: 0,
      CLOSED: 0,
      DELETING: 0,
      DELETED: 0,
    }
    for (const { row } of await this.rows()) counts[row.state] += 1
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

  private rows(): Promise<readonly { readonly id: ContainerId; readonly row: ContainerRow }[]> {
    return this.store.read(async (view) => {
      const cursor = view.cursor(containers, { from: '' })
      try {
        const found: { id: ContainerId; row: ContainerRow }[] = []
        for (;;) {
          const page = await cursor.next(pageRows)
          if (page.length === 0) return found
          for (const { key, value } of page) found.push({ id: key, row: value })
        }
      } finally {
        await cursor.close()
      }
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
