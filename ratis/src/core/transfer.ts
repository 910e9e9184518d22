/** Leadership is handed over (thesis §3.10): the heir catches up while no proposal is taken, then campaigns at once. */

import type { CoreState, Leading } from './core-state.ts'
import type { NodeId } from './entry.ts'
import type { Progress } from './progress.ts'
import type { Refused } from './raft.ts'

export function transferLeadership(core: CoreState, leading: Leading, to: NodeId | undefined): Refused | undefined {
  if (leading.transfer !== undefined) return leading.transfer.to === to ? undefined : 'transferring'
  const heir = heirOf(core, leading, to)
  if (heir === undefined) return 'unfit-target'
  leading.transfer = { to: heir.id, untilMs: core.nowMs + core.options.electionTimeoutMs, isSent: false }
  if (heir.matchIndex === core.log.lastIndex) sendTimeoutNow(core, leading, heir.id)
  return undefined
}

function heirOf(core: CoreState, leading: Leading, to: NodeId | undefined): Progress | undefined {
  const fit = [...leading.progress.values()].filter((progress) => {
    return core.configuration.voters.includes(progress.id) && progress.mayVote && isActive(core, progress)
  })
  if (to !== undefined) return fit.find(({ id }) => id === to)
  return fit.filter(({ priority }) => priority > 0).sort((a, b) => b.matchIndex - a.matchIndex)[0]
}

/** Heard of within an election timeout. */
export function isActive(core: CoreState, progress: Progress): boolean {
  return core.nowMs - progress.ackedSentMs <= core.options.electionTimeoutMs
}

export function sendTimeoutNow(core: CoreState, leading: Leading, to: NodeId): void {
  if (leading.transfer?.to === to) leading.transfer.isSent = true
  leading.isLeaseRevoked = true
  core.send({ kind: 'timeout-now', from: core.id, to, term: core.term })
}

/** Given up when it takes too long; offers the lead to a caught-up member of higher priority now and then. */
export function tickTransfer(core: CoreState, leading: Leading): void {
  if (leading.transfer !== undefined && core.nowMs >= leading.transfer.untilMs) leading.transfer = undefined
  if (leading.transfer !== undefined || core.nowMs < leading.yieldDueMs) return
  leading.yieldDueMs = core.nowMs + yieldEvery * core.options.electionTimeoutMs
  const better = [...leading.progress.values()]
    .filter((progress) => progress.priority > core.options.priority && progress.matchIndex >= core.commitIndex)
    .sort((a, b) => b.priority - a.priority)[0]
  if (better !== undefined) transferLeadership(core, leading, better.id)
}

/** In election timeouts: often enough to settle, too rarely for two members to play with the lead. */
export const yieldEvery = 10
