/**
 * What a replicated state machine needs of its group, and what the group needs of it. `RaftNode` is the one implementation;
 * the replicated store is the state machine of OM and SCM.
 */

import type { ErrorRecord, StoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import type { Configuration } from '../core/configuration.ts'
import type { Entry, NodeId } from '../core/entry.ts'
import type { SnapshotPlace } from '../core/message.ts'
import type { MembershipChange, RaftStatus } from '../core/raft.ts'
import type { Role } from '../core/ready.ts'
import type { HardState, LogOpening, LogReader } from '../log/segmented-log.ts'

/** What the state machine holds when its member opens. */
export interface MachineStart {
  /** 32 hex digits: whose rows these are. Undefined: there are none yet, so a log that holds anything lost its rows. */
  readonly groupId: string | undefined
  /**
   * Everything up to here is durable in the state machine. It may lag behind what `checkpointed` was told last, which the
   * member remembers durably: the higher of the two counts, and `apply` begins behind it.
   */
  readonly appliedIndex: LogIndex
  /** Of the entry at `appliedIndex`. */
  readonly appliedTerm: Term
  /**
   * The state machine holds something of entries up to here (perhaps with holes, so they are applied again). They were
   * committed: a log without them has lost something, and a claim below the last checkpoint means that rows are lost.
   */
  readonly claimedIndex: LogIndex
  /**
   * A snapshot at `appliedIndex` was put in place and the log was perhaps not reset yet: it is reset, durably, to begin
   * behind `appliedIndex`, before anything else.
   */
  readonly resetLog: boolean
  /** Of the last configuration entry that the state machine has seen, up to `claimedIndex`. */
  readonly configuration: { readonly index: LogIndex; readonly configuration: Configuration } | undefined
}

/** Opens the member that drives `machine`. Entries may be applied before it resolves. */
export type OpenConsensus = (machine: StateMachine, start: MachineStart) => Promise<Consensus>

/** Calls come from one member's node, one at a time: `apply`, `lead`, `follow` as it goes. */
export interface StateMachine {
  /**
   * Committed entries, in order, each exactly once since the start (`MachineStart` says from where on), blank and
   * configuration entries among them (`entryKind`). Synchronous: a reply may go out before it returns. A promise means that
   * too much of what was applied waits for the machine's own disk: they are taken, but no more until it resolves; when it
   * rejects, never again. Throws `Incompatible`, `Damaged` for an entry that it cannot read: this member can go no further.
   */
  apply(entries: readonly Entry[]): Promise<void> | undefined
  /**
   * This member leads in `term`, and everything committed in earlier terms has been applied: it may propose. `nextIndex` is
   * what the next proposal gets.
   */
  lead(term: Term): void
  /**
   * It does not lead (any more). Proposals that were not applied may or may not be committed: their callers are told
   * *unknown*. Called at the start, and whenever role, term or known leader changes while not leading.
   */
  follow(place: { readonly term: Term; readonly role: Role; readonly leader: NodeId | undefined }): void
  /**
   * Proposals from `from` on are not in the log and never will be: nothing of them happened. Only a group of one can know
   * that (its disk was full before the entry was whole).
   */
  refuse(from: LogIndex, error: StoreError): void
  /** A consistent view of applied state for a follower that is too far behind. Closed by the caller. */
  openSnapshot(): Promise<SnapshotSource>
  /** Prepares to receive a snapshot; a transfer that was interrupted may be resumed when the name is the same. */
  openReceiver(snapshot: string): Promise<SnapshotReceiver>
  /** The log has failed for good; nothing is acknowledged any more. */
  fail(error: StoreError): void
}

export interface SnapshotSource {
  /** The last entry applied in it. */
  readonly index: LogIndex
  readonly term: Term
  /** About `maxBytes` from `position` on (`''`: the beginning); `next` undefined: this is the end. Any position may be read again. */
  read(position: string, maxBytes: number): Promise<{ readonly bytes: Uint8Array; readonly next: string | undefined }>
  close(): Promise<void>
}

/** Where the snapshot stands, and who was in the group there (when it is known; else the rows say). */
export type InstallPlace = Pick<SnapshotPlace, 'index' | 'term'> & Partial<Pick<SnapshotPlace, 'configuration'>>

export interface SnapshotReceiver {
  /** Where the next piece is wanted: '' or where an interrupted transfer of the same snapshot had come to. */
  readonly wanted: string
  /** Stores the piece; durable when it resolves. Pieces come in order. Rejects with `OutOfSpace`, `Damaged`. */
  store(position: string, next: string | undefined, bytes: Uint8Array): Promise<void>
  /**
   * All pieces are stored: puts the snapshot in the place of the present state. Atomic: after a crash it is the old state or
   * the new one, and the log goes with it: the caller resets the log within `resetLog`, which is run at the right moment
   * (or again at the next start, if a crash came between: `MachineStart.resetLog`). No `apply` while it runs.
   */
  install(place: InstallPlace, resetLog: () => Promise<void>): Promise<void>
  /** Forgets what was received. */
  discard(): Promise<void>
}

/** One member of a group. */
export interface Consensus {
  readonly id: NodeId
  readonly role: Role
  readonly term: Term
  readonly leader: NodeId | undefined
  readonly commitIndex: LogIndex
  readonly appliedIndex: LogIndex
  /** Leads, and has applied everything of earlier terms: `propose` is allowed. */
  readonly mayPropose: boolean
  readonly failed: ErrorRecord | undefined
  /** The log on disk: sizes, limits, and reading it. */
  readonly log: LogFacts

  /**
   * Appends one command and returns its index; when it is committed and durable here, `apply` brings it, in this term. If
   * leadership is lost first, `follow` is called and its fate is unknown. Throws `NotLeader` (details: `leader`, `address`
   * when known), `Busy`, `TooLarge`, `OutOfSpace`, `VolumeFailed`, `Closed`: nothing happened then.
   */
  propose(payload: Uint8Array): LogIndex
  /**
   * Makes the next read linearizable. Undefined: the lease holds, applied state may be read now. Else resolves when it
   * may; on a follower too. Rejects with `NotLeader` when no leader can be asked, `Closed`, `DeadlineExceeded`.
   */
  readBarrier(): Promise<void> | undefined
  /** The state machine holds everything up to `index` durably: the log may be cut behind it, but for `keepBytes`. */
  checkpointed(index: LogIndex, keepBytes: number): Promise<void>
  /** In force at the applied index. */
  readonly configuration: Configuration
  status(): RaftStatus
  transferLeadership(to?: NodeId): Promise<void>
  /** Resolves when the change is committed whole (a new voter is a learner first, until it has caught up). */
  changeMembership(change: MembershipChange): Promise<void>
  /** Hands leadership over if it leads, finishes what is under way, closes the log. Idempotent. */
  close(): Promise<void>
}

export interface LogFacts {
  /** 32 hex digits: whose log it is. */
  readonly hardState: Pick<HardState, 'groupId'>
  readonly opening: LogOpening
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly bytes: number
  readonly queuedBytes: number
  readonly maxAppendBytes: number
  readonly outOfSpace: boolean
  read(from: LogIndex): LogReader
}
