/** The core as its driver sees it. Every call is synchronous; after each (or a few) the driver takes `ready()`. */

import type { LogIndex, Term } from '../api/api.ts'
import type { Configuration } from './configuration.ts'
import type { Entry, NodeId } from './entry.ts'
import type { Message, SnapshotChunk, SnapshotPlace } from './message.ts'
import type { Durable, Ready, Role } from './ready.ts'

export interface RaftOptions {
  readonly id: NodeId
  /** Without a word from a leader for this long (up to twice, by chance) a follower campaigns. Default 500. */
  readonly electionTimeoutMs: number
  /** Default 50. */
  readonly heartbeatMs: number
  /** A lease ends this much before an election could succeed: what clocks may drift meanwhile. Default 50. */
  readonly maxClockDriftMs: number
  /** 0: campaigns only when nobody else has led for eight election timeouts. The leader hands over to a caught-up member of higher priority. Default 1. */
  readonly priority: number
  /** Most bytes of entries in one append. At least one entry goes, whatever its size. Default 1 MiB. */
  readonly maxAppendBytes: number
  /** Appends under way to one follower. Default 256. */
  readonly maxInflightAppends: number
  /** Bytes of entries under way to one follower. Default 16 MiB. */
  readonly maxInflightBytes: number
  /** Appended and not yet committed; beyond, `propose` refuses. Default 64 MiB. */
  readonly maxUncommittedBytes: number
  /** Recent entries kept in memory for followers. Default 16 MiB. */
  readonly maxTailBytes: number
  /** A learner this close to the leader's last index may become a voter. Default 1,000 entries. */
  readonly promotionLagEntries: number
  /** In [0, 1). */
  readonly random: () => number
}

/** Where a member stands when it starts: what its disk says. */
export interface RaftStart {
  readonly hardState: Durable
  /** In force at `appliedIndex`. */
  readonly configuration: Configuration
  /** The entry that brought it; 0: none did, the group starts with it, and its first leader writes it down. */
  readonly configurationIndex: LogIndex
  /** Of later entries in the log, in order of index. */
  readonly configurations: readonly { readonly index: LogIndex; readonly configuration: Configuration }[]
  /** The first entry that can be read; `lastIndex + 1` when there is none. */
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** Runs of one term, oldest first. The first covers `firstIndex - 1` too (absent when that is 0). */
  readonly termRuns: readonly { readonly term: Term; readonly firstIndex: LogIndex }[]
  /** Known to be committed. */
  readonly commitIndex: LogIndex
  readonly appliedIndex: LogIndex
  readonly nowMs: number
}

export type Refused =
  | 'not-leader'
  /** Leadership is being handed over. */
  | 'transferring'
  /** Too much is uncommitted. */
  | 'full'
  /** Another change is under way, or the leader has not committed anything of its term yet. */
  | 'change-under-way'
  /** It would leave no voter, or name somebody twice, or change nothing. */
  | 'invalid-change'
  /** A new voter must first be a learner that has caught up. */
  | 'not-caught-up'
  /** Not a voter, or not heard of lately. */
  | 'unfit-target'

export type Proposed =
  | { readonly kind: 'appended'; readonly first: LogIndex; readonly last: LogIndex; readonly term: Term }
  | { readonly kind: 'refused'; readonly reason: Refused }

/** The members wanted in the end. A member of neither list leaves. */
export interface MembershipChange {
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly addresses: Readonly<Record<NodeId, string>>
}

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

export interface MemberStatus {
  readonly id: NodeId
  readonly state: ProgressState
  readonly matchIndex: LogIndex
  readonly isActive: boolean
  readonly mayVote: boolean
}

export interface RaftStatus {
  readonly id: NodeId
  readonly role: Role
  readonly term: Term
  readonly vote: NodeId | ''
  readonly mayVote: boolean
  readonly leader: NodeId | undefined
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly durableIndex: LogIndex
  readonly commitIndex: LogIndex
  readonly appliedIndex: LogIndex
  readonly configuration: Configuration
  /** Of a leader: the other members. */
  readonly members: readonly MemberStatus[]
  readonly uncommittedBytes: number
  readonly tailBytes: number
}

export interface Raft {
  /** Cheap reads, for the hot path. */
  readonly role: Role
  readonly term: Term
  readonly leader: NodeId | undefined
  readonly commitIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly configuration: Configuration

  /** Tells the time, monotonic milliseconds, and does what is due. Called at least every half `heartbeatMs`. */
  tick(nowMs: number): void
  step(message: Message): void
  /** Of a leader: appends commands (first byte never 0), whose index is then known. */
  propose(payloads: readonly Uint8Array[], external?: readonly (Entry['external'] | undefined)[]): Proposed
  /**
   * Asks from where on a read is linearizable. A leader whose lease holds at `nowMs` answers at once with the index; else
   * undefined, and a `ReadState` with this id follows. Ids are the driver's, unique since the start.
   */
  readIndex(id: number, nowMs: number): LogIndex | undefined
  /** Of a leader: starts a change. The entry that ends it is appended when its joint one is committed. */
  changeMembership(change: MembershipChange): Proposed
  /** Hands leadership over; given up after an election timeout. Undefined: to the voter that is furthest. */
  transferLeadership(to: NodeId | undefined): Refused | undefined

  /** What is to be done since the last call; undefined when nothing is. */
  ready(): Ready | undefined
  /** Everything of persists up to `id` is durable. */
  persisted(id: number): void
  /** The state machine has entries up to here. */
  applied(index: LogIndex): void
  /** Entries of the log that are held in memory, else undefined: then they are in the log on disk. */
  entriesInMemory(first: LogIndex, last: LogIndex): readonly Entry[] | undefined
  /** Answers a `Fetch`; empty when they are gone (cut away, or the log changed). */
  fetched(to: NodeId, entries: readonly Entry[]): void
  /** The log on disk now begins at `firstIndex`. */
  compacted(firstIndex: LogIndex): void
  /** Answers a `ChunkRead`. */
  chunkRead(
    to: NodeId,
    chunk: Pick<SnapshotChunk, 'snapshot' | 'position' | 'next' | 'bytes' | 'checksum'> & {
      readonly place: Pick<SnapshotPlace, 'index' | 'term'>
    },
  ): void
  chunkFailed(to: NodeId): void
  /** Stored: the next piece is wanted at `wanted` (the chunk's `next`, or where an interrupted transfer had come to). */
  chunkStored(chunk: SnapshotChunk, wanted: string): void
  /**
   * The last piece is stored, and the whole of it verified. True: a `Persist.install` follows. False: it is no longer needed,
   * and may be forgotten.
   */
  snapshotStored(chunk: SnapshotChunk): boolean
  chunkRefused(chunk: SnapshotChunk): void
  /** The message could not be sent (link down, queue full): probes instead of streaming on. */
  unreachable(id: NodeId): void
  status(): RaftStatus
}
