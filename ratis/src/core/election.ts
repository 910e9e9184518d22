/** Campaigns (§5.2), asked for first (pre-vote, thesis §9.6) so that a member that was cut off disturbs nobody. */

import { encodeConfiguration, isVoter, quorumResult } from './configuration.ts'
import type { CoreState, Leading } from './core-state.ts'
import type { VoteReply, VoteRequest } from './message.ts'
import { quorumContactMs } from './quorum.ts'
import { appendOwn, syncProgress } from './replication.ts'
import { becomeFollower, resetCampaignTimer, resetElectionTimer } from './roles.ts'
import { yieldEvery } from './transfer.ts'

/** A voter that has its whole log. While a snapshot is being put in place, it has not. */
export function mayCampaign(core: CoreState): boolean {
  return core.mayVote && !core.isInstalling && isNeededAsVoter(core)
}

/**
 * A voter, or one until the newest configuration is committed: nobody else may have the entry that removes it, and without
 * its campaign that entry could never be committed (thesis §4.2.2).
 */
function isNeededAsVoter(core: CoreState): boolean {
  const { index, configuration } = core.configurationAt
  if (isVoter(configuration, core.id)) return true
  const before = core.configurations.at(-2)
  return index > core.commitIndex && before !== undefined && isVoter(before.configuration, core.id)
}

export function isSoleVoter(core: CoreState): boolean {
  const { voters, outgoing } = core.configuration
  return outgoing.length === 0 && voters.length === 1 && voters[0] === core.id
}

/** Asks whether a campaign would succeed; terms do not change by asking. */
export function askForVotes(core: CoreState): void {
  if (!mayCampaign(core) || leavesItToOthers(core)) return resetElectionTimer(core)
  if (isSoleVoter(core)) return runForLeader(core, 'election')
  core.role = 'pre-candidate'
  core.leader = undefined
  core.roleChanged = true
  startCampaign(core, 'pre-vote', false)
}

/** Priority 0 leads only when nobody else does: it alone may have the newest log. */
function leavesItToOthers(core: CoreState): boolean {
  return core.options.priority === 0 && core.electionsLeft++ < patience
}

/** Elections that a member of priority 0 leaves to others. */
const patience = 8

/** `transfer`: the leader asked for it; voters that hear that leader may agree all the same. */
export function runForLeader(core: CoreState, why: 'election' | 'transfer'): void {
  if (!mayCampaign(core)) return resetElectionTimer(core)
  becomeFollower(core, core.term + 1, undefined)
  core.role = 'candidate'
  core.changeDurable({ vote: core.id })
  startCampaign(core, 'vote', why === 'transfer')
}

function startCampaign(core: CoreState, kind: VoteRequest['kind'], isTransfer: boolean): void {
  resetCampaignTimer(core)
  core.campaign = { votes: new Map([[core.id, true]]), isTransfer }
  const { voters, outgoing } = core.configuration
  for (const to of new Set([...voters, ...outgoing])) {
    if (to === core.id) continue
    core.send({
      kind,
      from: core.id,
      to,
      term: kind === 'vote' ? core.term : core.term + 1,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      isTransfer,
    })
  }
  countVotes(core)
}

/**
 * Terms are settled before (`step`). A vote is given at most once a term, to a log that has everything that may be
 * committed, and by nobody who lost a log: it could have promised anything.
 */
export function onVoteRequest(core: CoreState, request: VoteRequest): void {
  const isFree =
    request.kind === 'pre-vote'
      ? request.term > core.term
      : core.vote === request.from || (core.vote === '' && core.leader === undefined && core.role === 'follower')
  const isGranted =
    isFree &&
    request.term >= core.term &&
    core.mayVote &&
    !core.isInstalling &&
    core.log.isUpToDate(request.lastTerm, request.lastIndex)
  if (isGranted && request.kind === 'vote') {
    if (core.vote !== request.from) core.changeDurable({ vote: request.from })
    resetElectionTimer(core)
  }
  const kind = request.kind === 'vote' ? 'vote-reply' : 'pre-vote-reply'
  const term = isGranted ? request.term : core.term
  core.send({ kind, from: core.id, to: request.from, term, isGranted })
}

/** Whether a leader is known to live: then nobody is voted for, unless that leader asked for it. */
export function keepsItsWord(core: CoreState, request: VoteRequest): boolean {
  if (request.isTransfer) return false
  const { electionTimeoutMs } = core.options
  if (core.leading !== undefined) {
    const contactMs = Math.max(quorumContactMs(core, core.leading), core.leading.sinceMs)
    return core.nowMs - contactMs <= electionTimeoutMs
  }
  return core.nowMs - core.heardMs < electionTimeoutMs
}

export function onVoteReply(core: CoreState, reply: VoteReply): void {
  const { campaign, role } = core
  const wanted = role === 'candidate' ? 'vote-reply' : 'pre-vote-reply'
  if (campaign === undefined || reply.kind !== wanted) return
  // A "yes" to an earlier question of the same kind is about another term.
  const askedTerm = role === 'candidate' ? core.term : core.term + 1
  if (reply.isGranted && reply.term !== askedTerm) return
  if (!campaign.votes.has(reply.from)) campaign.votes.set(reply.from, reply.isGranted)
  countVotes(core)
}

function countVotes(core: CoreState): void {
  const { campaign } = core
  const result = quorumResult(core.configuration, (id) => campaign?.votes.get(id))
  if (result === 'pending') return
  if (result === 'lost') becomeFollower(core, core.term, undefined)
  else if (core.role === 'pre-candidate') runForLeader(core, 'election')
  else becomeLeader(core)
}

function becomeLeader(core: CoreState): void {
  const { nowMs, options, log } = core
  const leading: Leading = {
    progress: new Map(),
    termStart: log.lastIndex + 1,
    sinceMs: nowMs,
    heartbeatDueMs: nowMs,
    round: 0,
    needsRound: false,
    reads: [],
    uncommittedBytes: 0,
    hasNews: true,
    transfer: undefined,
    isLeaseRevoked: false,
    yieldDueMs: nowMs + yieldEvery * options.electionTimeoutMs,
  }
  core.role = 'leader'
  core.leader = core.id
  core.campaign = undefined
  core.leading = leading
  core.roleChanged = true
  syncProgress(core, leading)
  // The first entry of a term lets everything before it be counted. The first one of all writes down who the group is.
  const { index, configuration } = core.configurationAt
  if (index > 0) appendOwn(core, leading, new Uint8Array(0))
  else {
    const entry = appendOwn(core, leading, encodeConfiguration(configuration))
    core.configurations.push({ index: entry.index, configuration })
  }
}
