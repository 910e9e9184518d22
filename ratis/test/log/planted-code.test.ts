import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { HardStateFile } from '../../src/log/hard-state.ts'
import type { LogOptions } from '../../src/log/segmented-log.ts'
import { conflictLogSteps, damageLogSteps, failedVoteLogSteps, failingLogSteps } from './log-steps.ts'
import { LogTrial, smallLog } from './log-trial.ts'

/**
 * Bugs that no disk can play: the code itself is bent, by the test. As in `planted.test.ts`, each has to be found within a
 * stated number of random programs.
 */
const bent = vi.hoisted(() => ({ oneSeed: false, trustsCache: false }))

vi.mock('../../src/log/checksum.ts', async (original) => {
  const checksum = await original<typeof import('../../src/log/checksum.ts')>()
  const segmentSeed = (groupId: string, sequence: number): number =>
    checksum.segmentSeed(groupId, bent.oneSeed ? 0 : sequence)
  return { ...checksum, segmentSeed }
})

vi.mock('../../src/log/recover-segments.ts', async (original) => {
  const recover = await original<typeof import('../../src/log/recover-segments.ts')>()
  const recoverSegments: typeof recover.recoverSegments = async (...known) => {
    const recovery = await recover.recoverSegments(...known)
    return bent.trustsCache ? { ...recovery, provenIndex: recovery.terms.lastIndex } : recovery
  }
  return { ...recover, recoverSegments }
})

afterEach(() => {
  bent.oneSeed = false
  bent.trustsCache = false
  vi.restoreAllMocks()
})

/** The first save of a repair is held back until the next one is done: the new segment is there before the vote is forbidden. */
function swapSavesOfRepair(): void {
  const { save } = HardStateFile.prototype
  type Change = Parameters<typeof save>[0]
  const held = new WeakMap<HardStateFile, Change>()
  vi.spyOn(HardStateFile.prototype, 'save').mockImplementation(async function (this: HardStateFile, change) {
    if (change.mayVote === false && change.catchUpIndex !== undefined) return void held.set(this, change)
    await save.call(this, change)
    const late = held.get(this)
    held.delete(this)
    if (late !== undefined) await save.call(this, late)
  })
}

/** A hard state that was read, and whose copies agree, is not written again. */
function trustHardState(): void {
  const { save } = HardStateFile.prototype
  const { open } = HardStateFile
  let opening = 0
  vi.spyOn(HardStateFile, 'open').mockImplementation(async (...where) => {
    opening++
    try {
      return await open.apply(HardStateFile, where)
    } finally {
      opening--
    }
  })
  vi.spyOn(HardStateFile.prototype, 'save').mockImplementation(function (this: HardStateFile, change) {
    return opening === 0 && Object.keys(change).length === 0 ? Promise.resolve() : save.call(this, change)
  })
}

interface Bug {
  readonly programs: typeof conflictLogSteps
  readonly budget: number
  readonly plant: () => void
}

const bugs: readonly (readonly [string, Bug])[] = [
  [
    'an append does not wait for the term and vote that were asked for before it',
    {
      programs: conflictLogSteps,
      budget: 300,
      plant: () => vi.spyOn(HardStateFile.prototype, 'isVoteSaved', 'get').mockReturnValue(true),
    },
  ],
  [
    'what was cut verifies in the file that is used again',
    { programs: conflictLogSteps, budget: 300, plant: () => (bent.oneSeed = true) },
  ],
  [
    'after a failed sync, the next process goes on behind entries that only the page cache holds',
    { programs: failingLogSteps, budget: 20, plant: () => (bent.trustsCache = true) },
  ],
  [
    'after a failed sync, the next process trusts a hard state that only the page cache holds',
    { programs: failedVoteLogSteps, budget: 200, plant: trustHardState },
  ],
  [
    'a repair forbids the vote after it has made the log whole',
    { programs: damageLogSteps, budget: 300, plant: swapSavesOfRepair },
  ],
]

test.each(bugs)(
  'is found: %s',
  async (_, { programs, budget, plant }) => {
    plant()
    const log: LogOptions = { ...smallLog, onDamage: programs === damageLogSteps ? 'repair' : 'refuse' }
    const result = await fc.check(
      fc.asyncProperty(fc.integer(), programs, (seed, steps) => new LogTrial({ seed, log }).run(steps)),
      { numRuns: budget, endOnFailure: true, seed: 1 },
    )
    expect(result.failed).toBe(true)
  },
  100_000,
)
