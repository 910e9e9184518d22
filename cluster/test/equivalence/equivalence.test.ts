import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runPrograms } from './equivalence.ts'
import type { RunReport } from './equivalence.ts'
import { program } from './program.ts'

/** `O3_PROGRAMS=10000` for the long run. fast-check prints seed and path of what it finds: hand them back to replay. */
const programs = Number(process.env['O3_PROGRAMS'] ?? 100)
const perMachine = 20

test.each(['here', 'away'] as const)(
  `${programs} random programs, with crashes, are answered as the reference answers them: with OM %s`,
  { timeout: 2_400_000 },
  async (om) => {
    const total: Omit<RunReport, 'programs'> = { steps: 0, deaths: 0, happened: 0, lost: 0 }
    const several = fc.array(program, { minLength: perMachine, maxLength: perMachine })
    await fc.assert(
      fc.asyncProperty(several, fc.nat(), async (batch, seed) => {
        const report = await runPrograms(batch, seed, om)
        for (const name of ['steps', 'deaths', 'happened', 'lost'] as const) total[name] += report[name]
      }),
      { numRuns: Math.ceil(programs / perMachine), endOnFailure: false },
    )
    // Both sides of an unknown outcome were met.
    expect(total.deaths).toBeGreaterThan(programs / 20)
    expect(total.happened).toBeGreaterThan(0)
    expect(total.lost).toBeGreaterThan(0)
  },
)
