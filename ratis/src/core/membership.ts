/** Changes of the group (thesis §4): one at a time, through a joint configuration whenever the voters change. */

import { isJoint, type Configuration } from './configuration.ts'
import type { CoreState, Leading } from './core-state.ts'
import type { NodeId } from './entry.ts'
import type { MembershipChange, Refused } from './raft.ts'
import { isActive } from './transfer.ts'

/** The configuration that begins the change, or why there is none. */
export function planChange(core: CoreState, leading: Leading, change: MembershipChange): Configuration | Refused {
  const { index, configuration: current } = core.configurationAt
  // Until an entry of its own term is committed a new leader cannot know whether an earlier change is.
  if (core.commitIndex < leading.termStart || index > core.commitIndex || isJoint(current)) return 'change-under-way'
  if (!isSound(change) || isSame(current, change)) return 'invalid-change'
  const added = change.voters.filter((id) => !current.voters.includes(id))
  if (!added.every((id) => hasCaughtUp(core, leading, id))) return 'not-caught-up'
  if (!canDecide(core, leading, change.voters)) return 'not-caught-up'
  const { voters, learners, addresses } = change
  if (sameSet(voters, current.voters)) return { voters, outgoing: [], learners, learnersNext: [], addresses }
  const leaving = new Set(current.voters)
  return {
    voters,
    outgoing: current.voters,
    learners: learners.filter((id) => !leaving.has(id)),
    learnersNext: learners.filter((id) => leaving.has(id)),
    addresses: { ...current.addresses, ...addresses },
  }
}

function isSound({ voters, learners }: MembershipChange): boolean {
  return voters.length > 0 && new Set([...voters, ...learners]).size === voters.length + learners.length
}

function isSame(current: Configuration, change: MembershipChange): boolean {
  const ids = [...change.voters, ...change.learners]
  return (
    sameSet(current.voters, change.voters) &&
    sameSet(current.learners, change.learners) &&
    ids.every((id) => current.addresses[id] === change.addresses[id])
  )
}

function sameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id))
}

function hasCaughtUp(core: CoreState, leading: Leading, id: NodeId): boolean {
  const progress = leading.progress.get(id)
  if (progress === undefined || !core.configuration.learners.includes(id)) return false
  const lag = core.log.lastIndex - progress.matchIndex
  return progress.mayVote && isActive(core, progress) && lag <= core.options.promotionLagEntries
}

/** Whether a majority of them counts: members that make good a lost log do not yet, and could elect nobody. */
function canDecide(core: CoreState, leading: Leading, voters: readonly NodeId[]): boolean {
  const fit = voters.filter((id) => id === core.id || leading.progress.get(id)?.mayVote === true)
  return fit.length > voters.length / 2
}
