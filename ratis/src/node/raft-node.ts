/**
 * One member of a group: the core, which decides, between a log, a transport, a clock and a state machine, which act.
 *
 * Whatever happens (a message, a proposal, a write that is done) is told to the core at once; what the core then wants is taken
 * in one microtask for all that happened before it. So the proposals of a turn are one persist, one append, and one message to
 * each follower. A completed write is carried on in its own callback: a group of one applies and answers there.
 */

import type { Cancel, Env } from '@o3/common/env'
import { StoreError, type ErrorRecord } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import { nullLogger, type Logger } from '@o3/common/logger'
import type { LogIndex, Term } from '../api/api.ts'
import { membersOf, type Configuration } from '../core/configuration.ts'
import type { NodeId } from '../core/entry.ts'
import type { Message, SnapshotPlace } from '../core/message.ts'
import type { MembershipChange, Raft, RaftOptions, RaftStatus } from '../core/raft.ts'
import type { Persist, Ready, Role, RoleChange } from '../core/ready.ts'
import { recordBytes } from '../log/record.ts'
import type { SegmentedLog } from '../log/segmented-log.ts'
import { Applier } from './applier.ts'
import type { Consensus, StateMachine } from './consensus.ts'
import { LogFetcher } from './log-fetcher.ts'
import { isReached, nextStep } from './membership.ts'
import { Persister } from './persister.ts'
import { notLeader, refusalError } from './proposal-error.ts'
import { ReadBarriers } from './read-barriers.ts'
import { SnapshotInbox } from './snapshot-inbox.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { Ticks } from './ticks.ts'
import type { RaftTransport } from './transport.ts'

export interface RaftNodeParts {
  readonly env: Env
  readonly group: string
  readonly core: Raft
  readonly options: RaftOptions
  readonly log: SegmentedLog
  readonly transport: RaftTransport
  readonly machine: StateMachine
  readonly appliedIndex: LogIndex
  /** In force there. */
  readonly configuration: Configuration
  readonly limits: RaftNodeLimits
  readonly logger?: Logger
}

export interface RaftNodeLimits {
  /** A read that is not confirmed and applied by then rejects. Default 5,000. */
  readonly readDeadlineMs: number
  /** A change of the group that is not committed by then rejects; it may still happen. Default 600,000. */
  readonly membershipDeadlineMs: number
  /** For so long `close` tries to hand over, and then again to finish what is under way. Default 1,000. */
  readonly closeMs: number
  /** How often a full disk is tried again. Default 1,000. */
  readonly spaceRetryMs: number
}

export const defaultNodeLimits: RaftNodeLimits = {
  readDeadlineMs: 5_000,
  membershipDeadlineMs: 600_000,
  closeMs: 1_000,
  spaceRetryMs: 1_000,
}

export class RaftNode implements Consensus {
  readonly id: NodeId
  readonly log: SegmentedLog
  private readonly parts: RaftNodeParts
  private readonly core: Raft
  private readonly logger: Logger
  private readonly persister: Persister
  private readonly applier: Applier
  private readonly fetcher: LogFetcher
  private readonly sender: SnapshotSender
  private readonly inbox: SnapshotInbox
  private readonly barriers: ReadBarriers
  private readonly stopReceiving: () => void
  private readonly ticks: Ticks
  private cancelTick: Cancel = () => {}
  /** How often it ticks; 0: it has not begun. */
  private beatMs = 0
  private tickedMs = -Infinity
  private isScheduled = false
  private isPumping = false
  private isRunning = true
  private failure: StoreError | undefined
  private closing: Promise<void> | undefined
  /** The term in which the state machine was told that it may propose. */
  private leadTerm: Term | undefined
  /** Leads, and has not yet applied its first entry. */
  private rising: { readonly term: Term; readonly termStart: LogIndex } | undefined
  /** Whose addresses the transport knows. */
  private known: Configuration | undefined
  private readonly watchers = new Set<() => void>()

  constructor(parts: RaftNodeParts) {
    const { env, group, core, options, log, transport, machine, limits, logger = nullLogger } = parts
    this.parts = parts
    this.id = options.id
    this.log = log
    this.core = core
    this.ticks = transport.ticks ?? new Ticks(env.clock)
    this.logger = logger.child({ group, member: options.id })
    const onFailure = (error: StoreError): void => this.fail(error)
    const onTold = (): void => this.schedule()
    this.persister = new Persister({
      log,
      clock: env.clock,
      retryMs: limits.spaceRetryMs,
      install: (place) => this.install(place),
      onPersisted: (persist) => this.persisted(persist),
      onFailure,
    })
    this.applier = new Applier({
      env,
      log,
      core,
      appliedIndex: parts.appliedIndex,
      configuration: parts.configuration,
      apply: (entries) => machine.apply(entries),
      onApplied: () => this.applied(),
      onFailure,
    })
    this.fetcher = new LogFetcher({
      env,
      log,
      onFailure,
      onFetched: (to, entries) => {
        core.fetched(to, entries)
        this.schedule()
      },
    })
    this.sender = new SnapshotSender({ env, id: options.id, machine, core, logger: this.logger, onTold })
    this.inbox = new SnapshotInbox({ env, machine, core, logger: this.logger, onTold })
    this.barriers = new ReadBarriers({
      clock: env.clock,
      deadlineMs: limits.readDeadlineMs,
      appliedIndex: () => this.appliedIndex,
      notLeader: () => notLeader(core),
    })
    this.stopReceiving = transport.receive(group, (message) => this.receive(message))
  }

  get role(): Role {
    return this.core.role
  }

  get term(): Term {
    return this.core.term
  }

  get leader(): NodeId | undefined {
    return this.core.leader
  }

  get commitIndex(): LogIndex {
    return this.core.commitIndex
  }

  get appliedIndex(): LogIndex {
    return this.applier.appliedIndex
  }

  get configuration(): Configuration {
    return this.applier.configuration
  }

  get failed(): ErrorRecord | undefined {
    return this.failure?.toRecord()
  }

  get mayPropose(): boolean {
    return this.leadTerm !== undefined && this.core.role === 'leader' && this.leadTerm === this.core.term
  }

  status(): RaftStatus {
    return this.core.status()
  }

  /** To be called once: from now on it ticks. */
  start(): void {
    this.pump() // the state machine hears first that it follows
    this.tick()
    this.setBeat()
  }

  propose(payload: Uint8Array): LogIndex {
    this.expectOpen()
    if (!this.mayPropose) throw notLeader(this.core)
    if (recordBytes(payload.length) > this.log.maxAppendBytes) {
      throw new StoreError('TooLarge', 'the command does not fit into a segment of the log', {
        details: { bytes: payload.length, limit: this.log.maxAppendBytes },
      })
    }
    // The others may commit faster than our own disk takes it.
    if (this.persister.pendingBytes > this.parts.options.maxUncommittedBytes) throw refusalError('full', this.core)
    if (this.persister.isStalled) throw new StoreError('OutOfSpace', 'the disk of the log is full')
    const proposed = this.core.propose([payload])
    if (proposed.kind === 'refused') {
      // The heir leads in a moment: whoever finds leaders finds that one, and a `Busy` would be told to its caller.
      if (proposed.reason === 'transferring') throw new StoreError('NotLeader', 'leadership is being handed over')
      throw refusalError(proposed.reason, this.core)
    }
    this.schedule()
    return proposed.first
  }

  readBarrier(): Promise<void> | undefined {
    const error = this.stopped()
    if (error !== undefined) return Promise.reject(error)
    return this.barriers.enter((id) => {
      const index = this.core.readIndex(id, this.nowMs())
      if (index === undefined) this.schedule()
      return index
    })
  }

  async checkpointed(index: LogIndex, keepBytes: number): Promise<void> {
    const { log, core } = this
    // An install may have put the checkpoint further meanwhile.
    if (index > log.hardState.checkpointIndex) await log.saveHardState({ checkpointIndex: index })
    await log.truncateBefore(log.hardState.checkpointIndex + 1, keepBytes)
    // The core learns of it behind an install that is under way: before, it may not know that it is that far.
    if (this.isRunning && log.firstIndex <= this.appliedIndex + 1) core.compacted(log.firstIndex)
  }

  async transferLeadership(to?: NodeId): Promise<void> {
    this.expectOpen()
    const { electionTimeoutMs } = this.parts.options
    const refused = this.core.transferLeadership(to)
    if (refused !== undefined) throw refusalError(refused, this.core)
    this.schedule()
    if (await this.until(() => this.core.role !== 'leader', 2 * electionTimeoutMs)) return
    throw new StoreError('DeadlineExceeded', 'the lead was not taken over in time')
  }

  async changeMembership(change: MembershipChange): Promise<void> {
    const { membershipDeadlineMs } = this.parts.limits
    const endMs = this.nowMs() + membershipDeadlineMs
    const { term } = this.core
    let hasBegun = false
    while (!isReached(this.configuration, change)) {
      this.expectOpen()
      // A later term is not a place to go on in, though it be ours: others may have led between, and changed the group.
      if (this.core.role !== 'leader' || this.core.term !== term) {
        if (hasBegun) throw new StoreError('OutcomeUnknown', 'the lead was lost while the group was changing')
        throw notLeader(this.core)
      }
      if (this.nowMs() > endMs) throw new StoreError('DeadlineExceeded', 'the group did not change in time')
      const step = this.core.changeMembership(nextStep(this.core.configuration, change))
      if (step.kind === 'appended') hasBegun = true
      else if (step.reason === 'invalid-change' || step.reason === 'transferring') {
        throw refusalError(step.reason, this.core)
      }
      this.schedule()
      // Whatever held it up: a commit wakes it, the progress of a learner does not.
      await this.until(() => isReached(this.configuration, change), this.parts.options.heartbeatMs)
    }
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  // ------------------------------------------------------------------------------------------------- inputs

  private receive(message: Message): void {
    if (!this.isRunning || message.to !== this.id) return
    // What the leader has under way to us is bounded; this bounds what others make of it.
    const isBulk = message.kind === 'append' && message.entries.length > 0
    if (isBulk && this.persister.pendingBytes > 4 * this.parts.options.maxInflightBytes) return
    // What it answers promises something from now on, not from the last tick on: leases count on it.
    this.tellTime()
    this.core.step(message)
    this.schedule()
  }

  private tick(): void {
    if (!this.isRunning) return
    const { log } = this
    if (log.failed !== undefined) return this.fail(StoreError.fromRecord(log.failed))
    this.tickedMs = this.nowMs()
    this.core.tick(this.tickedMs)
    this.pump()
    if (this.fetcher.count + this.sender.count > 0) this.sweep()
  }

  private sweep(): void {
    this.parts.env.tasks.spawn('raft.sweep', async () => {
      await this.fetcher.sweep()
      await this.sender.sweep()
    })
  }

  private setBeat(): void {
    const { tickMs } = this
    if (!this.isRunning || tickMs === this.beatMs) return
    this.cancelTick()
    this.beatMs = tickMs
    this.cancelTick = this.ticks.every(tickMs, () => this.tick())
  }

  /** Who leads nobody has nobody to wait for. */
  private get tickMs(): number {
    const { electionTimeoutMs, heartbeatMs } = this.parts.options
    const isAlone = this.core.role === 'leader' && membersOf(this.core.configuration).length === 1
    return isAlone ? electionTimeoutMs : heartbeatMs / 2
  }

  private tellTime(): void {
    const nowMs = this.nowMs()
    if (nowMs - this.tickedMs < 1) return
    this.tickedMs = nowMs
    this.core.tick(nowMs)
  }

  private nowMs(): number {
    return this.parts.env.clock.monotonicMs()
  }

  // ------------------------------------------------------------------------------------------------ outputs

  private schedule(): void {
    if (this.isScheduled || !this.isRunning) return
    this.isScheduled = true
    queueMicrotask(() => {
      this.isScheduled = false
      this.pump()
    })
  }

  /** One `ready` at a time: what its own work leads to shares the next with all that comes in this turn. */
  private pump(): void {
    if (!this.isRunning) return
    this.isPumping = true
    const ready = this.core.ready()
    this.barriers.seal()
    if (ready !== undefined) this.carryOut(ready)
    this.isPumping = false
    if (ready !== undefined) this.schedule()
  }

  private carryOut(ready: Ready): void {
    const { persist, messages, apply, fetches, chunkReads, chunks, readStates, roleChange } = ready
    if (this.core.configuration !== this.known) this.meet(this.core.configuration)
    for (const message of messages) this.send(message)
    if (persist !== undefined) this.persister.submit(persist)
    for (const fetch of fetches) this.fetcher.fetch(fetch)
    for (const read of chunkReads) this.sender.read(read)
    for (const chunk of chunks) this.inbox.take(chunk)
    // Before the change of role: what was proposed and committed gets its answer.
    if (apply !== undefined) this.applier.applyTo(apply.last)
    for (const state of readStates) this.barriers.answer(state)
    if (roleChange !== undefined && this.isRunning) this.changeRole(roleChange)
  }

  private send(message: Message): void {
    if (this.parts.transport.send(this.parts.group, message)) return
    this.core.unreachable(message.to)
  }

  private persisted(persist: Persist): void {
    if (!this.isRunning) return
    for (const message of persist.messages) this.send(message)
    this.core.persisted(persist.id)
    if (this.isPumping) this.schedule()
    else this.pump()
  }

  private applied(): void {
    this.barriers.applied(this.appliedIndex)
    this.rise()
    this.wake()
  }

  private changeRole(change: RoleChange): void {
    const { role, term, leader, termStart } = change
    const { machine } = this.parts
    const isNewTerm = this.leadTerm !== term
    if (role !== 'leader' || (this.leadTerm !== undefined && isNewTerm)) {
      this.leadTerm = undefined
      this.rising = undefined
      machine.follow({ term, role: role === 'leader' ? 'candidate' : role, leader })
    }
    if (role === 'leader' && termStart !== undefined && isNewTerm) this.rising = { term, termStart }
    // Without a leader a member asks again and again: that is not news.
    if (leader === undefined) this.logger.debug({ role, term }, 'no leader')
    else this.logger.info({ role, term, leader }, 'leader')
    this.rise()
    this.setBeat()
    this.wake()
  }

  private rise(): void {
    const { rising } = this
    if (rising === undefined || this.appliedIndex < rising.termStart) return
    if (this.core.role !== 'leader' || this.core.term !== rising.term) return
    this.rising = undefined
    this.leadTerm = rising.term
    this.parts.machine.lead(rising.term)
  }

  /** New members, and new addresses of old ones. */
  private meet(configuration: Configuration): void {
    this.known = configuration
    for (const [id, address] of Object.entries(configuration.addresses)) {
      if (id === this.id) continue
      try {
        this.parts.transport.setAddress(id, address)
      } catch (error) {
        // It is in the log, so refusing it would stop every member; it cannot be reached until somebody corrects it.
        this.logger.warn({ error: StoreError.from(error), peer: id, address }, 'a member has no usable address')
      }
    }
    this.setBeat()
  }

  private async install(place: SnapshotPlace): Promise<void> {
    const { index, term, configuration } = place
    await this.applier.pause()
    await this.inbox.install({ index, term }, () => this.log.resetTo({ index, term }))
    await this.log.saveHardState({ checkpointIndex: index })
    this.applier.restartAt(index, configuration)
    this.applied()
  }

  // ---------------------------------------------------------------------------------------------------- end

  private stopped(): StoreError | undefined {
    if (this.failure !== undefined) return this.failure
    if (this.closing !== undefined) return new StoreError('Closed', 'this member is closed')
    return undefined
  }

  private expectOpen(): void {
    const error = this.stopped()
    if (error !== undefined) throw error
  }

  /** The log is dead: nobody is told anything any more, and others elect another leader. */
  private fail(error: StoreError): void {
    if (!this.isRunning) return
    this.failure =
      error.code === 'VolumeFailed'
        ? error
        : new StoreError('VolumeFailed', 'the log of this member failed', { cause: error })
    this.logger.error({ error }, 'the log failed; this member steps aside')
    this.halt(this.failure)
    this.parts.machine.fail(this.failure)
  }

  private halt(error: StoreError): void {
    this.isRunning = false
    this.cancelTick()
    this.stopReceiving()
    this.persister.stop()
    this.applier.stop()
    this.barriers.stop(error)
    this.leadTerm = undefined
    this.wake()
  }

  private async shut(): Promise<void> {
    if (this.isRunning) await this.handOver()
    if (this.isRunning) await this.finish()
    const wasLeading = this.leadTerm !== undefined
    if (this.isRunning) this.halt(new StoreError('Closed', 'this member is closed'))
    if (wasLeading && this.failure === undefined) {
      this.parts.machine.follow({ term: this.core.term, role: 'follower', leader: undefined })
    }
    await this.fetcher.stop()
    await this.sender.stop()
    await this.inbox.stop()
    await this.applier.settled()
    await this.log.close()
  }

  private async handOver(): Promise<void> {
    if (this.core.role !== 'leader' || this.core.transferLeadership(undefined) !== undefined) return
    this.schedule()
    await this.until(() => this.core.role !== 'leader', this.parts.limits.closeMs)
  }

  private async finish(): Promise<void> {
    const { env, limits } = this.parts
    this.pump()
    try {
      await withinDeadline(env.clock, limits.closeMs, 'finishing what is under way', this.settled())
    } catch (error) {
      // A full disk, or a slow one: what is not durable is as unknown to its callers as after a crash.
      this.logger.warn({ error: StoreError.from(error) }, 'closed before everything under way was done')
    }
  }

  private async settled(): Promise<void> {
    await this.persister.settled()
    await this.applier.settled()
  }

  /** Resolves with whether the condition came true within so long. */
  private until(condition: () => boolean, withinMs: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        this.watchers.delete(look)
        resolve(condition())
      }
      const look = (): void => {
        if (condition() || !this.isRunning) end()
      }
      const cancel = this.parts.env.clock.after(withinMs, end)
      this.watchers.add(look)
    })
  }

  private wake(): void {
    for (const look of this.watchers) look()
  }
}
