/** The pipelines of a datanode: made, found again after a restart, closed; and which containers are theirs. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { Logger } from '@o3/common/logger'
import { openLog } from '@o3/ratis/log'
import type { RaftTransport } from '@o3/ratis/node'
import type { ContainerId, DatanodeId, PipelineId, PipelineMember, PipelineReport } from '@o3/scm/api'
import type { PipelineMembership } from '../api/api.ts'
import type { PipelineConfig } from '../config.ts'
import type { PipelineDescription } from '../core/pipeline-description.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import type { BlockSource } from './block-fetcher.ts'
import { logOptions } from './drain-log.ts'
import type { PipelineContainers } from './entry-applier.ts'
import { PipelineGroup } from './pipeline-group.ts'
import { PipelineHome, assertPipelineId, pipelinesOn } from './pipeline-home.ts'

/** Another datanode: `Datanode & PipelineMembership` is one. */
export type PipelinePeer = BlockSource & Pick<PipelineMembership, 'pipelines'>

/** How the datanode reaches the other members of its pipelines. */
export interface PipelineCompany {
  /** Of the process; whoever made it closes it after the datanode. What comes in for it is the process's to hand on. */
  readonly transport: RaftTransport
  /** Undefined for one that cannot be called. */
  readonly peer: (id: DatanodeId, address: string) => PipelinePeer | undefined
}

export interface DatanodePipelinesOptions {
  readonly env: Env
  readonly log: Logger
  readonly self: DatanodeId
  /** Those that were away at an earlier start come last. */
  readonly disks: readonly DataDisk[]
  readonly containers: PipelineContainers
  readonly company: PipelineCompany
  readonly config: PipelineConfig
}

export class DatanodePipelines {
  private readonly options: DatanodePipelinesOptions
  private readonly groups = new Map<PipelineId, PipelineGroup>()
  /** Their descriptions cannot be read. */
  private readonly unreadable = new Map<PipelineId, PipelineHome>()
  private readonly owners = new Map<ContainerId, PipelineGroup>()
  private readonly turns = new Map<PipelineId, Promise<void>>()
  private isClosed = false

  private constructor(options: DatanodePipelinesOptions) {
    this.options = options
  }

  /** Finds the pipelines on the disks, and takes part in them again. */
  static async open(options: DatanodePipelinesOptions): Promise<DatanodePipelines> {
    const pipelines = new DatanodePipelines(options)
    const known = new Set<PipelineId>()
    const found: { readonly disk: DataDisk; readonly ids: readonly PipelineId[] }[] = []
    for (const disk of options.disks) {
      const ids = await pipelines.idsOn(disk)
      for (const id of ids) if (known.has(id)) await pipelines.dropOlder(disk, id)
      found.push({ disk, ids: ids.filter((id) => !known.has(id)) })
      for (const id of ids) known.add(id)
    }
    await Promise.all(found.map(({ disk, ids }) => pipelines.find(disk, ids)))
    return pipelines
  }

  /** Undefined for one that this datanode is no member of. */
  known(id: PipelineId): PipelineGroup | undefined {
    return this.groups.get(id)
  }

  /** `Unavailable` for one that this datanode is no member of. */
  group(id: PipelineId): PipelineGroup {
    const group = this.groups.get(id)
    if (group === undefined) throw unknownPipeline(id)
    return group
  }

  /** The pipeline through which an open container is written. */
  ownerOf(container: ContainerId): PipelineGroup | undefined {
    return this.owners.get(container)
  }

  reports(): readonly PipelineReport[] {
    const lost = [...this.unreadable.keys()].map((id): PipelineReport => {
      // It had begun, for all that anybody knows.
      return { id, state: 'failed', leader: undefined, term: 1 }
    })
    return [...[...this.groups.values()].map((group) => group.report()), ...lost]
  }

  /**
   * Takes part from now on, also after a restart, when it resolves. Idempotent. `Unavailable` while nobody can say whether the
   * group has begun without this member: it comes again.
   */
  create(id: PipelineId, members: readonly PipelineMember[]): Promise<void> {
    assertPipelineId(id)
    this.assertMembers(id, members)
    return this.inTurn(id, async () => {
      const group = this.groups.get(id)
      if (group !== undefined) return await group.meet(members)
      if (this.unreadable.has(id)) throw new StoreError('Damaged', `what is known here of pipeline ${id} is unreadable`)
      await this.found(id, members)
    })
  }

  /** Leaves it for good, and drops its log, when it resolves; what was open of it is sealed alone. Idempotent. */
  close(id: PipelineId): Promise<void> {
    return this.inTurn(id, async () => {
      await this.groups.get(id)?.dissolve()
      this.groups.delete(id)
      await this.unreadable.get(id)?.remove()
      this.unreadable.delete(id)
    })
  }

  /** Ends taking part until the next start. Idempotent. */
  async stop(): Promise<void> {
    this.isClosed = true
    await Promise.allSettled(this.turns.values())
    await Promise.all([...this.groups.values()].map((group) => group.close()))
  }

  // ----------------------------------------------------------------------------------------------------- founding

  private async found(id: PipelineId, members: readonly PipelineMember[]): Promise<void> {
    const { env, config } = this.options
    const hasBegun = await this.hasBegun(id, members)
    const home = new PipelineHome(this.chooseDisk(), id)
    await home.remove()
    await home.prepare()
    // Whoever may have been in the group before, and lost its log, has no vote until the others have taught it everything.
    const log = await openLog(env, home.logDirectory, { ...logOptions(config), expectExisting: hasBegun })
    await log.close()
    env.at('hdds.pipeline.before-description')
    const blank = { state: 'member', containers: [], isRejoined: false, partial: [], sealed: [] } as const
    const description: PipelineDescription = { pipeline: id, members, ...blank }
    await home.write(description)
    env.at('hdds.pipeline.created')
    await this.join(home, description)
  }

  /**
   * A group whose members have never been in a term has never decided anything, so nobody can have lost anything of it. Every
   * other member must say so: one that cannot be asked may have begun with this one, before this one lost its disk.
   */
  private async hasBegun(id: PipelineId, members: readonly PipelineMember[]): Promise<boolean> {
    const others = members.filter(({ datanode }) => datanode !== this.options.self)
    const answers = await Promise.allSettled(others.map((member) => this.ask(member)))
    const isBegun = answers.some(
      (answer) => answer.status === 'fulfilled' && answer.value.some((report) => report.id === id && report.term > 0),
    )
    if (isBegun) return true
    for (const answer of answers) {
      if (answer.status === 'fulfilled') continue
      const cause: unknown = answer.reason
      if (!isStoreError(cause)) throw cause
      const message = `a member of pipeline ${id} cannot be asked whether it has begun`
      throw new StoreError('Unavailable', message, { details: { pipeline: id }, cause })
    }
    return false
  }

  private async ask({ datanode, address }: PipelineMember): Promise<readonly PipelineReport[]> {
    const { company, env, config } = this.options
    const peer = company.peer(datanode, address)
    if (peer === undefined) throw new StoreError('Unavailable', `${datanode} cannot be reached`)
    return await withinDeadline(env.clock, config.silenceMs, `asking ${datanode}`, Promise.resolve(peer.pipelines()))
  }

  private chooseDisk(): DataDisk {
    const counts = new Map<DataDisk, number>()
    for (const { disk } of this.groups.values()) counts.set(disk, (counts.get(disk) ?? 0) + 1)
    const healthy = this.options.disks.filter((disk) => disk.state === 'healthy')
    const [best] = healthy.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0))
    if (best !== undefined) return best
    if (this.options.disks.some((disk) => disk.state === 'full')) {
      throw new StoreError('OutOfSpace', 'every disk is full')
    }
    throw new StoreError('VolumeFailed', 'every disk has failed')
  }

  private assertMembers(id: PipelineId, members: readonly PipelineMember[]): void {
    const ids = new Set(members.map(({ datanode }) => datanode))
    if (ids.has(this.options.self) && ids.size === members.length) return
    throw new StoreError('InvalidArgument', `pipeline ${id} has not this datanode among its members, once each`)
  }

  // -------------------------------------------------------------------------------------------------------- start

  private async find(disk: DataDisk, ids: readonly PipelineId[]): Promise<void> {
    for (const id of ids) {
      const home = new PipelineHome(disk, id)
      try {
        const description = await home.read()
        if (description === undefined) await home.remove()
        else await this.join(home, description)
      } catch (error) {
        if (!isStoreError(error)) throw error
        this.options.log.error({ pipeline: id, error }, 'what is known of a pipeline cannot be read')
        this.unreadable.set(id, home)
      }
    }
  }

  /**
   * While this disk was away its datanode became a member again on another one, as one that has lost its log. That vote counts: with two
   * logs one member could vote twice.
   */
  private async dropOlder(disk: DataDisk, id: PipelineId): Promise<void> {
    const { log } = this.options
    log.warn({ pipeline: id, path: disk.path }, 'a log is dropped: its pipeline is on another disk since')
    try {
      await new PipelineHome(disk, id).remove()
    } catch (error) {
      // It has failed then, and says so.
      if (!isStoreError(error)) throw error
      log.error({ pipeline: id, path: disk.path, error }, 'a log cannot be dropped')
    }
  }

  /** A disk that cannot list them has failed; the others have theirs. */
  private async idsOn(disk: DataDisk): Promise<readonly PipelineId[]> {
    try {
      return await pipelinesOn(disk)
    } catch (error) {
      if (!isStoreError(error)) throw error
      disk.scope.health.fail(error)
      return []
    }
  }

  private async join(home: PipelineHome, description: PipelineDescription): Promise<void> {
    const { env, log, self, containers, company, config } = this.options
    const group: PipelineGroup = new PipelineGroup({
      env,
      log,
      self,
      home,
      description,
      containers,
      transport: company.transport,
      source: ({ datanode, address }) => company.peer(datanode, address),
      config,
      onOwner: (container, owner) => {
        if (owner === 'nobody') this.owners.delete(container)
        else this.owners.set(container, group)
      },
    })
    await group.start()
    this.groups.set(description.pipeline, group)
  }

  private inTurn(id: PipelineId, action: () => Promise<void>): Promise<void> {
    if (this.isClosed) return Promise.reject(new StoreError('Closed', 'the datanode is closed'))
    const before = this.turns.get(id) ?? Promise.resolve()
    const turn = before.then(action)
    // The chain only gives the order; the failure belongs to the caller.
    const settled = turn.then(nothing, nothing)
    this.turns.set(id, settled)
    void settled.then(() => {
      if (this.turns.get(id) === settled) this.turns.delete(id)
    })
    return turn
  }
}

/** What is asked of a pipeline that is not here. */
export function unknownPipeline(pipeline: PipelineId): StoreError {
  return new StoreError('Unavailable', `this datanode is no member of pipeline ${pipeline}`, { details: { pipeline } })
}

function nothing(): void {}
