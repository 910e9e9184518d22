/** What members of a group say to each other. Plain data: any message may be lost, repeated, delayed or overtaken. */

import type { LogIndex, Term } from '../api/api.ts'
import type { Configuration } from './configuration.ts'
import type { Entry, NodeId } from './entry.ts'

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  /** The sender's term; for `pre-vote` the term it would campaign in, and in an agreeing reply the same. */
  readonly term: Term
}

/**
 * What a leader stamps on everything that a follower answers, and gets back: `round` tells which reads an answer confirms,
 * `sentMs` (the leader's own monotonic clock) from when on a lease counts.
 */
export interface Probe {
  readonly round: number
  readonly sentMs: number
}

export interface VoteRequest extends Envelope {
  readonly kind: 'vote' | 'pre-vote'
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  /** The leader asked for it: members that still hear that leader may answer. */
  readonly isTransfer: boolean
}

export interface VoteReply extends Envelope {
  readonly kind: 'vote-reply' | 'pre-vote-reply'
  readonly isGranted: boolean
}

export interface AppendRequest extends Envelope, Probe {
  readonly kind: 'append'
  readonly previousIndex: LogIndex
  readonly previousTerm: Term
  /** Consecutive, from `previousIndex + 1`. */
  readonly entries: readonly Entry[]
  readonly commitIndex: LogIndex
}

interface FollowerFacts {
  /** 0 leads only when nobody else does; higher is preferred. */
  readonly priority: number
  /** False while the member makes good a lost log: it counts for no majority. */
  readonly mayVote: boolean
}

export interface AppendReply extends Envelope, Probe, FollowerFacts {
  readonly kind: 'append-reply'
  readonly outcome:
    | {
        readonly kind: 'accepted'
        /** Verified against the leader's log, and durable. */ readonly matchIndex: LogIndex
      }
    | {
        readonly kind: 'rejected'
        /** `previousIndex` of the request: which one this answers. */
        readonly previousIndex: LogIndex
        /** The highest index that could match: the follower's last, or the end of its terms ≤ `previousTerm`. */
        readonly hintIndex: LogIndex
        /** Term of the follower's entry at `hintIndex`; 0 when it has none there. */
        readonly hintTerm: Term
      }
}

export interface Heartbeat extends Envelope, Probe {
  readonly kind: 'heartbeat'
  /** Not beyond what the leader knows that the follower has. */
  readonly commitIndex: LogIndex
}

export interface HeartbeatReply extends Envelope, Probe, FollowerFacts {
  readonly kind: 'heartbeat-reply'
  /** Up to here the follower knows its log to equal the leader's. Lower than what it has said it has: it restarted meanwhile. */
  readonly verifiedIndex: LogIndex
}

/** A follower asks from where on a read is linearizable. `purpose: 'recovery'`: how far a member that lost its log must get. */
export interface ReadIndexRequest extends Envelope {
  readonly kind: 'read-index'
  readonly context: number
  readonly purpose: 'read' | 'recovery'
}

export interface ReadIndexReply extends Envelope {
  readonly kind: 'read-index-reply'
  readonly context: number
  readonly purpose: 'read' | 'recovery'
  /** Undefined: refused; ask again, perhaps another leader. */
  readonly index: LogIndex | undefined
}

/** The leader hands over: the receiver campaigns at once. */
export interface TimeoutNow extends Envelope {
  readonly kind: 'timeout-now'
}

export interface SnapshotPlace {
  /** The last entry that the snapshot contains. */
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration
}

/** One piece of a snapshot. `position` and `next` are the sender's own words for places in it; the first position is `''`. */
export interface SnapshotChunk extends Envelope, Probe {
  readonly kind: 'snapshot-chunk'
  /** Names the snapshot: pieces of two never mix. */
  readonly snapshot: string
  readonly place: SnapshotPlace
  readonly position: string
  /** Where the piece behind this one begins; undefined: this is the last. */
  readonly next: string | undefined
  readonly bytes: Uint8Array
  /** CRC32C of `bytes`. */
  readonly checksum: number
}

export interface SnapshotReply extends Envelope, Probe, FollowerFacts {
  readonly kind: 'snapshot-reply'
  readonly snapshot: string
  readonly outcome:
    | { /** Everything before is stored; go on there. */ readonly kind: 'wanted'; readonly position: string }
    | { /** All of it is in place, or something newer is. */ readonly kind: 'installed'; readonly matchIndex: LogIndex }
    | { /** It cannot be taken now (no space …): try later. */ readonly kind: 'refused' }
}

export type Message =
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | ReadIndexRequest
  | ReadIndexReply
  | TimeoutNow
  | SnapshotChunk
  | SnapshotReply

export type MessageKind = Message['kind']
