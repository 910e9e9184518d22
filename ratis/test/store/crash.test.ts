import fc from 'fast-check'
import { test } from 'vitest'
import { storeSteps } from './store-steps.ts'
import { StoreTrial } from './store-trial.ts'

const numRuns = Number(process.env['RUNS'] ?? 300)

test(
  'the store does what one command after the other would do, whatever happens to the machine',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), storeSteps, (seed, steps) => new StoreTrial({ seed }).run(steps)),
      { numRuns },
    )
  },
  200 * numRuns,
)
