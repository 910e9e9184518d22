import fc from 'fast-check'
import { test } from 'vitest'
import { groupSteps, GroupTrial } from './group-trial.ts'

const numRuns = Number(process.env['RUNS'] ?? 60)

test(
  'three stores do what one command after the other would do, whatever happens to machines and links',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), groupSteps, (seed, steps) => new GroupTrial(seed).run(steps)),
      { numRuns },
    )
  },
  1000 * numRuns,
)
