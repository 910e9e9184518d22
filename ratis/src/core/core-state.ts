/** Everything that one member knows, and the outbox of what it wants done. The other files are the rules over it. */

import { assert } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { noConfiguration, type Configuration } from './configuration.ts'
import type { NodeId } from './entry.ts'
import { LogView } from './log-view.ts'
import type { Message, SnapshotChunk, SnapshotPlace } from './message.ts'
import { PersistQueue } from './persist-queue.ts'
import type { Progress } from './progress.ts'
import type { RaftOptions, RaftStart } from './raft.ts'
import type { ChunkRead, Durable, Fetch, ReadState, Role } from './ready.ts'

export interface ConfigurationAt {
  readonly index: LogIndex
  readonly configuration: Configuration
}

/** A read whose leader makes sure that it still leads. */
export interface WaitingRead {
  /** Confirmed by answers to this round or a later one. */
  readonly round: number
  readonly index: LogIndex
  /** Ours, or a follower's question. */
  readonly asker:
    | { readonly kind: 'self'; readonly id: number }
    | {
        readonly kind: 'member'
        readonly from: NodeId
        readonly context: number
        readonly purpose: 'read' | 'recovery'
      }
}

/** What only a leader has. */
export interface Leading {
  readonly progress: Map<NodeId, Progress>
  /** Its first entry: nothing is known to be committed, and no change begins, before that is. */
  readonly termStart: LogIndex
  readonly sinceMs: number
  heartbeatDueMs: number
  round: number
  /** A read waits for a round that has not been sent. */
  needsRound: boolean
  reads: WaitingRead[]
  uncommittedBytes: number
  /** Proposals since the last `ready`. */
  hasNews: boolean
  transfer: { readonly to: NodeId; readonly untilMs: number; isSent: boolean } | undefined
  /** From a `timeout-now` on there is no lease in this term: that message may arrive late and voters then ignore leases. */
  isLeaseRevoked: boolean
  /** When a member of higher priority is next offered the lead. */
  yieldDueMs: number
}

/** A candidate's, or pre-candidate's, votes. */
export interface Campaign {
  readonly votes: Map<NodeId, boolean>
  readonly isTransfer: boolean
}

/** So far apart are the questions of two starts of one member. */
export const questionSpan = 2 ** 20

export class CoreState {
  readonly options: RaftOptions
  readonly id: NodeId
  readonly log: LogView
  readonly persists: PersistQueue
  readonly startedMs: number
  nowMs: number

  term: Term
  vote: NodeId | ''
  mayVote: boolean
  role: Role = 'follower'
  leader: NodeId | undefined
  leading: Leading | undefined
  campaign: Campaign | undefined

  commitIndex: LogIndex
  appliedIndex: LogIndex
  /** Up to here `apply` was handed out. */
  applyHanded: LogIndex
  /** The one in force last; before it those that a truncation would bring back. */
  configurations: ConfigurationAt[]

  /** When a leader of this term was last heard of; also the start: a member that was down for a moment keeps its word. */
  heardMs: number
  electionDueMs = 0
  /** Elections that were due since a leader was heard of, and left to members of higher priority. */
  electionsLeft = 0
  /** Up to here our log is known to equal that of this term's leader. */
  verifiedIndex: LogIndex = 0
  /** How a member that lost its log makes up for it. */
  recovery: { askedMs: number; target: LogIndex | undefined } = { askedMs: -Infinity, target: undefined }
  /** Of the questions that this start of the member asks; drawn with the first. */
  private questions: number | undefined
  /** The write that puts a snapshot in place, while it is under way. */
  installId: number | undefined
  /** A piece of a snapshot that the driver is storing. */
  receiving: SnapshotChunk | undefined

  /** The outbox. */
  hardStateChanged = false
  install: SnapshotPlace | undefined
  truncateFrom: LogIndex | undefined
  /** Entries up to here were handed to a persist. */
  persistHanded: LogIndex
  now: Message[] = []
  afterPersist: Message[] = []
  readStates: ReadState[] = []
  fetches: Fetch[] = []
  chunkReads: ChunkRead[] = []
  chunks: SnapshotChunk[] = []
  roleChanged = true

  constructor(options: RaftOptions, start: RaftStart) {
    this.options = options
    this.id = options.id
    this.startedMs = start.nowMs
    this.nowMs = start.nowMs
    this.log = new LogView(start)
    this.persists = new PersistQueue(start.lastIndex)
    this.persistHanded = start.lastIndex
    const { term, vote, mayVote } = start.hardState
    this.term = term
    this.vote = vote
    this.mayVote = mayVote
    this.commitIndex = Math.min(Math.max(start.commitIndex, start.appliedIndex), start.lastIndex)
    this.appliedIndex = start.appliedIndex
    this.applyHanded = start.appliedIndex
    this.configurations = [
      { index: start.configurationIndex, configuration: start.configuration },
      ...start.configurations,
    ]
    assert(start.appliedIndex <= start.lastIndex, 'the state is ahead of the log')
    // Who was in no term has given no word.
    this.heardMs = term === 0 ? -Infinity : start.nowMs
  }

  get configurationAt(): ConfigurationAt {
    return this.configurations.at(-1) ?? { index: 0, configuration: noConfiguration }
  }

  get configuration(): Configuration {
    return this.configurationAt.configuration
  }

  /** A snapshot is being put in the place of log and state. */
  get isInstalling(): boolean {
    return this.install !== undefined || this.installId !== undefined
  }

  /**
   * Question `n` is asked as `firstQuestion + n`. An answer that was long under way may be one to a former self of this member,
   * from before what was acknowledged since. Counts and clocks begin anew with a process: it takes chance to tell them apart.
   */
  get firstQuestion(): number {
    this.questions ??= questionSpan * Math.floor((this.startedMs + this.options.random() * 2 ** 32) % 2 ** 32)
    return this.questions
  }

  /** The configuration in force at `index`. */
  configurationOf(index: LogIndex): Configuration {
    return this.configurations.findLast((each) => each.index <= index)?.configuration ?? noConfiguration
  }

  get durable(): Durable {
    return { term: this.term, vote: this.vote, mayVote: this.mayVote }
  }

  changeDurable(change: Partial<Durable>): void {
    if (change.term !== undefined) this.term = change.term
    if (change.vote !== undefined) this.vote = change.vote
    if (change.mayVote !== undefined) this.mayVote = change.mayVote
    this.hardStateChanged = true
  }

  /** Sends the message: at once, or, while a term or vote is not yet durable, when it is. */
  send(message: Message): void {
    const isDurable = !this.hardStateChanged && this.persists.isHardStateDurable
    ;(isDurable ? this.now : this.afterPersist).push(message)
  }

  /** Sends it when everything decided until now is durable. */
  sendWhenDurable(message: Message): void {
    this.afterPersist.push(message)
  }

  /** Drops a conflicting end of the log, and the configurations in it. */
  truncate(index: LogIndex): void {
    assert(index > this.commitIndex, `entry ${index} is committed and cannot be taken back`)
    this.log.truncateFrom(index)
    this.persists.cut(index)
    if (index <= this.persistHanded) {
      this.truncateFrom = Math.min(this.truncateFrom ?? Infinity, index)
      this.persistHanded = index - 1
    }
    while (this.configurationAt.index >= index) this.configurations.pop()
    this.verifiedIndex = Math.min(this.verifiedIndex, index - 1)
  }

  /** Behind the committed ones nobody will ask for older configurations. */
  forgetOldConfigurations(): void {
    const index = Math.min(this.appliedIndex, this.log.firstIndex - 1)
    while (this.configurations.length > 1 && (this.configurations[1] as ConfigurationAt).index <= index) {
      this.configurations.shift()
    }
  }
}
