/** Majorities of what a leader has heard. A member that makes good a lost log counts for nothing: it may have forgotten. */

import type { LogIndex } from '../api/api.ts'
import { quorumValue } from './configuration.ts'
import type { CoreState, Leading } from './core-state.ts'
import type { Progress } from './progress.ts'

function quorumOf(core: CoreState, leading: Leading, own: number, valueOf: (progress: Progress) => number): number {
  return quorumValue(core.configuration, (id) => {
    if (id === core.id) return own
    const progress = leading.progress.get(id)
    return progress?.mayVote === true ? valueOf(progress) : -Infinity
  })
}

/** Durable on a majority. */
export function quorumMatch(core: CoreState, leading: Leading): LogIndex {
  return quorumOf(core, leading, core.persists.durable, (progress) => progress.matchIndex)
}

/** The newest round that a majority has answered. */
export function quorumRound(core: CoreState, leading: Leading): number {
  return quorumOf(core, leading, leading.round, (progress) => progress.ackedRound)
}

/** A majority has followed us at this time of our clock, or later. */
export function quorumContactMs(core: CoreState, leading: Leading): number {
  return quorumOf(core, leading, core.nowMs, (progress) => progress.ackedSentMs)
}

/**
 * Whether no other leader can exist now. Each of a majority promised, by answering, not to vote against us for an election
 * timeout from when it heard us, which was after we sent; by our clock that ends earlier by what clocks may drift.
 */
export function isLeaseValid(core: CoreState, leading: Leading, nowMs: number): boolean {
  if (leading.isLeaseRevoked) return false
  const contactMs = quorumOf(core, leading, nowMs, (progress) => progress.ackedSentMs)
  return nowMs < contactMs + core.options.electionTimeoutMs - core.options.maxClockDriftMs
}
