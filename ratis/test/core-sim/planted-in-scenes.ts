import { edit, type Planted } from './planted-bugs.ts'
import {
  answersComeLate,
  changeUnderWayIsChanged,
  clocksStand,
  diskIsOfBefore,
  groupIsReplacedBehindAWrite,
  leaderSleeps,
  onlyTheRemovedHasTheEntry,
  questionWithoutEntries,
  voteIsForgotten,
  voterIsCutOff,
  voterRestarts,
} from './scenes/scenes.ts'

/** Bugs that the seeds of a plan find too rarely, or never. */
export const plantedInScenes: readonly Planted[] = [
  {
    name: 'a joint configuration is left before it is committed',
    core: edit('replication.ts', 'if (index > core.commitIndex || core.commitIndex <', 'if (core.commitIndex <'),
    foundBy: ['leader-completeness'],
    seeds: [1, 2],
    scene: groupIsReplacedBehindAWrite,
  },
  {
    name: 'a change begins while another is under way',
    core: edit('membership.ts', '|| index > core.commitIndex || isJoint(current)) return', ') return'),
    foundBy: ['leader-completeness'],
    seeds: [1, 2],
    scene: changeUnderWayIsChanged,
  },
  {
    name: 'a removed voter never campaigns',
    core: edit('election.ts', 'return index > core.commitIndex && before', 'return index < 0 && before'),
    foundBy: ['scene', 'progress'],
    seeds: [1, 2, 3],
    scene: onlyTheRemovedHasTheEntry,
  },
  {
    name: 'a member that lost its log counts for a commit',
    core: edit('quorum.ts', 'progress?.mayVote === true ?', 'progress !== undefined ?'),
    foundBy: ['applied-prefix', 'leader-completeness'],
    seeds: [1, 2, 3],
    scene: voteIsForgotten,
  },
  {
    name: 'an old copy of a log is taken for the log',
    core: edit('follower.ts', '  noticeLoss(core, request)\n', ''),
    foundBy: ['leader-completeness'],
    seeds: [1, 2, 3],
    scene: diskIsOfBefore,
  },
  {
    name: 'what was verified for one leader counts for the next',
    core: edit('roles.ts', '    core.verifiedIndex = 0\n', ''),
    foundBy: ['applied-prefix'],
    seeds: [1, 2],
    scene: questionWithoutEntries,
  },
  {
    name: 'a lease counts from when the answer came',
    core: edit('step.ts', 'Math.max(progress.ackedSentMs, reply.sentMs)', 'core.nowMs'),
    foundBy: ['linear-reads'],
    seeds: [2, 7, 10],
    scene: answersComeLate,
  },
  {
    name: 'a read goes by the time of the last tick',
    core: edit('reads.ts', 'isLeaseValid(core, leading, nowMs)', 'isLeaseValid(core, leading, core.nowMs + 0 * nowMs)'),
    foundBy: ['linear-reads'],
    seeds: [1, 2],
    scene: leaderSleeps,
  },
  {
    name: 'a member keeps its word for half of the time',
    core: edit('election.ts', 'core.heardMs < electionTimeoutMs', 'core.heardMs < electionTimeoutMs / 2'),
    foundBy: ['linear-reads'],
    seeds: [3, 4, 6],
    scene: voterIsCutOff,
  },
  {
    name: 'a restart takes back a promise',
    core: edit('core-state.ts', 'term === 0 ? -Infinity : start.nowMs', 'term >= 0 ? -Infinity : start.nowMs'),
    foundBy: ['linear-reads'],
    seeds: [1, 3, 4],
    scene: voterRestarts,
  },
  {
    name: 'a follower is told where to read without asking anybody',
    core: edit(
      'reads.ts',
      "  waitForRound(core, leading, { kind: 'member', from, context, purpose }, index)",
      "  answer(core, { round: 0, index, asker: { kind: 'member', from, context, purpose } }, index)",
    ),
    foundBy: ['linear-reads'],
    seeds: [1, 2],
    scene: clocksStand,
  },
]
