/**
 * The replicated store: a state machine over typed tables whose every change is first decided (`plan`), then made durable
 * in a log, then applied. OM and SCM are two sets of rules over it.
 *
 * - `plan` is pure and synchronous: `(view, command, stamp) → decision`. Only the leader plans.
 * - A plan reads rows through `PlanView`. A row that is not in memory ends the plan with a private signal; the runtime
 *   fetches all the rows that a turn's plans missed in one trip and plans again. So a plan never waits and may run more
 *   than once: it must not keep anything outside its decision.
 * - All plans of one turn become one log entry and share one sync.
 * - Replies go out after the entry is durable on a majority and applied.
 */

import type { BinaryKey } from '@o3/common/kv'
import type { ErrorRecord, Refusal } from '@o3/common/errors'

/** 1, 2, 3 …; 0 means "before the first entry". */
export type LogIndex = number & { readonly brand?: 'LogIndex' }
export type Term = number & { readonly brand?: 'Term' }

/**
 * A typed table: how rows of one kind are named and written down. Row keys of all tables live side by side in one
 * ordered store, so `prefix` is one byte that no other table of the same store uses.
 *
 * Values are immutable: the runtime caches the decoded value and hands the same object to every plan and read.
 */
export interface Table<Key, Value> {
  readonly name: string
  /** One char code, 0x21–0x7e. */
  readonly prefix: string
  /** The row key without the prefix; order of row keys is the order of `range`. */
  encodeKey(key: Key): BinaryKey
  decodeKey(binary: BinaryKey): Key
  /** Starts with a version byte. */
  encode(value: Value): Uint8Array
  /** Accepts every version ever written. Throws `Damaged`. */
  decode(bytes: Uint8Array): Value
}

/**
 * What a plan may not invent: chosen once by the leader, recorded with the entry. A decision without changes leaves no
 * entry, so its reply must not hand out `sequence` or `nonce` as somebody's identity: nothing would remember it.
 */
export interface Stamp {
  readonly wallMs: number
  /** Unique for ever within the store and increasing: the source of object ids, update ids, version ids. */
  readonly sequence: number
  /** 16 bytes of randomness, as 32 hex digits. */
  readonly nonce: string
}

/** Rows as the plan sees them: applied state, under all changes already planned but not yet committed. */
export interface PlanView {
  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined
  /**
   * In the order asked. All rows that are not in memory are fetched in one trip; the same `get`s one by one would end the
   * plan once for each.
   */
  getMany<Key, Value>(table: Table<Key, Value>, keys: readonly Key[]): readonly (Value | undefined)[]
}

export interface Change<Key = unknown, Value = unknown> {
  readonly table: Table<Key, Value>
  readonly key: Key
  /** Undefined deletes the row. */
  readonly value: Value | undefined
}

/** What a plan that agrees returns. `changes` of one plan are atomic. A later change of the same row wins. */
export interface Decision<Reply> {
  readonly kind: 'decision'
  readonly reply: Reply
  readonly changes: readonly Change[]
}

export type Plan<Command, Reply> = (view: PlanView, command: Command, stamp: Stamp) => Decision<Reply> | Refusal

export interface StoreRules<Command, Reply> {
  readonly name: string
  readonly tables: readonly Table<never, never>[]
  readonly plan: Plan<Command, Reply>
  /**
   * Commands that only give space back (deletes). On a full disk they go on, into the log's reserve, when all others are
   * refused with `OutOfSpace`. Absent: none do.
   */
  freesSpace?(command: Command): boolean
  /** For exactly-once: a reply is kept as bytes. Starts with a version byte. */
  encodeReply(reply: Reply): Uint8Array
  decodeReply(bytes: Uint8Array): Reply
}

/** A consistent view of applied state at one index. Never shows what is not committed. */
export interface StateView {
  readonly appliedIndex: LogIndex
  get<Key, Value>(table: Table<Key, Value>, key: Key): Promise<Value | undefined>
  /** Opens a cursor over rows `from` ≤ row key < `to` (both without the table's prefix). Must be closed. */
  cursor<Key, Value>(table: Table<Key, Value>, range: RowRange): RowCursor<Key, Value>
}

export interface RowRange {
  readonly from: BinaryKey
  /** Undefined: to the end of the table. */
  readonly to?: BinaryKey
  readonly reverse?: boolean
}

export interface Row<Key, Value> {
  readonly key: Key
  readonly rowKey: BinaryKey
  readonly value: Value
}

export interface RowCursor<Key, Value> {
  /** The next `limit` rows in order; fewer only at the end. */
  next(limit: number): Promise<readonly Row<Key, Value>[]>
  /** To the first row ≥ `rowKey` (without prefix). */
  seek(rowKey: BinaryKey): void
  close(): Promise<void>
}

/**
 * Names one request of one client, so that a retry is answered and not done again. At most 64 bytes. Replies are
 * remembered for a while, over restarts too; refusals and replies that changed nothing only by the leader that gave them,
 * so a request that may have copies under way names its `term` too.
 */
export type RequestId = string

export interface ExecuteOptions {
  readonly requestId?: RequestId
  /**
   * The term of the leader that this is meant for. It is planned in that term or never: else it rejects with `NotLeader`
   * (nothing happened), with the `leader` and its `term` in the details when they are known, and may be sent again with
   * that term. Absent: whichever term it is, for callers whose calls nothing can hold up, those in the same process.
   */
  readonly term?: Term
}

/** One committed entry as followers of the change stream see it. */
export interface CommittedPatch {
  readonly index: LogIndex
  readonly term: Term
  readonly wallMs: number
  readonly rows: readonly { readonly rowKey: BinaryKey; readonly value: Uint8Array | undefined }[]
}

export interface StoreStatus {
  readonly role: 'leader' | 'follower' | 'candidate'
  readonly term: Term
  /** The member that leads in `term`, when it is known. */
  readonly leader?: string
  /** `host:port` where it listens, when that is known. */
  readonly leaderAddress?: string
  readonly commitIndex: LogIndex
  readonly appliedIndex: LogIndex
  readonly checkpointIndex: LogIndex
  readonly firstLogIndex: LogIndex
  readonly logBytes: number
  /** Commands that need space are refused (`OutOfSpace`). */
  readonly outOfSpace: boolean
  /** Set once a sync or write of the log has failed: nothing is acknowledged any more until a restart re-verifies. */
  readonly failed?: ErrorRecord
}

export interface ReplicatedStore<Command, Reply> {
  /**
   * Decides, commits and applies one command. Resolves after the change is durable on a majority and visible to every
   * later read. Rejects with the plan's refusal as `StoreError`, `Busy` when the queue is full (nothing happened),
   * `OutOfSpace` (nothing happened), `OutcomeUnknown` when leadership or the log was lost after the entry was handed out.
   * Calls made in order by one caller are planned in that order unless one of them had to fetch rows.
   */
  execute(command: Command, options?: ExecuteOptions): Promise<Reply>
  /**
   * One row of linearizable applied state. Answers synchronously when the row is cached (the hot path of GET), else a
   * promise.
   */
  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined | Promise<Value | undefined>
  /** Several rows and ranges of one moment. The view is closed when `run` settles. */
  read<T>(run: (view: StateView) => Promise<T>): Promise<T>
  /**
   * Every committed patch with index ≥ `from`, in order, then new ones as they come, until `signal` aborts. Rejects with
   * `InvalidRange` when `from` was compacted away: the follower starts from a full copy.
   */
  changes(from: LogIndex, signal: AbortSignal): AsyncIterable<CommittedPatch>
  /** Makes applied state durable and cuts the log behind it. Runs by itself as well. */
  checkpoint(): Promise<void>
  status(): StoreStatus
  /** Stops taking commands, finishes those under way, checkpoints, closes. */
  close(): Promise<void>
}
