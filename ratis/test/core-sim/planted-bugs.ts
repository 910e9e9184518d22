import type { DriverBug } from '../../src/testing/core-sim/core-sim.ts'
import type { SourceEdit } from './planted-core.ts'

export type Planted = {
  readonly name: string
  /** Who may find it first: several promises break at once, and which is seen first is chance. */
  readonly foundBy: readonly string[]
  /** Where to look: it is found by a seed before this one. */
  readonly withinSeeds: number
} & ({ readonly driver: DriverBug } | { readonly core: readonly SourceEdit[] })

const edit = (file: string, find: string, replace: string): readonly SourceEdit[] => [{ file, find, replace }]

/** Bugs that were made elsewhere, or that one would make. Each is caught by the seeds that every run does. */
export const plantedBugs: readonly Planted[] = [
  // What the driver and its disk may do wrong.
  { name: 'syncs are skipped', driver: 'sync-skipped', foundBy: [], withinSeeds: 0 },
  { name: 'a failed sync is ignored', driver: 'sync-failure-ignored', foundBy: [], withinSeeds: 0 },
  { name: 'messages leave before their sync', driver: 'messages-early', foundBy: [], withinSeeds: 0 },
  { name: 'the vote is not persisted', driver: 'vote-not-persisted', foundBy: [], withinSeeds: 0 },
  { name: 'the term is not persisted', driver: 'term-not-persisted', foundBy: [], withinSeeds: 0 },
  { name: 'the log is written over and not cut', driver: 'truncation-ignored', foundBy: [], withinSeeds: 0 },
  { name: 'a member votes after losing its log', driver: 'votes-after-loss', foundBy: [], withinSeeds: 0 },
  { name: 'snapshots forget requests', driver: 'requests-forgotten-by-snapshots', foundBy: [], withinSeeds: 0 },
  { name: 'snapshots forget the group', driver: 'configuration-forgotten-by-snapshots', foundBy: [], withinSeeds: 0 },
  { name: 'a checkpoint is ahead of its data', driver: 'checkpoint-ahead', foundBy: [], withinSeeds: 0 },
  { name: 'a read does not wait for apply', driver: 'read-before-applied', foundBy: [], withinSeeds: 0 },

  // What the core may do wrong: commit.
  {
    name: 'an older term is committed by counting',
    core: edit('replication.ts', '|| core.log.termAt(index) !== core.term) return', ') return'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'the leader counts itself before its sync',
    core: edit('quorum.ts', 'core.persists.durable', 'core.log.lastIndex'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'half of the voters is enough',
    core: edit(
      'configuration.ts',
      'values[Math.floor(voters.length / 2)]',
      'values[Math.floor((voters.length - 1) / 2)]',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a joint configuration commits by the new voters alone',
    core: edit(
      'configuration.ts',
      'return isJoint(configuration) ? Math',
      'return configuration.voters.length === 0 ? Math',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a follower commits what it has not verified',
    core: edit(
      'follower.ts',
      'Math.min(leaderCommit, core.verifiedIndex)',
      'Math.min(leaderCommit, core.log.lastIndex)',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'entries are applied before they are durable here',
    core: edit(
      'raft-core.ts',
      'Math.min(core.commitIndex, core.persists.durable)\n  if (core.isIn',
      'core.commitIndex\n  if (core.isIn',
    ),
    foundBy: [],
    withinSeeds: 0,
  },

  // Replication.
  {
    name: 'a late append cuts off newer entries',
    core: edit(
      'follower.ts',
      'if (firstNew < 0) return',
      `const end = (entries.at(-1)?.index ?? Infinity) + 1
  if (firstNew < 0 && end > core.commitIndex && end <= core.log.lastIndex) core.truncate(end)
  if (firstNew < 0) return`,
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a follower says it has what it did not verify',
    core: edit(
      'follower.ts',
      'accept(core, request, previousIndex + entries.length)',
      'accept(core, request, core.log.lastIndex)',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a follower says it has what is not durable',
    core: edit('follower.ts', 'if (matchIndex <= core.persists.durable) core.send', 'if (matchIndex > 0) core.send'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'the place of an append is not checked',
    core: edit(
      'follower.ts',
      'core.log.termAt(previousIndex) !== previousTerm)',
      'previousIndex > core.log.lastIndex)',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'writes taken back count as durable',
    core: edit(
      'persist-queue.ts',
      'index = Math.min(index, each.keepsBelow - 1)',
      'index = Math.min(index, each.lastIndex)',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a snapshot is put over a newer state',
    core: edit(
      'snapshots.ts',
      'if (!isOlder && core.log.termAt(place.index) !== place.term) return true',
      'if (core.log.lastIndex > 0) return true',
    ),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'appends have no limit',
    core: edit(
      'replication.ts',
      'core.log.slice(nextIndex, lastIndex, maxAppendBytes)',
      'core.log.slice(nextIndex, lastIndex)',
    ),
    foundBy: [],
    withinSeeds: 0,
  },

  // Elections.
  {
    name: 'a vote goes to a log that lacks entries',
    core: edit('election.ts', 'core.log.isUpToDate(request.lastTerm, request.lastIndex)', 'request.lastIndex >= 0'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'two votes in one term',
    core: edit('election.ts', "core.vote === '' && core.leader", "core.vote !== '-' && core.leader"),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a vote is told before it is durable',
    core: edit('core-state.ts', '!this.hardStateChanged && this.persists.isHardStateDurable', 'this.term > 0'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a joint configuration elects by the new voters alone',
    core: edit('configuration.ts', 'if (isJoint(configuration)) results.push', 'if (results.length > 1) results.push'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a new term keeps the old vote',
    core: edit('roles.ts', "core.changeDurable({ term, vote: '' })", 'core.changeDurable({ term })'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a member that lost its log votes at once',
    core: edit('election.ts', '    core.mayVote &&\n', ''),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'recovery ends before the log is whole',
    core: edit('follower.ts', '< target || core.persists.durable < target) return', '< 0) return'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a member that an uncommitted change removes never campaigns',
    core: edit('election.ts', 'return index > core.commitIndex &&', 'return index < 0 &&'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a change of members begins while another is under way',
    core: edit('membership.ts', '|| index > core.commitIndex || isJoint(current)) return', ') return'),
    foundBy: [],
    withinSeeds: 0,
  },

  // Reads.
  {
    name: 'a leader reads without asking anybody',
    core: edit('reads.ts', 'isLeaseValid(core, leading, nowMs)', 'nowMs >= 0'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a read is confirmed by answers from before it',
    core: edit('reads.ts', 'round: leading.round + 1, index', 'round: leading.round, index'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'an answer to an old term confirms reads of this one',
    core: edit('step.ts', "kind: 'heartbeat-reply', round: 0, sentMs: 0", "kind: 'heartbeat-reply'"),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a new leader reads what it knows to be committed',
    core: edit('reads.ts', 'Math.max(core.commitIndex, leading.termStart)', 'core.commitIndex'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a lease lasts longer than its promise',
    core: edit('quorum.ts', '- core.options.maxClockDriftMs', '* 3'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'members vote while they hear a leader',
    core: edit('election.ts', 'return core.nowMs - core.heardMs < electionTimeoutMs', 'return false'),
    foundBy: [],
    withinSeeds: 0,
  },
  {
    name: 'a lease outlives the offer to hand over',
    core: edit('quorum.ts', 'if (leading.isLeaseRevoked) return false', ''),
    foundBy: [],
    withinSeeds: 0,
  },
]
