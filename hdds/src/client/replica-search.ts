/** One reader's way through the replicas of a block. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BlockId, DatanodeId } from '@o3/scm/api'
import type { HedgePolicy } from '../core/hedge-policy.ts'
import { meaningOfReadFailure, mostTelling } from '../core/replica-failures.ts'
import { answered, failed, isAvoided, orderReplicas, outrun } from '../core/replica-order.ts'
import type { ReplicaDistance, ReplicaStanding } from '../core/replica-order.ts'
import type { ClientMetrics } from './client-metrics.ts'
import { isFaultOf, isHere, isSameLayout, unreachableContainer } from './container-places.ts'
import type {
  BlockReplica,
  ContainerPlaces,
  EncodedPlace,
  FindDatanode,
  KnownDatanode,
  KnownPlace,
} from './container-places.ts'
import { ReplicaRace } from './replica-race.ts'
import type { Asked, Contender, Won } from './replica-race.ts'

/** What all readers of a process share. */
export interface ReadContext {
  readonly clock: Clock
  readonly places: ContainerPlaces
  readonly datanode: FindDatanode
  readonly hedging: HedgePolicy
  readonly metrics: ClientMetrics
  /** The datanode of this process, and where this process stands. */
  readonly local: DatanodeId | undefined
  readonly rack: string | undefined
  /** The longest silence of a replica while there are others. */
  readonly silenceMs: number
}

/** A replica that can be asked. */
export interface Replica {
  readonly member: KnownDatanode
  readonly address: string | undefined
  readonly datanode: BlockReplica
  readonly distance: ReplicaDistance
  readonly standing: ReplicaStanding
}

export type Found<T> =
  | { readonly kind: 'answer'; readonly replica: Replica; readonly value: T }
  /** It has no replicas any more: it was encoded, perhaps since the reader began. */
  | { readonly kind: 'encoded'; readonly place: EncodedPlace }

/**
 * Finds a replica that answers. Each is asked once, until some bytes were read: then those that failed before are worth
 * asking again, for damage is at one place of a block and silence at one time. SCM is asked for the place once more before
 * it gives up.
 */
export class ReplicaSearch {
  private readonly context: ReadContext
  private readonly block: BlockId
  private place: KnownPlace
  private readonly tried = new Map<DatanodeId, string | undefined>()
  private readonly failures = new Map<DatanodeId, StoreError>()
  private wasLocatedAgain = false
  private wasOutOfPlace = false
  private hasPatience = true
  private isCancelled = false
  private race: { cancel(): void } | undefined

  constructor(context: ReadContext, block: BlockId, place: KnownPlace) {
    this.context = context
    this.block = block
    this.place = place
    context.metrics.reads.add()
    context.hedging.began()
  }

  /**
   * Rejects with what the request itself is refused for, or, when nobody is left, with the most telling of the failures.
   * `Aborted` when it was cancelled.
   */
  async find<T>(ask: (replica: Replica) => Asked<T>): Promise<Found<T>> {
    for (;;) {
      if (this.place.encoded !== undefined) return { kind: 'encoded', place: this.place.encoded }
      const won = this.isCancelled ? undefined : await this.ask(ask)
      if (this.isCancelled) throw new StoreError('Aborted', 'the read was given up')
      if (won !== undefined) {
        this.noteWinner(won)
        return { kind: 'answer', replica: won.contender.replica, value: won.value }
      }
      if (!(await this.locateAgain()) && !this.askSilentOnesAgain()) throw this.outcome()
    }
  }

  /** Whether there is a replica that was not asked yet, good or bad. */
  get hasUntried(): boolean {
    return this.place.members.some((member) => !this.wasTried(member))
  }

  /** Whether another replica is worth more than waiting for the one that is being read. */
  get hasOthers(): boolean {
    const nowMs = this.context.clock.monotonicMs()
    return this.place.members.some((member) => !this.wasTried(member) && !isAvoided(member.standing, nowMs))
  }

  /**
   * What was encoded could not be read there: it may have been encoded anew since, or its shards moved. Throws the failure where
   * SCM knows of no other place than that, or it is not one of places.
   */
  async leftEncoded(failure: unknown): Promise<void> {
    const { places, metrics } = this.context
    const { encoded } = this.place
    if (meaningOfReadFailure(failure) === 'answer' || isStoreError(failure, 'BlockNotFound')) throw failure
    this.place = await places.locateAgain(this.block.container, failure)
    if (encoded !== undefined && this.place.encoded !== undefined && isSameLayout(encoded, this.place.encoded))
      throw failure
    metrics.switches.add()
  }

  /** The replica that answered has failed since. Throws what is no fault of the replica. */
  left(replica: Replica, error: unknown): void {
    this.note(replica, error)
    const { metrics } = this.context
    metrics.switches.add()
    if (isStoreError(error, 'DeadlineExceeded')) metrics.silentReplicas.add()
  }

  /** Bytes were read since the last failure. */
  progressed(replica: Replica): void {
    if (this.failures.size === 0 && this.tried.size === 1) return
    this.tried.clear()
    this.failures.clear()
    this.tried.set(replica.member.id, replica.address)
    this.wasLocatedAgain = false
    this.hasPatience = true
  }

  cancel(): void {
    this.isCancelled = true
    this.race?.cancel()
  }

  private async ask<T>(ask: (replica: Replica) => Asked<T>): Promise<Won<Replica, T> | undefined> {
    const { clock, hedging, silenceMs } = this.context
    const race = new ReplicaRace<Replica, T>({
      clock,
      replicas: this.untried(),
      ask: (replica) => {
        this.tried.set(replica.member.id, replica.address)
        return ask(replica)
      },
      hedgeAfterMs: hedging.afterMs,
      mayHedge: () => this.mayHedge(),
      silenceMs,
      silent: () => this.context.metrics.silentReplicas.add(),
      failed: ({ replica }, error) => this.note(replica, error),
    })
    this.race = race
    try {
      return await race.run()
    } finally {
      this.race = undefined
    }
  }

  private untried(): Replica[] {
    const { clock, datanode: find } = this.context
    const replicas: Replica[] = []
    for (const member of this.place.members) {
      if (this.wasTried(member)) continue
      const { address, standing } = member
      const datanode = find(member.id, address)
      if (datanode !== undefined) {
        replicas.push({ member, address, datanode, standing, distance: this.distanceOf(member) })
      }
    }
    return orderReplicas(replicas, { nowMs: clock.monotonicMs(), turn: this.block.local })
  }

  /** Where it has moved since, it was not. */
  private wasTried({ id, address }: KnownDatanode): boolean {
    return this.tried.has(id) && this.tried.get(id) === address
  }

  private distanceOf(member: KnownDatanode): ReplicaDistance {
    const { rack } = member
    if (isHere(member, this.context.local)) return 0
    return rack !== undefined && rack === this.context.rack ? 1 : 2
  }

  private mayHedge(): boolean {
    if (!this.context.hedging.take()) return false
    this.context.metrics.hedges.add()
    return true
  }

  private noteWinner<T>({ contender, outrun: losers }: Won<Replica, T>): void {
    const { clock, hedging, metrics } = this.context
    const nowMs = clock.monotonicMs()
    const latencyMs = nowMs - contender.startedMs
    const { member } = contender.replica
    member.standing = answered(member.standing, latencyMs, nowMs)
    hedging.measured(latencyMs)
    if (contender.why === 'hedge') metrics.hedgesWon.add()
    for (const loser of losers) this.noteLoser(loser, nowMs)
    if (this.wasOutOfPlace) this.context.places.doubt(this.place)
  }

  /** It may still be asked by this reader: it has not failed. */
  private noteLoser({ replica: { member }, startedMs }: Contender<Replica, unknown>, nowMs: number): void {
    const waitedMs = nowMs - startedMs
    this.tried.delete(member.id)
    const { standing } = member
    member.standing = waitedMs < this.context.silenceMs ? outrun(standing, waitedMs, nowMs) : failed(standing, nowMs)
  }

  /** Throws what every replica would say. */
  private note({ member }: Replica, error: unknown): void {
    const meaning = meaningOfReadFailure(error)
    if (meaning === 'answer' || !(error instanceof StoreError)) throw error
    this.failures.set(member.id, error)
    if (isStoreError(error, 'Unavailable', 'ContainerNotFound')) this.wasOutOfPlace = true
    if (meaning === 'block') this.context.metrics.badReplicas.add()
    else if (isFaultOf(member, error, this.context.local)) {
      member.standing = failed(member.standing, this.context.clock.monotonicMs())
    }
  }

  /** Whether there is somebody new to ask. */
  private async locateAgain(): Promise<boolean> {
    if (this.wasLocatedAgain) return false
    this.wasLocatedAgain = true
    this.place = await this.context.places.locateAgain(this.block.container, this.outcome())
    return this.place.encoded !== undefined || this.place.members.some((member) => !this.wasTried(member))
  }

  /** A silent replica was left for others that turned out to be worse: it is the best there is. */
  private askSilentOnesAgain(): boolean {
    if (!this.hasPatience) return false
    this.hasPatience = false
    const silent = [...this.failures].filter(([, { code }]) => code === 'DeadlineExceeded')
    for (const [id] of silent) this.tried.delete(id)
    return silent.length > 0
  }

  private outcome(): StoreError {
    const failures = [...this.failures.values()]
    return failures.length === 0 ? unreachableContainer(this.block.container) : mostTelling(failures)
  }
}
