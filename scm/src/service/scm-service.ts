/** SCM over its replicated store: the doors of `api`, bound to plans and to what the datanodes report. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Env } from '@o3/common/env'
import type { Keyring } from '@o3/common/keyring'
import type { Logger } from '@o3/common/log'
import type { ExecuteOptions, ReplicatedStore } from '@o3/ratis/api'
import { Leadership } from '@o3/ratis/leadership'
import type { Standing } from '@o3/ratis/leadership'
import { u64Key } from '@o3/common/codec'
import type {
  BalancerStatus,
  BlockRange,
  ContainerDetails,
  ContainerId,
  ContainerInfo,
  ContainerPlace,
  DatanodeAnswer,
  DatanodeId,
  DatanodeInfo,
  DeletedBlocksSummary,
  Heartbeat,
  OperationalRequest,
  PipelineId,
  PipelineInfo,
  RegisterRequest,
  ReplicationConfig,
  ReplicationReport,
  SafemodeStatus,
  Scm,
  ScmSummary,
  SecretKeys,
} from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import { firstStateFor, whyNotLeave } from '../core/departure.ts'
import { placeOf } from '../core/place.ts'
import { containers } from '../core/tables.ts'
import type { ContainerRow } from '../core/tables.ts'
import { countStates, detailsOf, infoOf, nodeInfoOf, pipelineInfoOf } from './cluster-reports.ts'
import { enrol } from './node-enrolment.ts'
import { NodeRegistry } from './node-registry.ts'
import { Reigns } from './reign.ts'
import type { Reign } from './reign.ts'
import type { MakeWorker, ReplicationControl } from './term-worker.ts'
import { SecretKeeper } from './secret-keeper.ts'

export interface ScmServiceOptions {
  readonly env: Pick<Env, 'clock' | 'random'>
  readonly store: ReplicatedStore<ScmCommand, ScmReply>
  readonly config: ScmConfig
  readonly log: Logger
  /** Who else keeps something in order while this member leads. */
  readonly workers?: readonly MakeWorker[]
  /** Seals the secret keys. Without it there are none to be had here (`Unavailable`), and nothing is written unsealed. */
  readonly sealing?: Keyring
}

/** Of a member that does not lead: it has taken note, and asks for nothing. */
const quiet: DatanodeAnswer = { term: undefined, commands: [] }

/**
 * One member of SCM. Whether it leads or not, it keeps what datanodes report; rows are written, blocks handed out and commands
 * given only by the leader. What a leader knows beyond rows and reports belongs to its term (see `Reign`).
 *
 * At a member that does not lead every door but the datanode's rejects with `NotLeader`, also those that only read: the
 * store would answer them linearizably, but only by asking the leader, and a caller who finds the leader stays there.
 */
export class ScmService implements Scm {
  private readonly store: ReplicatedStore<ScmCommand, ScmReply>
  private readonly log: Logger
  private readonly leadership: Leadership
  private readonly registry: NodeRegistry
  private readonly reigns: Reigns
  private readonly keeper: SecretKeeper

  constructor(options: ScmServiceOptions) {
    const { store, config, log, env, workers = [] } = options
    this.store = store
    this.log = log
    this.leadership = new Leadership('SCM', store)
    this.registry = new NodeRegistry(env.clock, config)
    const { leadership, registry } = this
    this.reigns = new Reigns({ store, config, log, clock: env.clock, leadership, registry, workers })
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
   * What the datanode said is noted already. A leader answers with commands, which are of the term in which it began, and only
   * when its group confirms that it still leads: what a deposed one believes may have been decided otherwise since.
   */
  private async answer(id: DatanodeId, deleted: readonly number[]): Promise<DatanodeAnswer> {
    const { term } = this.leadership
    if (term === undefined) return quiet
    try {
      const reign = await this.reigns.of(term)
      await enrol(id, reign.cluster, this.registry)
      if (deleted.length > 0) await reign.deletions.acknowledge(id, deleted)
      const commands = await reign.round(id)
      if (commands.length > 0) await this.confirm()
      return this.leadership.term === term ? { term, commands } : quiet
    } catch (error) {
      // Elected, but not ready yet; or deposed meanwhile. Deletions that this answer does not acknowledge are told again.
      if (isStoreError(error, 'NotLeader')) return quiet
      if (isStoreError(error, 'OutcomeUnknown') && this.leadership.term !== term) return quiet
      throw error
    }
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
    const reign = await this.reigns.of(options?.term)
    return [await reign.allocator.allocate(request.count, request.replication, options)]
  }

  async deleteBlocks(blocks: readonly BlockRange[], options?: ExecuteOptions): Promise<void> {
    const reign = await this.reigns.of(options?.term)
    if (blocks.length === 0) return
    await reign.cluster.execute({ kind: 'delete-blocks', blocks }, options)
    reign.deletions.noteAdded()
  }

  async locate(container: ContainerId): Promise<ContainerPlace> {
    const { cluster } = await this.reigns.of()
    const row = await this.rowOf(container)
    const shards = await Promise.all((row.ec?.shards ?? []).map(async (shard) => this.store.get(containers, shard)))
    cluster.refreshHealth()
    return placeOf(container, row, shards, cluster)
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
    const { cluster, workers } = await this.confirmed()
    return [...cluster.nodes.values()].map((node) => {
      const departure = workers.flatMap((worker) => worker.departureOf?.(node.id) ?? [])
      return nodeInfoOf(node, cluster, this.registry, departure[0])
    })
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
    return rows.map(({ key, value }) => infoOf(key, value, this.registry.reportsOf(key)))
  }

  async closeContainer(container: ContainerId, options?: ExecuteOptions): Promise<void> {
    const reign = await this.reigns.of(options?.term)
    reign.allocator.forget(container)
    await reign.cluster.execute({ kind: 'transition-container', container, to: 'CLOSING' }, options)
    this.log.info({ container, state: 'CLOSING' }, 'container changed state')
  }

  async summary(): Promise<ScmSummary> {
    const { cluster, deletions } = await this.confirmed()
    await deletions.catchUp()
    const { blocks } = deletions.summary()
    return { containers: countStates(cluster), pendingDeletionBlocks: blocks, ...this.registry.space() }
  }

  async listPipelines(): Promise<readonly PipelineInfo[]> {
    const { cluster } = await this.confirmed()
    return [...cluster.pipelines.values()].map((pipeline) => pipelineInfoOf(pipeline, cluster))
  }

  async closePipeline(pipeline: PipelineId, options?: ExecuteOptions): Promise<void> {
    const { cluster } = await this.reigns.of(options?.term)
    await cluster.execute({ kind: 'transition-pipeline', pipeline, to: 'CLOSED' }, options)
    this.log.info({ pipeline, state: 'CLOSED' }, 'pipeline changed state')
  }

  async containerInfo(container: ContainerId): Promise<ContainerDetails> {
    const { cluster } = await this.confirmed()
    const row = await this.rowOf(container)
    const known = cluster.container(container)
    if (known === undefined) throw unknownContainer(container)
    return detailsOf(known, row, cluster)
  }

  async setOperational(request: OperationalRequest, options?: ExecuteOptions): Promise<void> {
    const { cluster, workers } = await this.reigns.of(options?.term)
    cluster.refreshHealth()
    const { datanode, wanted, untilMs, force } = request
    const node = cluster.nodes.get(datanode)
    if (node === undefined) throw new StoreError('InvalidArgument', `there is no datanode ${datanode}`)
    const known = wanted === 'IN_SERVICE' ? [] : workers.flatMap((each) => each.whyNotLeave?.(datanode, wanted) ?? [])
    const why = wanted === 'IN_SERVICE' ? undefined : (known[0] ?? whyNotLeave(request, cluster))
    const refusal = force === true ? undefined : why
    if (refusal !== undefined) throw new StoreError('InvalidArgument', refusal)
    const to = firstStateFor(wanted, node.row.operational)
    await cluster.execute({ kind: 'set-operational', datanode, to, untilMs }, options)
    this.log.info({ datanode, operational: to }, 'datanode changed its operational state')
  }

  async safemode(): Promise<SafemodeStatus> {
    return (await this.confirmed()).safemode()
  }

  async exitSafemode(): Promise<void> {
    ;(await this.confirmed()).exitSafemode()
  }

  async deletedBlocks(): Promise<DeletedBlocksSummary> {
    const { deletions } = await this.confirmed()
    await deletions.catchUp()
    return deletions.summary()
  }

  async replicationReport(): Promise<ReplicationReport> {
    const reign = await this.confirmed()
    const replication = replicationOf(reign)
    const blocked = replication.blocked()
    return {
      ...(blocked.containers > 0 && { blocked }),
      healths: replication.healths(),
      states: countStates(reign.cluster),
      tasks: replication.underWay().length,
      settled: replication.isSettled,
    }
  }

  async balancer(): Promise<BalancerStatus> {
    return replicationOf(await this.confirmed()).balancerStatus()
  }

  async setBalancer(to: 'on' | 'off'): Promise<void> {
    replicationOf(await this.confirmed()).setBalancer(to)
    this.log.info({ balancer: to }, 'the balancer was switched')
  }

  /** What is in memory may be shown: the group says that this member still leads. */
  private async confirmed(): Promise<Reign> {
    const reign = await this.reigns.of()
    await this.confirm()
    reign.cluster.refreshHealth()
    return reign
  }

  /** `NotLeader`. A read that asks for nothing. */
  private confirm(): Promise<void> {
    return this.store.read(() => Promise.resolve())
  }

  private async rowOf(container: ContainerId): Promise<ContainerRow> {
    const row = await this.store.get(containers, container)
    if (row === undefined) throw unknownContainer(container)
    return row
  }
}

function replicationOf({ workers }: Reign): ReplicationControl {
  const found = workers.flatMap(({ replication }) => replication ?? [])[0]
  if (found === undefined) throw new StoreError('Unavailable', 'nobody looks after copies here')
  return found
}

function unknownContainer(container: ContainerId): StoreError {
  return new StoreError('ContainerNotFound', `there is no container ${container}`)
}
