import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logSteps } from './log-steps.ts'
import { LogTrial } from './log-trial.ts'

const numRuns = Number(process.env['RUNS'] ?? 700)

test(
  'whatever happens to the machine, acknowledged entries stay and torn ones never show',
  async () => {
    let recoveries = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), logSteps, async (seed, steps) => {
        const trial = new LogTrial({ seed })
        await trial.run(steps)
        recoveries += trial.recoveries
      }),
      { numRuns },
    )
    expect(recoveries).toBeGreaterThan(0)
  },
  200 * numRuns,
)
