/** What a message does: first its term is settled, then its kind decides. */

import { unreachable } from '@o3/common/errors'
import type { CoreState, Leading } from './core-state.ts'
import { keepsItsWord, onVoteReply, onVoteRequest, runForLeader } from './election.ts'
import { onAppend, onHeartbeat, onReadIndexReply, replyTo } from './follower.ts'
import type { AppendReply, HeartbeatReply, Message, SnapshotReply, VoteRequest } from './message.ts'
import type { Progress } from './progress.ts'
import { confirmReads, onReadIndexRequest } from './reads.ts'
import { advanceCommit, onAppendReply, onHeartbeatReply, onSnapshotReply } from './replication.ts'
import { becomeFollower } from './roles.ts'
import { onSnapshotChunk } from './snapshots.ts'

export function step(core: CoreState, message: Message): void {
  if (message.to !== core.id) return
  const isVote = message.kind === 'vote' || message.kind === 'pre-vote'
  // Not even a newer term is taken from somebody who asks for votes against a leader that lives.
  if (isVote && !hasMyVote(core, message) && keepsItsWord(core, message)) return
  if (message.term < core.term) return stepOld(core, message)
  if (message.term > core.term && bringsTerm(message)) {
    becomeFollower(core, message.term, isFromLeader(message) ? message.from : undefined)
  }
  dispatch(core, message)
}

/** The answer was lost, and is given again. In another term the vote for a candidate that lost means nothing. */
function hasMyVote(core: CoreState, request: VoteRequest): boolean {
  return request.kind === 'vote' && request.term === core.term && request.from === core.vote
}

/** A pre-vote asks about a term that nobody is in yet, and so does the "yes" to it. */
function bringsTerm(message: Message): boolean {
  if (message.kind === 'pre-vote') return false
  return message.kind !== 'pre-vote-reply' || !message.isGranted
}

function isFromLeader({ kind }: Message): boolean {
  return kind === 'append' || kind === 'heartbeat' || kind === 'snapshot-chunk'
}

/** A message of a term that is over. Its sender is told, or would never find out. */
function stepOld(core: CoreState, message: Message): void {
  switch (message.kind) {
    case 'append':
    case 'heartbeat':
    case 'snapshot-chunk':
      // It confirms nothing: rounds and times of another term would be taken for those of this one.
      return core.send({ ...replyTo(core, message), kind: 'heartbeat-reply', round: 0, sentMs: 0 })
    case 'vote':
    case 'pre-vote':
      return refuseVote(core, message)
    case 'read-index':
      return onReadIndexRequest(core, message)
    case 'read-index-reply':
      // It was confirmed after the read began, whoever leads now.
      if (message.purpose === 'read') onReadIndexReply(core, message)
      return
    case 'vote-reply':
    case 'pre-vote-reply':
    case 'append-reply':
    case 'heartbeat-reply':
    case 'snapshot-reply':
    case 'timeout-now':
      return
    default:
      return unreachable(message)
  }
}

function refuseVote(core: CoreState, request: VoteRequest): void {
  const kind = request.kind === 'vote' ? 'vote-reply' : 'pre-vote-reply'
  core.send({ kind, from: core.id, to: request.from, term: core.term, isGranted: false })
}

function dispatch(core: CoreState, message: Message): void {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      return onVoteRequest(core, message)
    case 'vote-reply':
    case 'pre-vote-reply':
      return onVoteReply(core, message)
    case 'append':
      return onAppend(core, message)
    case 'heartbeat':
      return onHeartbeat(core, message)
    case 'snapshot-chunk':
      return onSnapshotChunk(core, message)
    case 'append-reply':
    case 'heartbeat-reply':
    case 'snapshot-reply':
      return onFollowerReply(core, message)
    case 'read-index':
      return onReadIndexRequest(core, message)
    case 'read-index-reply':
      return onReadIndexReply(core, message)
    case 'timeout-now':
      if (core.role === 'follower' && core.leader === message.from) runForLeader(core, 'transfer')
      return
    default:
      return unreachable(message)
  }
}

function onFollowerReply(core: CoreState, reply: AppendReply | HeartbeatReply | SnapshotReply): void {
  const { leading } = core
  const progress = leading?.progress.get(reply.from)
  if (leading === undefined || progress === undefined) return
  takeFacts(core, leading, progress, reply)
  if (core.leading !== leading) return
  switch (reply.kind) {
    case 'append-reply':
      return onAppendReply(core, leading, progress, reply)
    case 'heartbeat-reply':
      return onHeartbeatReply(core, leading, progress)
    case 'snapshot-reply':
      return onSnapshotReply(core, leading, progress, reply)
    default:
      return unreachable(reply)
  }
}

function takeFacts(
  core: CoreState,
  leading: Leading,
  progress: Progress,
  reply: AppendReply | HeartbeatReply | SnapshotReply,
): void {
  const countsAgain = reply.mayVote && !progress.mayVote
  if (!reply.mayVote && progress.mayVote) progress.lostItsLog(core.log.lastIndex)
  progress.mayVote = reply.mayVote
  progress.priority = reply.priority
  progress.ackedRound = Math.max(progress.ackedRound, reply.round)
  progress.ackedSentMs = Math.max(progress.ackedSentMs, reply.sentMs)
  confirmReads(core, leading)
  if (countsAgain) advanceCommit(core)
}
