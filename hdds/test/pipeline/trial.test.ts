import { describe, expect, test } from 'vitest'
import { runPipelineTrial } from '../harness/pipeline-trial.ts'
import type { TrialCounts } from '../harness/pipeline-trial.ts'

/** Random programs while members die, are cut off and are slow. `HDDS_PIPELINE_SEEDS=from-to` replays or widens. */
const [firstSeed = 1, lastSeed = 12] = (process.env['HDDS_PIPELINE_SEEDS'] ?? '1-12').split('-').map(Number)
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i)

describe('what was acknowledged is on every member, and closed replicas are the same', () => {
  test(`seeds ${firstSeed} to ${lastSeed}`, { timeout: 600_000 }, async () => {
    const seen: TrialCounts = { acknowledged: 0, streamed: 0, reads: 0, deaths: 0, closed: 0, quasiClosed: 0 }
    for (const seed of seeds) {
      try {
        const counts = await runPipelineTrial({ seed })
        for (const name of Object.keys(seen) as (keyof TrialCounts)[]) seen[name] += counts[name]
      } catch (error) {
        const replay = `HDDS_PIPELINE_SEEDS=${seed}-${seed} npx vitest run hdds/test/pipeline/trial.test.ts`
        throw new Error(`replay with ${replay}`, { cause: error })
      }
    }
    // A program that nobody disturbs, or that gets nothing done, proves nothing.
    expect(seen.acknowledged).toBeGreaterThan(50 * seeds.length)
    expect(seen.streamed).toBeGreaterThan(5 * seeds.length)
    expect(seen.reads).toBeGreaterThan(10 * seeds.length)
    expect(seen.deaths).toBeGreaterThan(seeds.length)
    expect(seen.closed).toBeGreaterThan(3 * seeds.length)
    expect(seen.closed).toBeGreaterThan(4 * seen.quasiClosed)
  })
})
