import type { DriverBug, Scene } from '../../src/testing/core-sim/core-sim.ts'
import type { SourceEdit } from './planted-core.ts'
import {
  crashWhileTakingOver,
  groupIsReplacedUnheard,
  leaderSleeps,
  logIsLost,
  questionWithoutEntries,
  voterIsCutOff,
} from './scenes/scenes.ts'

export type Planted = {
  readonly name: string
  /** Who may find it first: several promises break at once, and which is seen first is chance. */
  readonly foundBy: readonly string[]
  /** Seeds that find it; when the core or a plan changes others will. */
  readonly seeds: readonly number[]
  /** In which they find it, where chance alone would take too many. */
  readonly scene?: Scene
} & ({ readonly driver: DriverBug } | { readonly core: readonly SourceEdit[] })

export const edit = (file: string, find: string, replace: string): readonly SourceEdit[] => [{ file, find, replace }]

/** Bugs that were made elsewhere, or that one would make. Each is caught by the seeds that CI plays. */
export const plantedBugs: readonly Planted[] = [
  // What the driver and its disk may do wrong.
  { name: 'syncs are skipped', driver: 'sync-skipped', foundBy: ['sync-before-send'], seeds: [1, 2, 3] },
  { name: 'a failed sync is ignored', driver: 'sync-failure-ignored', foundBy: ['sync-before-send'], seeds: [3, 4, 7] },
  {
    name: 'messages leave before their sync',
    driver: 'messages-early',
    foundBy: ['sync-before-send'],
    seeds: [1, 2, 3],
  },
  { name: 'the vote is not persisted', driver: 'vote-not-persisted', foundBy: ['sync-before-send'], seeds: [1, 2, 3] },
  { name: 'the term is not persisted', driver: 'term-not-persisted', foundBy: ['sync-before-send'], seeds: [1, 2, 3] },
  {
    name: 'the log is written over and not cut',
    driver: 'truncation-ignored',
    foundBy: ['log-matching', 'no-throw'],
    seeds: [319],
  },
  {
    name: 'a member votes after losing its log',
    driver: 'votes-after-loss',
    foundBy: ['leader-completeness', 'one-leader', 'agreement'],
    seeds: [1, 2],
    scene: logIsLost,
  },
  {
    name: 'snapshots forget requests',
    driver: 'requests-forgotten-by-snapshots',
    foundBy: ['equal-state'],
    seeds: [1, 3, 4],
  },
  {
    name: 'snapshots forget the group',
    driver: 'configuration-forgotten-by-snapshots',
    foundBy: ['equal-state'],
    seeds: [1, 3, 4],
  },
  {
    name: 'a checkpoint is ahead of its data',
    driver: 'checkpoint-ahead',
    foundBy: ['equal-state'],
    seeds: [20, 7, 24],
  },
  {
    name: 'a read does not wait for apply',
    driver: 'read-before-applied',
    foundBy: ['linear-reads'],
    seeds: [1, 2, 3],
  },

  // What the core may do wrong: commit.
  {
    name: 'an older term is committed by counting',
    core: edit('replication.ts', '|| core.log.termAt(index) !== core.term) return', ') return'),
    foundBy: ['durable-commit'],
    seeds: [24, 7, 4],
  },
  {
    name: 'the leader counts itself before its sync',
    core: edit('quorum.ts', 'core.persists.durable', 'core.log.lastIndex'),
    foundBy: ['durable-commit'],
    seeds: [4, 5, 7],
  },
  {
    name: 'half of the voters is enough',
    core: edit(
      'configuration.ts',
      'values[Math.floor(voters.length / 2)]',
      'values[Math.floor((voters.length - 1) / 2)]',
    ),
    foundBy: ['durable-commit'],
    seeds: [5, 18, 24],
  },
  {
    name: 'a joint configuration commits by the new voters alone',
    core: edit(
      'configuration.ts',
      'return isJoint(configuration) ? Math',
      'return configuration.voters.length === 0 ? Math',
    ),
    foundBy: ['durable-commit', 'one-leader', 'leader-completeness'],
    seeds: [1, 2, 3],
    scene: groupIsReplacedUnheard,
  },
  {
    name: 'a follower commits what it has not verified',
    core: edit(
      'follower.ts',
      'Math.min(leaderCommit, core.verifiedIndex)',
      'Math.min(leaderCommit, core.log.lastIndex)',
    ),
    foundBy: ['applied-prefix'],
    seeds: [1, 2],
    scene: questionWithoutEntries,
  },
  {
    name: 'entries are applied before they are durable here',
    core: edit(
      'raft-core.ts',
      'Math.min(core.commitIndex, core.persists.durable)\n  if (core.isIn',
      'core.commitIndex\n  if (core.isIn',
    ),
    foundBy: ['applied-prefix'],
    seeds: [1, 2, 3],
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
    foundBy: ['durable-commit'],
    seeds: [1, 4, 6],
  },
  {
    name: 'a follower says it has what it did not verify',
    core: edit(
      'follower.ts',
      'accept(core, request, previousIndex + entries.length)',
      'accept(core, request, core.log.lastIndex)',
    ),
    foundBy: ['sync-before-send'],
    seeds: [22, 18, 14],
  },
  {
    name: 'a follower says it has what is not durable',
    core: edit('follower.ts', 'if (matchIndex <= core.persists.durable) core.send', 'if (matchIndex > 0) core.send'),
    foundBy: ['sync-before-send'],
    seeds: [1, 2, 3],
  },
  {
    name: 'the place of an append is not checked',
    core: edit(
      'follower.ts',
      'core.log.termAt(previousIndex) !== previousTerm)',
      'previousIndex > core.log.lastIndex)',
    ),
    foundBy: ['applied-prefix', 'log-matching'],
    seeds: [18, 16, 3],
  },
  {
    name: 'writes taken back count as durable',
    core: edit(
      'persist-queue.ts',
      'index = Math.min(index, each.keepsBelow - 1)',
      'index = Math.min(index, each.lastIndex)',
    ),
    foundBy: ['sync-before-send'],
    seeds: [1, 6, 8],
    scene: crashWhileTakingOver,
  },
  {
    name: 'a snapshot is put over a newer state',
    core: edit(
      'snapshots.ts',
      'if (!isOlder && core.log.termAt(place.index) !== place.term) return true',
      'if (core.log.lastIndex > 0) return true',
    ),
    foundBy: ['commit-grows'],
    seeds: [1, 8, 9],
  },
  {
    name: 'appends have no limit',
    core: edit(
      'replication.ts',
      'core.log.slice(nextIndex, lastIndex, maxAppendBytes)',
      'core.log.slice(nextIndex, lastIndex)',
    ),
    foundBy: ['bounded'],
    seeds: [1, 8, 9],
  },

  // Elections.
  {
    name: 'a vote goes to a log that lacks entries',
    core: edit('election.ts', 'core.log.isUpToDate(request.lastTerm, request.lastIndex)', 'request.lastIndex >= 0'),
    foundBy: ['leader-completeness'],
    seeds: [5, 4, 1],
  },
  {
    name: 'two votes in one term',
    core: edit('election.ts', "core.vote === '' && core.leader", "core.vote !== '-' && core.leader"),
    foundBy: ['sync-before-send'],
    seeds: [4, 8, 9],
  },
  {
    name: 'a vote is told before it is durable',
    core: edit('core-state.ts', '!this.hardStateChanged && this.persists.isHardStateDurable', 'this.term > 0'),
    foundBy: ['sync-before-send'],
    seeds: [1, 2, 3],
  },
  {
    name: 'a joint configuration elects by the new voters alone',
    core: edit('configuration.ts', 'if (isJoint(configuration)) results.push', 'if (results.length > 1) results.push'),
    foundBy: ['one-leader'],
    seeds: [1, 2],
    scene: groupIsReplacedUnheard,
  },
  {
    name: 'a new term keeps the old vote',
    core: edit('roles.ts', "core.changeDurable({ term, vote: '' })", 'core.changeDurable({ term })'),
    foundBy: ['progress'],
    seeds: [24, 20, 22],
  },
  {
    name: 'a member that lost its log votes at once',
    core: edit('election.ts', '    core.mayVote &&\n', ''),
    foundBy: ['leader-completeness'],
    seeds: [1, 2],
    scene: logIsLost,
  },
  {
    name: 'recovery ends before the log is whole',
    core: edit('follower.ts', '< target || core.persists.durable < target) return', '< 0) return'),
    foundBy: ['leader-completeness'],
    seeds: [83],
  },

  // Reads.
  {
    name: 'a leader reads without asking anybody',
    core: edit('reads.ts', 'isLeaseValid(core, leading, nowMs)', 'nowMs >= 0'),
    foundBy: ['linear-reads'],
    seeds: [1, 2],
    scene: leaderSleeps,
  },
  {
    name: 'a read is confirmed by answers from before it',
    core: edit('reads.ts', 'round: leading.round + 1, index', 'round: leading.round, index'),
    foundBy: ['linear-reads'],
    seeds: [159],
  },
  {
    name: 'a new leader reads what it knows to be committed',
    core: edit('reads.ts', 'Math.max(core.commitIndex, leading.termStart)', 'core.commitIndex'),
    foundBy: ['linear-reads'],
    seeds: [18, 5, 9],
  },
  {
    name: 'a lease lasts longer than its promise',
    core: edit('quorum.ts', '- core.options.maxClockDriftMs', '* 3'),
    foundBy: ['linear-reads'],
    seeds: [1, 2],
    scene: leaderSleeps,
  },
  {
    name: 'members vote while they hear a leader',
    core: edit('election.ts', 'return core.nowMs - core.heardMs < electionTimeoutMs', 'return false'),
    foundBy: ['linear-reads'],
    seeds: [1, 3, 4],
    scene: voterIsCutOff,
  },
  {
    name: 'a lease outlives the offer to hand over',
    core: edit('quorum.ts', 'if (leading.isLeaseRevoked) return false', ''),
    foundBy: ['linear-reads'],
    seeds: [23],
  },
]
