/** Following, and the clock of elections. */

import { assert } from '@o3/common/errors'
import type { Term } from '../api/api.ts'
import type { CoreState } from './core-state.ts'
import type { NodeId } from './entry.ts'

/** A new, random wait, so that members rarely campaign at once (§5.2). */
export function resetElectionTimer(core: CoreState): void {
  const { electionTimeoutMs, random } = core.options
  core.electionDueMs = core.nowMs + electionTimeoutMs * (1 + random())
}

export function becomeFollower(core: CoreState, term: Term, leader: NodeId | undefined): void {
  assert(term >= core.term, 'terms never fall')
  if (term > core.term) {
    core.changeDurable({ term, vote: '' })
    core.verifiedIndex = 0
    core.recovery = { askedMs: -Infinity, target: undefined }
  }
  core.role = 'follower'
  core.leader = leader
  core.campaign = undefined
  refuseReads(core)
  core.leading = undefined
  core.roleChanged = true
  resetElectionTimer(core)
}

/**
 * The wait of a campaign is half of that: nobody is known to lead, so nobody's lead is disturbed, and of two who split the votes
 * of a group one should soon try again. Not less: the answers of a slow network have to come in. As random as the other.
 */
export function resetCampaignTimer(core: CoreState): void {
  const { electionTimeoutMs, random } = core.options
  core.electionDueMs = core.nowMs + electionTimeoutMs * (0.5 + random())
}

/** Word from this term's leader: nobody campaigns against it for a while. */
export function hearLeader(core: CoreState, from: NodeId): void {
  assert(core.role !== 'leader', `${from} also leads in term ${core.term}`)
  if (core.role !== 'follower' || core.leader !== from) becomeFollower(core, core.term, from)
  core.heardMs = core.nowMs
  core.electionsLeft = 0
  resetElectionTimer(core)
}

/** Reads that wait will not be confirmed: ours are told so; those of followers find out by their deadline, or ask again. */
function refuseReads(core: CoreState): void {
  for (const { asker } of core.leading?.reads ?? []) {
    if (asker.kind === 'self') core.readStates.push({ id: asker.id, index: undefined })
    else {
      const { from, context, purpose } = asker
      core.send({
        kind: 'read-index-reply',
        from: core.id,
        to: from,
        term: core.term,
        context,
        purpose,
        index: undefined,
      })
    }
  }
}
