import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  conflictLogSteps,
  damageLogSteps,
  failedVoteLogSteps,
  failingLogSteps,
  logSteps,
  tornLogSteps,
} from './log-steps.ts'
import { LogTrial, smallLog } from './log-trial.ts'

const numRuns = Number(process.env['RUNS'] ?? 700)

test.each([
  ['whatever it does', logSteps, numRuns, smallLog],
  ['when leaders change', conflictLogSteps, Math.ceil(numRuns / 5), smallLog],
  ['when syncs fail', failingLogSteps, Math.ceil(numRuns / 2), smallLog],
  ['when votes fail', failedVoteLogSteps, Math.ceil(numRuns / 5), smallLog],
  ['when tails are torn', tornLogSteps, Math.ceil(numRuns / 5), smallLog],
  ['when files are damaged', damageLogSteps, Math.ceil(numRuns / 5), { ...smallLog, onDamage: 'repair' as const }],
])(
  'whatever happens to the machine, acknowledged entries stay and torn ones never show: %s',
  async (_, programs, runs, log) => {
    let recoveries = 0
    let failures = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), programs, async (seed, steps) => {
        const trial = new LogTrial({ seed, log })
        await trial.run(steps)
        recoveries += trial.recoveries
        failures += trial.failures
      }),
      { numRuns: runs },
    )
    expect(recoveries).toBeGreaterThan(0)
    expect(failures > 0).toBe(programs === failingLogSteps || programs === failedVoteLogSteps)
  },
  200 * numRuns,
)
