import type { Clock } from '@o3/common/env'
import type { Logger } from '@o3/common/log'
import type { ReplicatedStore } from '@o3/ratis/api'
import type {
  BalancerStatus,
  DatanodeCommand,
  DatanodeId,
  NodeDepartureProgress,
  ReplicationReport,
  SafemodeStatus,
} from '../api/api.ts'
import type { ScmConfig } from '../config.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import type { Cluster } from './cluster.ts'

/** What an administrator sees of copies, and may say about them. */
export interface ReplicationControl {
  healths(): ReplicationReport['healths']
  blocked(): NonNullable<ReplicationReport['blocked']>
  readonly isSettled: boolean
  underWay(): readonly unknown[]
  balancerStatus(): BalancerStatus
  setBalancer(to: 'on' | 'off'): void
}

/** What those who work for the leader of one term share. */
export interface TermParts {
  readonly cluster: Cluster
  /** To read rows; what changes them goes through `cluster`. */
  readonly store: Pick<ReplicatedStore<ScmCommand, ScmReply>, 'get' | 'read'>
  readonly config: ScmConfig
  readonly clock: Clock
  readonly log: Logger
  /** Of this moment. */
  safemode(): SafemodeStatus
}

/**
 * Somebody who keeps one thing in order while this member leads, and is forgotten with its term. Driven by the heartbeats:
 * after each, every worker has a round, in the order of their list, and then says what the datanode that spoke is to do.
 * What happened since is learned through `cluster.subscribe`.
 */
export interface TermWorker {
  /**
   * Plans and acts. Rounds may overlap. Bounded: what is left over is for the next. Rejects with `NotLeader` or
   * `OutcomeUnknown` when the term is over.
   */
  round(): Promise<void>
  /** Until reports say that they are done, commands are repeated with every heartbeat; the datanode does each once. */
  commandsFor(datanode: DatanodeId): readonly DatanodeCommand[] | Promise<readonly DatanodeCommand[]>
  /** Of whoever looks after copies. */
  readonly replication?: ReplicationControl
  /** For whoever knows it. */
  departureOf?(datanode: DatanodeId): NodeDepartureProgress | undefined
  /** Why it should stay, for people; undefined when nothing is known to speak against it. */
  whyNotLeave?(datanode: DatanodeId, to: 'DECOMMISSIONED' | 'IN_MAINTENANCE'): string | undefined
}

export type MakeWorker = (parts: TermParts) => TermWorker
