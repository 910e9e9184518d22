import type { LogIndex } from '../api/api.ts'
import type { NodeId } from './entry.ts'
import type { SnapshotPlace } from './message.ts'
import type { ProgressState } from './raft.ts'

interface Inflight {
  readonly lastIndex: LogIndex
  readonly bytes: number
}

/** A snapshot on its way to a follower, one piece at a time. */
export interface SnapshotTransfer {
  /** Undefined until the driver has opened one. */
  name: string | undefined
  place: SnapshotPlace | undefined
  /** The piece that is wanted next. */
  position: string
  /** `read`: the driver reads the piece; `answer`: it was sent; `idle`: to be read (again), not before `notBeforeMs`. */
  waitsFor: 'read' | 'answer' | 'idle'
  /** When the piece was sent, or is to be tried again. */
  atMs: number
}

/**
 * What a leader knows of a member. *Probe*: its place is a guess, one append at a time. *Replicate*: appends stream ahead of
 * answers. *Snapshot*: what it needs is no longer in the log.
 */
export class Progress {
  readonly id: NodeId
  state: ProgressState = 'probe'
  /** Durable on it, and equal to ours. */
  matchIndex: LogIndex = 0
  nextIndex: LogIndex
  /** A probe waits for its answer (or for a heartbeat's, which says that the link works again). */
  isProbeOut = false
  /** The driver is reading entries for it. */
  isFetching = false
  transfer: SnapshotTransfer | undefined
  /** Of the newest of our messages that it has answered. */
  ackedRound = 0
  ackedSentMs = -Infinity
  /** As its answers say. Until the first one its word is taken. */
  mayVote = true
  priority = 0
  /** The highest commit index that it was told. */
  commitSent: LogIndex = 0
  private inflights: Inflight[] = []
  private inflightBytes = 0

  constructor(id: NodeId, nextIndex: LogIndex) {
    this.id = id
    this.nextIndex = nextIndex
  }

  get inflightCount(): number {
    return this.inflights.length
  }

  hasRoom(maxAppends: number, maxBytes: number): boolean {
    return this.inflights.length < maxAppends && this.inflightBytes < maxBytes
  }

  sent(lastIndex: LogIndex, bytes: number): void {
    this.inflights.push({ lastIndex, bytes })
    this.inflightBytes += bytes
    this.nextIndex = lastIndex + 1
  }

  /** True when it brought news. */
  accepted(matchIndex: LogIndex): boolean {
    let freed = 0
    for (const inflight of this.inflights) {
      if (inflight.lastIndex > matchIndex) break
      this.inflightBytes -= inflight.bytes
      freed++
    }
    if (freed > 0) this.inflights.splice(0, freed)
    if (matchIndex <= this.matchIndex) return false
    this.matchIndex = matchIndex
    this.nextIndex = Math.max(this.nextIndex, matchIndex + 1)
    return true
  }

  /** What it said it had, it may no longer have: its place is to be found anew. */
  lostItsLog(lastIndex: LogIndex): void {
    this.matchIndex = 0
    this.probeFrom(lastIndex + 1)
  }

  probeFrom(nextIndex: LogIndex): void {
    this.state = 'probe'
    this.nextIndex = nextIndex
    this.isProbeOut = false
    this.transfer = undefined
    this.forgetInflights()
  }

  replicate(): void {
    this.state = 'replicate'
    this.nextIndex = this.matchIndex + 1
    this.isProbeOut = false
    this.transfer = undefined
    this.forgetInflights()
  }

  sendSnapshot(): void {
    this.state = 'snapshot'
    this.transfer = { name: undefined, place: undefined, position: '', waitsFor: 'idle', atMs: 0 }
    this.forgetInflights()
  }

  private forgetInflights(): void {
    this.inflights = []
    this.inflightBytes = 0
    this.isFetching = false
  }
}
