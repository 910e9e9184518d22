/** One pipeline on this datanode: its member of the group, and what clients and SCM ask of it. */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { Logger } from '@o3/common/logger'
import { noConfiguration, openRaftNode } from '@o3/ratis/node'
import type { Configuration, RaftNode, RaftTransport } from '@o3/ratis/node'
import type { BlockId, ContainerId, DatanodeId, PipelineId, PipelineMember, PipelineReport } from '@o3/scm/api'
import type { AgreedBlock } from '../api/api.ts'
import type { PipelineConfig } from '../config.ts'
import type { PipelineDescription } from '../core/pipeline-description.ts'
import { encodeEntry, encodeWriteBlock } from '../core/pipeline-entry.ts'
import { totalLength } from '../storage/checksum.ts'
import type { Container } from '../storage/container.ts'
import type { DataDisk } from '../storage/data-disk.ts'
import { BlockFetcher, checksumOf } from './block-fetcher.ts'
import type { BlockSource } from './block-fetcher.ts'
import { ContainerGate } from './container-gate.ts'
import type { Admitted } from './container-gate.ts'
import { drainLog, logOptions } from './drain-log.ts'
import { EntryApplier, sealAlone } from './entry-applier.ts'
import type { PipelineContainers, Settled } from './entry-applier.ts'
import type { PipelineHome } from './pipeline-home.ts'
import { PipelineMachine } from './pipeline-machine.ts'
import { PipelineRecord } from './pipeline-record.ts'
import type { PipelineRecordOptions } from './pipeline-record.ts'
import { PipelineStreams, closedContainer, keyOf } from './pipeline-streams.ts'
import type { ReplicaWriter } from './pipeline-streams.ts'

export interface PipelineGroupOptions {
  readonly env: Env
  readonly log: Logger
  /** Of this datanode. */
  readonly self: DatanodeId
  readonly home: PipelineHome
  readonly description: PipelineDescription
  readonly containers: PipelineContainers
  readonly transport: RaftTransport
  readonly source: (member: PipelineMember) => BlockSource | undefined
  readonly config: PipelineConfig
  readonly onOwner: PipelineRecordOptions['onOwner']
}

/** A write that is under way, or committed and not yet in its container. */
interface Writing {
  readonly lengthBytes: number
  readonly checksum: number
  readonly done: Promise<void>
}

export class PipelineGroup {
  readonly id: PipelineId
  private readonly options: PipelineGroupOptions
  private readonly log: Logger
  private readonly streams = new PipelineStreams()
  private readonly applier: EntryApplier
  private readonly machine: PipelineMachine
  private readonly writing = new Map<string, Writing>()
  private readonly record: PipelineRecord
  private readonly gate = new ContainerGate()
  private node: RaftNode | undefined
  private knownTerm = 0
  private withdrawal: Promise<Settled> | undefined

  constructor(options: PipelineGroupOptions) {
    const { env, description, config } = options
    this.options = options
    this.id = description.pipeline
    this.log = options.log.child({ pipeline: this.id })
    this.record = new PipelineRecord(options)
    const fetcher = new BlockFetcher({
      clock: env.clock,
      log: this.log,
      silenceMs: config.silenceMs,
      maxFetches: config.maxFetches,
      source: (id) => this.sourceOf(id),
    })
    this.applier = new EntryApplier({
      clock: env.clock,
      log: this.log,
      containers: options.containers,
      streams: this.streams,
      fetcher,
      adopt: (id) => this.record.adopt(id),
      kept: this.record,
      onSealed: (id) => this.record.release(id),
      ...config,
    })
    this.machine = new PipelineMachine({
      tasks: env.tasks,
      log: this.log,
      applier: this.applier,
      members: this.configuration,
      limits: config,
      onFailure: (error) => this.onFailure(error),
    })
  }

  get disk(): DataDisk {
    return this.options.home.disk
  }

  /** Takes part when it resolves, or is `failed`: a pipeline that does not open must not keep the others from it. */
  async start(): Promise<void> {
    const { description, env } = this.options
    this.record.announce()
    if (description.state === 'member') return await this.join()
    env.tasks.spawn('hdds.pipeline.drain', () =>
      this.orLog('a withdrawn member has not drained its log', this.withdraw()),
    )
  }

  report(): PipelineReport {
    const { node, id } = this
    const isOpen = node !== undefined && this.machine.failed === undefined && this.withdrawal === undefined
    const term = Math.max(this.knownTerm, node?.term ?? 0)
    // Elected, it first has to apply what earlier leaders committed.
    const isRising = isOpen && node.role === 'leader' && !node.mayPropose
    const leader: string | undefined = isOpen && !isRising ? node.leader : undefined
    return { id, state: isOpen ? 'open' : 'failed', leader, term }
  }

  /** The same pipeline; its members may listen elsewhere by now. */
  async meet(members: readonly PipelineMember[]): Promise<void> {
    if (!(await this.record.move(members))) return
    const { self, transport } = this.options
    for (const { datanode, address } of members) {
      if (datanode !== self) transport.setAddress(datanode as string, address)
    }
  }

  // ------------------------------------------------------------------------------------------------------ blocks

  /**
   * Durable in the logs of a majority when it resolves, with the block's checksum; every member will have it. Repeated with
   * the same bytes it is answered alike, with others `InvalidArgument`. `NotLeader` (details: `leader`), `Busy`,
   * `Unavailable` when the pipeline or the container takes no blocks, `OutcomeUnknown`.
   */
  async writeBlock(block: BlockId, pieces: readonly Uint8Array[]): Promise<number> {
    const checksum = checksumOf(pieces)
    const lengthBytes = totalLength(pieces)
    const key = keyOf(block)
    const twin = this.writing.get(key)
    if (twin !== undefined) {
      if (twin.checksum !== checksum || twin.lengthBytes !== lengthBytes) throw writtenBefore(block)
      await twin.done
      return checksum
    }
    const done = this.proposeBlock(block, pieces)
    const forget = (): void => void this.writing.delete(key)
    this.writing.set(key, { lengthBytes, checksum, done })
    // Until it is in its container, this is what remembers it.
    done.then(() => this.applier.whenApplied(block)).then(forget, forget)
    await done
    return checksum
  }

  private async proposeBlock(block: BlockId, pieces: readonly Uint8Array[]): Promise<void> {
    const container = await this.writable(block.container, 'new')
    const { local } = block
    if (container.mayHave(local)) {
      await this.applier.whenApplied(block)
      const row = await container.find(container.current, local)
      if (row !== undefined) return void (await container.writeBlock(local, pieces))
    }
    this.expectLeading(block.container, 'new')
    await this.propose(block.container, encodeWriteBlock(block, pieces))
  }

  /** Writes into this replica alone. `Unavailable`, `InvalidArgument`, `OutOfSpace`, `VolumeFailed`. */
  async openWriter(block: BlockId): Promise<ReplicaWriter> {
    const container = await this.obtain(block.container, 'new')
    const writer = await container.openWriter(block.local)
    if (this.takesBlock(block.container, 'new')) return this.streams.begin(block, writer)
    await writer.abort()
    throw closedContainer(block.container)
  }

  /** Durable in the logs of a majority when it resolves. As `writeBlock`; `InvalidArgument` for holders that are no majority. */
  async agreeBlock({ block, lengthBytes, checksum, holders }: AgreedBlock): Promise<void> {
    const known = new Set(holders.filter((holder) => this.record.addressOf(holder) !== undefined))
    if (known.size * 2 <= this.record.members.length) {
      throw new StoreError('InvalidArgument', 'the holders of a block are not a majority of its pipeline')
    }
    await this.writable(block.container, 'begun')
    this.expectLeading(block.container, 'begun')
    const entry = encodeEntry({ kind: 'agree-block', block, lengthBytes, checksum, holders: [...known] })
    await this.propose(block.container, entry)
  }

  /**
   * Reads what may be in the log and not yet in the container. A block that is not there is known not to have been
   * acknowledged before the read began; `Unavailable` when nobody can know that now.
   */
  async whenWritten<T>(block: BlockId, read: (how: 'at-once' | 'waited') => Promise<T>): Promise<T> {
    const how = await this.whenApplied(block)
    try {
      return await read(how)
    } catch (error) {
      if (!isStoreError(error, 'BlockNotFound', 'ContainerNotFound')) throw error
    }
    await this.catchUp()
    await this.whenApplied(block)
    return await read('waited')
  }

  private async whenApplied(block: BlockId): Promise<'at-once' | 'waited'> {
    const applying = this.applier.whenApplied(block)
    if (applying === undefined) return 'at-once'
    const { env, config } = this.options
    try {
      await withinDeadline(env.clock, config.silenceMs, 'a block on its way into its container', applying)
      return 'waited'
    } catch (cause) {
      // Its disk is full, or none of its holders answers: another replica may have it.
      throw new StoreError('Unavailable', `block ${keyOf(block)} is not here yet`, { cause })
    }
  }

  private async catchUp(): Promise<void> {
    try {
      if (this.withdrawal !== undefined) await this.withdrawal
      else await this.running().readBarrier()
    } catch (cause) {
      if (!isStoreError(cause)) throw cause
      throw new StoreError('Unavailable', `this replica of pipeline ${this.id} may lag behind`, { cause })
    }
  }

  // -------------------------------------------------------------------------------------------------- containers

  /**
   * Has the container, durably, also where no block of it ever came. As long as this member takes part it is the log that closes
   * it: without that it would look like one that has no pipeline, and be closed by agreement with nobody. Of one that has left, the log
   * still says whether anything was written here. Idempotent. `OutOfSpace`, `ContainerNotFound` when it was deleted.
   */
  async takeIn(id: ContainerId): Promise<void> {
    const { containers } = this.options
    const container = containers.find(id) ?? (await containers.obtain(id))
    if (!container.isOpen || this.applier.isClosing(id)) return
    const adoption = this.record.adopt(id)
    if (this.takesPart) await adoption
    else if (adoption !== undefined)
      await this.orLog("a container is nobody's: it will be sealed as a copy is", adoption)
  }

  /** At the leader: all that was acknowledged is in the container, everywhere, when it is sealed. Idempotent. `NotLeader`. */
  closeContainer(id: ContainerId): Promise<void> {
    return this.gate.closing(id, () => this.closeAgreed(id))
  }

  private async closeAgreed(id: ContainerId): Promise<void> {
    const { containers, env, config } = this.options
    const node = this.running()
    if (containers.find(id)?.isSealed !== false) return
    if (!node.mayPropose) throw this.notLeader()
    // Clients are in the middle of their blocks: a container that is full must not cost them those.
    await this.streams.quiet(id, env.clock, config.closePatienceMs)
    await this.gate.finish(id)
    const isComplete = await this.applier.settle(id)
    const contentHash = isComplete ? await this.applier.agreedHash(id) : undefined
    await this.machine.propose(encodeEntry({ kind: 'close-container', container: id, contentHash }))
    await this.applier.whenClosed(id)
  }

  /**
   * The pipeline is lost: seals the container with what is here and in the log, committed or not; it is `QUASI_CLOSED`. From
   * now on this member takes no more part: what it would still acknowledge could not come into the container. `VolumeFailed`.
   */
  async sealAlone(id: ContainerId): Promise<void> {
    const drained = await this.withdraw()
    const container = this.options.containers.find(id)
    if (container === undefined) return
    await container.close({ how: sealAlone(this.record, id, drained) })
    this.streams.forget(id)
    this.record.release(id)
  }

  /** Seals alone what is still open and forgets the pipeline, durably. */
  async dissolve(): Promise<void> {
    await this.withdraw()
    for (const id of this.record.containers) {
      try {
        await this.sealAlone(id)
      } catch (error) {
        if (!isStoreError(error, 'VolumeFailed')) throw error
        this.log.error({ container: id, error }, 'a container of a closed pipeline cannot be sealed: its disk failed')
        this.record.release(id)
      }
    }
    await this.options.home.remove()
  }

  /** Finishes what is under way, and closes the log. Idempotent. */
  async close(): Promise<void> {
    const { clock } = this.options.env
    const { node } = this
    if (node !== undefined && this.machine.failed === undefined && this.withdrawal === undefined) {
      try {
        await withinDeadline(clock, this.options.config.stopMs, 'applying the log', this.applier.idle())
        await this.machine.checkpoint()
      } catch (error) {
        if (!isStoreError(error)) throw error
        this.log.info({ error }, 'the next start applies the end of the log again')
      }
    }
    this.machine.stop()
    await this.closeNode()
    this.applier.stop(new StoreError('Closed', 'the datanode is closed'))
    if (this.withdrawal !== undefined) await this.orLog('this member had not left its pipeline', this.withdrawal)
  }

  private propose(id: ContainerId, payload: Uint8Array): Promise<void> {
    return this.gate.track(id, this.machine.propose(payload))
  }

  // --------------------------------------------------------------------------------------------------- membership

  private async join(): Promise<void> {
    const { env, self, transport, home, config } = this.options
    try {
      this.node = await openRaftNode({
        env,
        id: self as string,
        group: `hdds/${this.id}`,
        directory: home.logDirectory,
        // Its description says that there was a log: one that is not here was lost, and so was the right to vote.
        log: { ...logOptions(config), expectExisting: true },
        transport,
        recover: async (log) => {
          // Before it gets back what it lost, and forgets that it had.
          if (!log.hardState.mayVote) await this.record.rejoin()
          return await this.machine.recover(log)
        },
        bootstrap: this.configuration,
        raft: { electionTimeoutMs: config.electionTimeoutMs, heartbeatMs: config.heartbeatMs },
        logger: this.log,
      })
      this.machine.attach(this.node)
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.log.error({ error }, 'a pipeline does not open')
      this.machine.fail(error)
    }
  }

  private withdraw(): Promise<Settled> {
    // A disk that is full now may have room when it is asked again.
    this.withdrawal ??= this.leave().catch((error: unknown) => {
      this.withdrawal = undefined
      throw error
    })
    return this.withdrawal
  }

  private async leave(): Promise<Settled> {
    const { env, home, config, containers } = this.options
    this.knownTerm = Math.max(this.knownTerm, this.node?.term ?? 0)
    try {
      await this.record.withdraw()
    } catch (error) {
      // No restart takes part with a disk that has failed, unless it finds it sound: and then SCM says again what it wants.
      if (!isStoreError(error, 'VolumeFailed')) throw error
      this.log.error({ error }, 'it was not written down that this member has left a pipeline')
    }
    this.machine.stop()
    await this.closeNode()
    for (const id of this.record.containers) if (containers.find(id)?.isSealed === false) await this.streams.close(id)
    const { log, applier } = this
    const { durableIndex } = this.machine
    const drained = await drainLog({ env, log, directory: home.logDirectory, config, applier, durableIndex })
    this.knownTerm = Math.max(this.knownTerm, drained.term)
    applier.stop(new StoreError('Closed', 'this member has left the pipeline'))
    return drained
  }

  private onFailure(error: StoreError): void {
    this.log.error({ error }, 'a pipeline failed here')
    this.options.env.tasks.spawn('hdds.pipeline.step-aside', () => this.closeNode())
  }

  private async closeNode(): Promise<void> {
    if (this.node !== undefined) await this.orLog('the log of a pipeline was not closed well', this.node.close())
  }

  private async orLog(message: string, action: Promise<unknown>): Promise<void> {
    try {
      await action
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.log.warn({ error }, message)
    }
  }

  private get configuration(): Configuration {
    const { members } = this.record
    const addresses = Object.fromEntries(members.map(({ datanode, address }) => [datanode, address]))
    return { ...noConfiguration, voters: members.map(({ datanode }): string => datanode), addresses }
  }

  private sourceOf(id: DatanodeId): BlockSource | undefined {
    const address = this.record.addressOf(id)
    if (address === undefined || id === this.options.self) return undefined
    try {
      return this.options.source({ datanode: id, address })
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.log.warn({ member: id, address, error }, 'a member of a pipeline cannot be called')
      return undefined
    }
  }

  // ----------------------------------------------------------------------------------------------------- refusals

  private get takesPart(): boolean {
    return this.node !== undefined && this.machine.failed === undefined && this.withdrawal === undefined
  }

  private running(): RaftNode {
    if (this.node !== undefined && this.takesPart) return this.node
    const message = `pipeline ${this.id} takes no more blocks here`
    throw new StoreError('Unavailable', message, { details: { pipeline: this.id } })
  }

  private takesBlock(id: ContainerId, block: Admitted): boolean {
    this.running()
    return !this.applier.isClosing(id) && this.gate.admits(id, block)
  }

  private async obtain(id: ContainerId, block: Admitted): Promise<Container> {
    if (!this.takesBlock(id, block)) throw closedContainer(id)
    const { containers } = this.options
    const before = containers.find(id)
    if (before?.isOpen === false) throw closedContainer(id)
    // See `EntryApplier`: in this order.
    await this.record.adopt(id)
    const container = before ?? (await this.create(id))
    if (!container.isOpen) throw closedContainer(id)
    return container
  }

  private async create(id: ContainerId): Promise<Container> {
    try {
      return await this.options.containers.obtain(id)
    } catch (error) {
      // It was deleted: nobody's.
      if (isStoreError(error, 'ContainerNotFound')) this.record.release(id)
      throw error
    }
  }

  /** At the leader only: a follower makes no container for what it refuses. */
  private async writable(id: ContainerId, block: Admitted): Promise<Container> {
    if (!this.running().mayPropose) throw this.notLeader()
    return await this.obtain(id, block)
  }

  /** In the turn of the proposal, so that nothing is proposed behind the close of its container. */
  private expectLeading(id: ContainerId, block: Admitted): void {
    if (!this.takesBlock(id, block)) throw closedContainer(id)
    if (!this.running().mayPropose) throw this.notLeader()
  }

  private notLeader(): StoreError {
    const leader: string | undefined = this.node?.leader
    if (leader === undefined || leader === this.options.self)
      return new StoreError('NotLeader', `pipeline ${this.id} has no leader that is known here`)
    const address = this.record.addressOf(leader)
    const details = { leader, ...(address !== undefined && { address }) }
    return new StoreError('NotLeader', `${leader} leads pipeline ${this.id}`, { details })
  }
}

function writtenBefore({ container, local }: BlockId): StoreError {
  return new StoreError('InvalidArgument', `block ${container}/${local} was written before`, {
    details: { container, local },
  })
}
