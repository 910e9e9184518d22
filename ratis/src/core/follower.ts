/** A follower takes over its leader's log (§5.3). */

import type { LogIndex } from '../api/api.ts'
import { decodeConfiguration } from './configuration.ts'
import type { CoreState } from './core-state.ts'
import { entryKind, type Entry } from './entry.ts'
import type { AppendReply, AppendRequest, Heartbeat, Probe, ReadIndexReply } from './message.ts'
import { hearLeader } from './roles.ts'

export function onAppend(core: CoreState, request: AppendRequest): void {
  hearLeader(core, request.from)
  askForRecovery(core)
  const { previousIndex, previousTerm, entries, commitIndex } = request
  if (previousIndex < core.commitIndex) {
    // All that is committed is the leader's too: at least so far the logs are equal.
    return accept(core, request, Math.max(core.verifiedIndex, core.commitIndex))
  }
  if (core.log.termAt(previousIndex) !== previousTerm) return reject(core, request)
  takeOver(core, entries)
  // What was verified, not what is there: entries behind may be another leader's.
  verify(core, previousIndex + entries.length)
  commitTo(core, commitIndex)
  accept(core, request, previousIndex + entries.length)
}

/**
 * Entries that are there already stay: a late, shorter append must not cut off what a newer one brought. Only a conflict cuts.
 */
function takeOver(core: CoreState, entries: readonly Entry[]): void {
  const firstNew = entries.findIndex(({ index, term }) => core.log.termAt(index) !== term)
  if (firstNew < 0) return
  const first = entries[firstNew] as Entry
  if (first.index <= core.log.lastIndex) core.truncate(first.index)
  for (const entry of entries.slice(firstNew)) {
    core.log.append(entry)
    if (entryKind(entry.payload) === 'configuration') {
      core.configurations.push({ index: entry.index, configuration: decodeConfiguration(entry.payload) })
    }
  }
}

export function verify(core: CoreState, index: LogIndex): void {
  core.verifiedIndex = Math.max(core.verifiedIndex, index)
}

/** Only what is known to be the leader's log may be called committed. */
export function commitTo(core: CoreState, leaderCommit: LogIndex): void {
  core.commitIndex = Math.max(core.commitIndex, Math.min(leaderCommit, core.verifiedIndex))
}

function accept(core: CoreState, request: AppendRequest, matchIndex: LogIndex): void {
  const reply: AppendReply = {
    ...replyTo(core, request),
    kind: 'append-reply',
    outcome: { kind: 'accepted', matchIndex },
  }
  if (matchIndex <= core.persists.durable) core.send(reply)
  else core.sendWhenDurable(reply)
}

function reject(core: CoreState, request: AppendRequest): void {
  const { previousIndex, previousTerm } = request
  // Whole terms are skipped that the leader cannot have there.
  const hintIndex = core.log.lastAtMost(previousTerm, previousIndex)
  const hintTerm = core.log.termAt(hintIndex) ?? 0
  core.send({
    ...replyTo(core, request),
    kind: 'append-reply',
    outcome: { kind: 'rejected', previousIndex, hintIndex, hintTerm },
  })
}

/** What every answer to a leader carries. */
export function replyTo(core: CoreState, request: Probe & { readonly from: string }) {
  return {
    from: core.id,
    to: request.from,
    term: core.term,
    round: request.round,
    sentMs: request.sentMs,
    priority: core.options.priority,
    mayVote: core.mayVote,
  }
}

export function onHeartbeat(core: CoreState, request: Heartbeat): void {
  hearLeader(core, request.from)
  noticeLoss(core, request)
  askForRecovery(core)
  commitTo(core, request.commitIndex)
  core.send({ ...replyTo(core, request), kind: 'heartbeat-reply', verifiedIndex: core.verifiedIndex })
}

/**
 * A leader calls nothing committed that this member has not told it to have on its disk, in the leader's term: nothing of that is ever
 * taken back. Where it is not here, the log is an old copy, or was cut by a disk that lost it in silence.
 */
function noticeLoss(core: CoreState, { commitIndex }: Heartbeat): void {
  if (core.mayVote && commitIndex > core.log.lastIndex) core.changeDurable({ mayVote: false })
}

/**
 * A member that lost its log may have said "I have it" of entries that it no longer has, and "you lead" to a leader it no
 * longer knows. It counts for nothing until it has everything that a leader had, who then had a majority without it.
 */
export function askForRecovery(core: CoreState): void {
  const { recovery, leader } = core
  if (core.mayVote || leader === undefined) return
  if (recovery.target !== undefined) return settleRecovery(core)
  if (core.nowMs - recovery.askedMs < core.options.electionTimeoutMs) return
  recovery.askedMs = core.nowMs
  const context = core.firstQuestion
  core.send({ kind: 'read-index', from: core.id, to: leader, term: core.term, context, purpose: 'recovery' })
}

export function onReadIndexReply(core: CoreState, reply: ReadIndexReply): void {
  const question = reply.context - core.firstQuestion
  if (reply.purpose === 'read') core.readStates.push({ id: question, index: reply.index })
  else if (!core.mayVote && question === 0 && reply.from === core.leader && reply.index !== undefined) {
    core.recovery.target = reply.index
    settleRecovery(core)
  }
}

/**
 * Called when more is durable, and with every word of the leader. The vote that a member forgot may still be counted by a
 * candidate of a term that nobody else knows: it gives none before every candidacy of that time has ended (two election
 * timeouts, and one for clocks and delays).
 */
export function settleRecovery(core: CoreState): void {
  const { target } = core.recovery
  if (core.mayVote || target === undefined) return
  if (core.nowMs - core.startedMs < 3 * core.options.electionTimeoutMs) return
  if (Math.max(core.verifiedIndex, core.commitIndex) < target || core.persists.durable < target) return
  core.changeDurable({ mayVote: true })
}
