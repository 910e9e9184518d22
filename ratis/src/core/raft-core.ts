/**
 * Raft (Ongaro's thesis) without a clock, a disk or a network: a synchronous machine that its driver feeds with time,
 * messages, proposals and completions, and that answers with what is to be done (`ready`).
 *
 * The rules are in the files beside this one, over one `CoreState`; here is only the door.
 */

import { assert } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import type { Configuration } from './configuration.ts'
import { CoreState, type Leading } from './core-state.ts'
import { askForVotes, isSoleVoter } from './election.ts'
import { entryKind, type Entry, type NodeId } from './entry.ts'
import { settleRecovery } from './follower.ts'
import type { Message, SnapshotChunk } from './message.ts'
import { checkOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { planChange } from './membership.ts'
import { quorumContactMs } from './quorum.ts'
import type { MembershipChange, Proposed, Raft, RaftOptions, RaftStart, RaftStatus, Refused } from './raft.ts'
import { readIndex, confirmReads } from './reads.ts'
import type { ApplyRange, Persist, Ready, Role } from './ready.ts'
import { advanceCommit, appendConfiguration, appendOwn, sendAppends, sendFetched } from './replication.ts'
import { becomeFollower, resetElectionTimer } from './roles.ts'
import { chunkRefused, chunkStored, restartTransfer, sendChunk, snapshotStored, type ReadChunk } from './snapshots.ts'
import { step } from './step.ts'
import { isActive, tickTransfer, transferLeadership } from './transfer.ts'

export class RaftCore implements Raft {
  private readonly core: CoreState

  /** Throws `InvalidArgument` for options that cannot work. */
  constructor(options: RaftOptions, start: RaftStart) {
    checkOptions(options)
    this.core = new CoreState(options, start)
    resetElectionTimer(this.core)
  }

  get role(): Role {
    return this.core.role
  }

  get term(): Term {
    return this.core.term
  }

  get leader(): NodeId | undefined {
    return this.core.leader
  }

  get commitIndex(): LogIndex {
    return this.core.commitIndex
  }

  get lastIndex(): LogIndex {
    return this.core.log.lastIndex
  }

  get configuration(): Configuration {
    return this.core.configuration
  }

  tick(nowMs: number): void {
    const { core } = this
    assert(nowMs >= core.nowMs, 'time does not go back')
    core.nowMs = nowMs
    if (core.leading !== undefined) this.tickLeader(core.leading)
    else if (nowMs >= core.electionDueMs || leadsByItself(core)) askForVotes(core)
  }

  step(message: Message): void {
    step(this.core, message)
  }

  propose(payloads: readonly Uint8Array[], external: readonly (Entry['external'] | undefined)[] = []): Proposed {
    const { core } = this
    const { leading } = core
    if (leading === undefined) return refused('not-leader')
    if (leading.transfer !== undefined) return refused('transferring')
    if (leading.uncommittedBytes >= core.options.maxUncommittedBytes) return refused('full')
    const first = core.log.lastIndex + 1
    let at = 0
    for (const payload of payloads) {
      assert(entryKind(payload) === 'command', 'a command begins with a byte that is not 0')
      appendOwn(core, leading, payload, external[at++])
    }
    return { kind: 'appended', first, last: core.log.lastIndex, term: core.term }
  }

  readIndex(id: number, nowMs: number): LogIndex | undefined {
    return readIndex(this.core, id, nowMs)
  }

  changeMembership(change: MembershipChange): Proposed {
    const { core } = this
    const { leading } = core
    if (leading === undefined) return refused('not-leader')
    if (leading.transfer !== undefined) return refused('transferring')
    const configuration = planChange(core, leading, change)
    if (typeof configuration === 'string') return refused(configuration)
    const { index, term } = appendConfiguration(core, leading, configuration)
    return { kind: 'appended', first: index, last: index, term }
  }

  transferLeadership(to: NodeId | undefined): Refused | undefined {
    const { leading } = this.core
    return leading === undefined ? 'not-leader' : transferLeadership(this.core, leading, to)
  }

  ready(): Ready | undefined {
    const { core } = this
    if (core.leading !== undefined) this.flushLeader(core.leading)
    const persist = takePersist(core)
    const apply = takeApply(core)
    const roleChange = core.roleChanged
      ? { role: core.role, term: core.term, leader: core.leader, termStart: core.leading?.termStart }
      : undefined
    const { now: messages, readStates, fetches, chunkReads, chunks } = core
    const work = [messages, readStates, fetches, chunkReads, chunks]
    if (persist === undefined && apply === undefined && roleChange === undefined && work.every(isEmpty))
      return undefined
    core.roleChanged = false
    core.now = []
    core.readStates = []
    core.fetches = []
    core.chunkReads = []
    core.chunks = []
    return { persist, messages, apply, readStates, fetches, chunkReads, chunks, roleChange }
  }

  persisted(id: number): void {
    const { core } = this
    core.persists.persisted(id)
    if (core.installId !== undefined && core.installId <= id) core.installId = undefined
    settleRecovery(core)
    advanceCommit(core)
    trimTail(core)
  }

  applied(index: LogIndex): void {
    const { core } = this
    core.appliedIndex = Math.max(core.appliedIndex, index)
    trimTail(core)
  }

  entriesInMemory(first: LogIndex, last: LogIndex): readonly Entry[] | undefined {
    return this.core.log.slice(first, last)
  }

  fetched(to: NodeId, entries: readonly Entry[]): void {
    this.withProgress(to, (leading, progress) => {
      // A fetch that was overtaken by another place or state is nobody's any more.
      if (progress.isFetching) sendFetched(this.core, leading, progress, entries)
    })
  }

  compacted(firstIndex: LogIndex): void {
    assert(firstIndex <= this.core.appliedIndex + 1, 'only what is applied is cut')
    this.core.log.compact(firstIndex)
    this.core.forgetOldConfigurations()
  }

  chunkRead(to: NodeId, chunk: ReadChunk): void {
    this.withProgress(to, (leading, progress) => sendChunk(this.core, leading, progress, chunk))
  }

  chunkFailed(to: NodeId): void {
    this.withProgress(to, (_leading, progress) => restartTransfer(this.core, progress))
  }

  chunkStored(chunk: SnapshotChunk, wanted: string): void {
    chunkStored(this.core, chunk, wanted)
  }

  snapshotStored(chunk: SnapshotChunk): boolean {
    return snapshotStored(this.core, chunk)
  }

  chunkRefused(chunk: SnapshotChunk): void {
    chunkRefused(this.core, chunk)
  }

  unreachable(id: NodeId): void {
    this.withProgress(id, (_leading, progress) => {
      if (progress.state === 'replicate') progress.probeFrom(progress.matchIndex + 1)
    })
  }

  status(): RaftStatus {
    const { core } = this
    const { leading } = core
    return {
      id: core.id,
      role: core.role,
      ...core.durable,
      leader: core.leader,
      firstIndex: core.log.firstIndex,
      lastIndex: core.log.lastIndex,
      durableIndex: core.persists.durable,
      commitIndex: core.commitIndex,
      appliedIndex: core.appliedIndex,
      configuration: core.configuration,
      members: [...(leading?.progress.values() ?? [])].map((progress) => ({
        id: progress.id,
        state: progress.state,
        matchIndex: progress.matchIndex,
        isActive: isActive(core, progress),
        mayVote: progress.mayVote,
      })),
      uncommittedBytes: leading?.uncommittedBytes ?? 0,
      tailBytes: core.log.tailBytes,
    }
  }

  private tickLeader(leading: Leading): void {
    const { core } = this
    const contactMs = Math.max(quorumContactMs(core, leading), leading.sinceMs)
    // A leader that no majority follows might be the only one who does not know (check-quorum, thesis §6.2).
    if (core.nowMs - contactMs > core.options.electionTimeoutMs) return becomeFollower(core, core.term, undefined)
    tickTransfer(core, leading)
    if (core.nowMs >= leading.heartbeatDueMs) leading.needsRound = true
  }

  /** What all inputs since the last time add up to: one append and one round of heartbeats at most. */
  private flushLeader(leading: Leading): void {
    const { core } = this
    if (leading.needsRound) {
      leading.needsRound = false
      leading.heartbeatDueMs = core.nowMs + core.options.heartbeatMs
      leading.round++
      for (const progress of leading.progress.values()) this.sendHeartbeat(leading, progress)
      confirmReads(core, leading)
    }
    if (leading.hasNews) {
      leading.hasNews = false
      sendAppends(core, leading)
    }
  }

  private sendHeartbeat(leading: Leading, progress: Progress): void {
    const { core } = this
    core.send({
      kind: 'heartbeat',
      from: core.id,
      to: progress.id,
      term: core.term,
      round: leading.round,
      sentMs: core.nowMs,
      commitIndex: Math.min(core.commitIndex, progress.matchIndex),
    })
  }

  private withProgress(id: NodeId, act: (leading: Leading, progress: Progress) => void): void {
    const { leading } = this.core
    const progress = leading?.progress.get(id)
    if (leading !== undefined && progress !== undefined) act(leading, progress)
  }
}

/**
 * Nobody to ask and nobody to wait for. (A configuration that makes it so and is not known to be committed came from a leader
 * that still leads: it hears that leader, and waits like anybody.)
 */
function leadsByItself(core: CoreState): boolean {
  return isSoleVoter(core) && core.configurationAt.index <= core.commitIndex
}

const refused = (reason: Refused): Proposed => ({ kind: 'refused', reason })

const isEmpty = (list: readonly unknown[]): boolean => list.length === 0

function takePersist(core: CoreState): Persist | undefined {
  const { hardStateChanged, install, truncateFrom, log, afterPersist } = core
  const hasEntries = log.lastIndex > core.persistHanded
  if (
    !hardStateChanged &&
    install === undefined &&
    truncateFrom === undefined &&
    !hasEntries &&
    isEmpty(afterPersist)
  ) {
    return undefined
  }
  const entries = hasEntries ? log.slice(core.persistHanded + 1, log.lastIndex) : []
  assert(entries !== undefined, 'entries stay in memory until they are durable')
  const id = core.persists.begin({ lastIndex: log.lastIndex, hasHardState: hardStateChanged })
  if (install !== undefined) core.installId = id
  core.persistHanded = log.lastIndex
  core.hardStateChanged = false
  core.install = undefined
  core.truncateFrom = undefined
  core.afterPersist = []
  const hardState = hardStateChanged ? core.durable : undefined
  return { id, hardState, install, truncateFrom, entries, messages: afterPersist }
}

/** Committed, and durable here too: the state is never ahead of its own log. */
function takeApply(core: CoreState): ApplyRange | undefined {
  const last = Math.min(core.commitIndex, core.persists.durable)
  if (core.isInstalling || last <= core.applyHanded) return undefined
  const range = { first: core.applyHanded + 1, last }
  core.applyHanded = last
  return range
}

/** What is durable and committed need not stay in memory: at once when nobody waits for it, else when there is too much. */
function trimTail(core: CoreState): void {
  const { log, leading } = core
  const upTo = Math.min(core.persists.durable, core.commitIndex)
  log.evict(upTo, core.options.maxTailBytes)
  let needed = Math.min(upTo, core.appliedIndex)
  for (const { matchIndex } of leading?.progress.values() ?? []) needed = Math.min(needed, matchIndex)
  log.evict(needed, 0)
}
