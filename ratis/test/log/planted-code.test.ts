import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { HardStateFile } from '../../src/log/hard-state.ts'
import { conflictLogSteps } from './log-steps.ts'
import { LogTrial } from './log-trial.ts'

/**
 * Bugs that no disk can play: the code itself is bent, by the test. As in `planted.test.ts`, each has to be found within a
 * stated number of random programs.
 */
const bent = vi.hoisted(() => ({ oneSeed: false }))

vi.mock('../../src/log/checksum.ts', async (original) => {
  const checksum = await original<typeof import('../../src/log/checksum.ts')>()
  const segmentSeed = (groupId: string, sequence: number): number =>
    checksum.segmentSeed(groupId, bent.oneSeed ? 0 : sequence)
  return { ...checksum, segmentSeed }
})

afterEach(() => {
  bent.oneSeed = false
  vi.restoreAllMocks()
})

const bugs: readonly (readonly [string, number, () => void])[] = [
  [
    'an append does not wait for the term and vote that were asked for before it',
    300,
    () => vi.spyOn(HardStateFile.prototype, 'isVoteSaved', 'get').mockReturnValue(true),
  ],
  ['what was cut verifies in the file that is used again', 300, () => (bent.oneSeed = true)],
]

test.each(bugs)(
  'is found: %s (in %i programs)',
  async (_, budget, plant) => {
    plant()
    const result = await fc.check(
      fc.asyncProperty(fc.integer(), conflictLogSteps, (seed, steps) => new LogTrial({ seed }).run(steps)),
      { numRuns: budget, endOnFailure: true, seed: 1 },
    )
    expect(result.failed).toBe(true)
  },
  100_000,
)
