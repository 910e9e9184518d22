/** Calls to whichever member of a pipeline leads. */

import type { Clock, Random } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import { isAnswer } from '@o3/common/rpc'
import type { DatanodeId, PipelineId } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import { atMost } from '../core/at-most.ts'
import { failed, isAvoided } from '../core/replica-order.ts'
import type { ClientMetrics } from './client-metrics.ts'
import { isHere } from './container-places.ts'
import type { BlockReplica, FindDatanode, KnownDatanode, KnownPlace } from './container-places.ts'

export interface PipelineLeadersOptions {
  readonly clock: Clock
  readonly random: Random
  readonly datanode: FindDatanode
  readonly metrics: ClientMetrics
  /** The datanode of this process. */
  readonly local: DatanodeId | undefined
  /** How long one member has to answer before another one is asked. */
  readonly tryMs: number
}

/** A call that may be made several times: the same block with the same bytes is taken once. */
export interface LeaderCall<T> {
  readonly place: KnownPlace & { readonly pipeline: PipelineId }
  readonly deadlineMs: number
  readonly act: (datanode: BlockReplica) => Promise<T>
  /** What SCM says now: members may have moved. */
  readonly locateAgain: (failure: unknown) => Promise<KnownPlace>
}

interface Refused {
  readonly error: StoreError
  readonly members: readonly KnownDatanode[]
}

/**
 * Whoever says so, or is silent so, leads no more, perhaps: a leader whose container is closed is found again with one call,
 * and one that was started anew without its pipeline must not be asked first for ever.
 */
const leaderless = ['Unavailable', 'ContainerNotFound', 'VolumeFailed', 'OutcomeUnknown', 'DeadlineExceeded'] as const

const maxRememberedLeaders = 4 * 1024
const firstPauseMs = 50
const maxPauseMs = 400

/**
 * Asks the leader that is remembered, follows what a `NotLeader` names, and goes round the others with growing pauses until
 * the deadline. While the leader of a pipeline is not known, one call searches and the others wait for what it finds:
 * otherwise every election would be greeted by all writers at once.
 */
export class PipelineLeaders {
  private readonly options: PipelineLeadersOptions
  private readonly leaders = new LRUCache<PipelineId, DatanodeId>(atMost(maxRememberedLeaders))
  private readonly searches = new Map<PipelineId, Promise<void>>()

  constructor(options: PipelineLeadersOptions) {
    this.options = options
  }

  /**
   * Resolves with the leader's answer. Rejects with what the leader refuses; `Unavailable` when it surely did not happen (the
   * container or the pipeline is closed, or nobody led it in time); `OutcomeUnknown` when it may have.
   */
  async call<T>(call: LeaderCall<T>): Promise<T> {
    const round = new LeaderRound(this.options, call)
    const { pipeline } = call.place
    let endSearch: (() => void) | undefined
    try {
      for (;;) {
        const leader = this.leaders.get(pipeline)
        const search = leader === undefined ? this.searches.get(pipeline) : undefined
        if (search !== undefined && endSearch === undefined) {
          await round.upTo(search)
          continue
        }
        if (leader === undefined) endSearch ??= this.beginSearch(pipeline)
        const member = round.next(leader)
        if (member === undefined) {
          await round.pause()
          continue
        }
        const result = await this.ask(member, call, round)
        if (result !== undefined) return result.value
      }
    } finally {
      endSearch?.()
    }
  }

  private async ask<T>(
    member: KnownDatanode,
    call: LeaderCall<T>,
    round: LeaderRound,
  ): Promise<{ readonly value: T } | undefined> {
    const { pipeline } = call.place
    try {
      const value = await this.once(member, call, round)
      this.leaders.set(pipeline, member.id)
      return { value }
    } catch (error) {
      if (isStoreError(error, 'NotLeader')) this.follow(pipeline, member, { error, members: round.members })
      else if (isStoreError(error, ...leaderless)) this.forget(pipeline, member)
      round.judge(member, error)
      return undefined
    }
  }

  private once<T>(member: KnownDatanode, call: LeaderCall<T>, round: LeaderRound): Promise<T> {
    const { datanode: find, clock, tryMs } = this.options
    const datanode = find(member.id, member.address)
    if (datanode === undefined) throw new StoreError('Unavailable', `datanode ${member.id} is not known here`)
    const acting = call.act(datanode)
    // The log of this process refers to the caller's bytes until it has answered, so it is waited for; and it answers: a
    // leader without its majority steps down. What another process is sent carries a checksum, and may be given up.
    if (isHere(member, this.options.local)) return acting
    return withinDeadline(clock, Math.min(tryMs, round.leftMs), 'a write through a pipeline', acting)
  }

  private follow(pipeline: PipelineId, asked: KnownDatanode, { error, members }: Refused): void {
    const { clock, metrics } = this.options
    metrics.leaderSearches.add()
    const named = members.find(({ id }) => id === error.details['leader'])
    // Followers name a leader that has just died until there is another one.
    if (named !== undefined && named !== asked && !isAvoided(named.standing, clock.monotonicMs())) {
      this.leaders.set(pipeline, named.id)
    } else this.forget(pipeline, asked)
  }

  private forget(pipeline: PipelineId, member: KnownDatanode): void {
    if (this.leaders.get(pipeline) === member.id) this.leaders.delete(pipeline)
  }

  private beginSearch(pipeline: PipelineId): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.searches.set(pipeline, promise)
    return () => {
      this.searches.delete(pipeline)
      resolve()
    }
  }
}

/** One call's way round the members. */
class LeaderRound {
  private readonly options: PipelineLeadersOptions
  private readonly call: LeaderCall<unknown>
  private readonly untilMs: number
  members: readonly KnownDatanode[]
  private readonly asked = new Set<DatanodeId>()
  /** What members said that refuse, and are not known to lead. */
  private readonly refusals = new Map<DatanodeId, StoreError>()
  private last: unknown
  private isOutOfReach = false
  private mayHaveHappened = false
  private pauseMs = firstPauseMs
  private believed: DatanodeId | undefined

  constructor(options: PipelineLeadersOptions, call: LeaderCall<unknown>) {
    this.options = options
    this.call = call
    this.members = call.place.members
    this.untilMs = options.clock.monotonicMs() + call.deadlineMs
  }

  get leftMs(): number {
    return this.untilMs - this.options.clock.monotonicMs()
  }

  /** Whom to ask; undefined when all were asked. Throws when the time is over. */
  next(leader: DatanodeId | undefined): KnownDatanode | undefined {
    if (this.leftMs <= 0) throw this.failure('the pipeline has no leader that answers')
    const nowMs = this.options.clock.monotonicMs()
    const left = this.members.filter(({ id }) => !this.asked.has(id))
    const member =
      left.find(({ id }) => id === leader) ?? left.find(({ standing }) => !isAvoided(standing, nowMs)) ?? left[0]
    if (member === undefined) return undefined
    this.asked.add(member.id)
    this.believed = member.id === leader ? leader : undefined
    return member
  }

  /** Throws when the failure is the answer. */
  judge(member: KnownDatanode, error: unknown): void {
    if (!(error instanceof StoreError)) throw error
    this.last = error
    const { code } = error
    if (code === 'Busy') return
    if (code === 'NotLeader') {
      this.hearOf(error.details['leader'])
    } else if (code === 'OutcomeUnknown' || code === 'DeadlineExceeded') {
      this.mayHaveHappened = true
      this.fault(member)
    } else if (code === 'Unavailable' || code === 'ContainerNotFound' || code === 'VolumeFailed') {
      if (isHere(member, this.options.local) || isAnswer(error)) this.refused(member, error)
      else this.fault(member)
    } else {
      throw this.mayHaveHappened && error.category !== 'invalid' ? this.failure(error.message) : error
    }
  }

  /** All were asked: waits a little, and begins anew, where SCM says now. */
  async pause(): Promise<void> {
    if (this.refusals.size >= this.members.length) throw this.failure('no member of the pipeline takes the block')
    const { clock, random } = this.options
    if (this.isOutOfReach) await this.locateAgain()
    const pauseMs = this.pauseMs * (0.5 + random.fraction() / 2)
    await clock.sleep(Math.max(0, Math.min(pauseMs, this.leftMs)))
    this.pauseMs = Math.min(maxPauseMs, this.pauseMs * 2)
    this.asked.clear()
    this.refusals.clear()
    this.isOutOfReach = false
  }

  /** Waits for what another call does. */
  async upTo(other: Promise<void>): Promise<void> {
    if (this.leftMs <= 0) throw this.failure('the pipeline has no leader that answers')
    try {
      await withinDeadline(this.options.clock, this.leftMs, 'the search for the leader', other)
    } catch (error) {
      // It goes on in the name of the other call; this one has its own deadline, and looks at it next.
      if (!isStoreError(error, 'DeadlineExceeded')) throw error
    }
  }

  /**
   * A leader that refuses has the last word: the container is closed there, and for ever. One that does not lead, for all we
   * know, may just not know the pipeline yet.
   */
  private refused(member: KnownDatanode, error: StoreError): void {
    if (this.believed === member.id) throw this.mayHaveHappened ? this.failure(error.message) : error
    this.refusals.set(member.id, error)
  }

  /** A member names the leader, which has refused already. */
  private hearOf(leader: unknown): void {
    const refusal = typeof leader === 'string' ? this.refusals.get(leader) : undefined
    if (refusal !== undefined) throw this.mayHaveHappened ? this.failure(refusal.message) : refusal
  }

  private fault(member: KnownDatanode): void {
    this.isOutOfReach = true
    member.standing = failed(member.standing, this.options.clock.monotonicMs())
  }

  private async locateAgain(): Promise<void> {
    const { place, locateAgain } = this.call
    const found = await locateAgain(this.failure('the members of the pipeline cannot be reached'))
    if (found.pipeline !== place.pipeline) throw this.failure('the container takes no writes any more')
    this.members = found.members
  }

  private failure(message: string): StoreError {
    const { container, pipeline } = this.call.place
    return new StoreError(this.mayHaveHappened ? 'OutcomeUnknown' : 'Unavailable', message, {
      details: { container, pipeline },
      cause: this.last,
    })
  }
}
