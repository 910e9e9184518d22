/** What the core wants done. The driver takes it with `ready()` after every input, and does it. */

import type { LogIndex, Term } from '../api/api.ts'
import type { Entry, NodeId } from './entry.ts'
import type { Message, SnapshotChunk, SnapshotPlace } from './message.ts'

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** What a member must never forget. */
export interface Durable {
  readonly term: Term
  /** Whom it voted for in `term`; '': nobody. */
  readonly vote: NodeId | ''
  /** False from the moment its log was lost until it has made up for it. */
  readonly mayVote: boolean
}

/**
 * To be made durable, in the order of `id` and within one in the order of the fields: `persisted(id)` is called when all
 * of it is. Several may be under way.
 */
export interface Persist {
  readonly id: number
  readonly hardState: Durable | undefined
  /** Forget the whole log and state: it now begins behind this snapshot, which the driver has received whole. */
  readonly install: SnapshotPlace | undefined
  /** Drop every entry with an index ≥ this. */
  readonly truncateFrom: LogIndex | undefined
  readonly entries: readonly Entry[]
  /** Sent when it is durable, never before: they tell others that it is. */
  readonly messages: readonly Message[]
}

/** Entries `first … last` are committed and durable here: apply them, in order, and call `applied(last)`. */
export interface ApplyRange {
  readonly first: LogIndex
  readonly last: LogIndex
}

/** Answers `readIndex(id)`: when applied up to `index`, the read is linearizable. Undefined: refused, leadership is unclear. */
export interface ReadState {
  readonly id: number
  readonly index: LogIndex | undefined
}

/** Entries for a follower that the core no longer holds in memory: read them and call `fetched`. */
export interface Fetch {
  readonly to: NodeId
  readonly first: LogIndex
  readonly last: LogIndex
  readonly maxBytes: number
}

/**
 * A piece of a snapshot for a follower: read it and call `chunkRead`, or `chunkFailed`. `snapshot` undefined: of a new
 * snapshot at the applied index, whose name the driver gives; position `''` then.
 */
export interface ChunkRead {
  readonly to: NodeId
  readonly snapshot: string | undefined
  readonly position: string
}

export interface RoleChange {
  readonly role: Role
  readonly term: Term
  readonly leader: NodeId | undefined
  /** Of a leader: its first entry. When that is applied, everything committed before is, and it may serve. */
  readonly termStart: LogIndex | undefined
}

export interface Ready {
  readonly persist: Persist | undefined
  /** Sent at once. */
  readonly messages: readonly Message[]
  readonly apply: ApplyRange | undefined
  readonly readStates: readonly ReadState[]
  readonly fetches: readonly Fetch[]
  readonly chunkReads: readonly ChunkRead[]
  /** Pieces of a snapshot to store, in order: call `chunkStored` or `chunkRefused` for each. */
  readonly chunks: readonly SnapshotChunk[]
  /** Set when role, term or leader changed. */
  readonly roleChange: RoleChange | undefined
}
