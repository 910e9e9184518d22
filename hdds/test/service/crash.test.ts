import { describe, expect, test } from 'vitest'
import { armRandomFault, runLives } from '../harness/lives.ts'

/** Each seed is four programs, each ended by a crash. `HDDS_SEEDS=from-to` replays or widens. */
const [firstSeed = 1, lastSeed = 250] = (process.env['HDDS_SEEDS'] ?? '1-250').split('-').map(Number)
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i)

describe('acknowledged blocks are there, torn ones are not, deleted ones do not come back', () => {
  test(`seeds ${firstSeed} to ${lastSeed}`, { timeout: 120_000 }, async () => {
    for (const seed of seeds) {
      // In one of four the disk also fails, or is full, now and then.
      const onStarted = seed % 4 === 0 ? armRandomFault : undefined
      try {
        // In every third containers leave and are copied back.
        const mix = seed % 3 === 0 ? 'copies' : 'everything'
        await runLives({ seed, mix, ...(onStarted === undefined ? {} : { onStarted }) })
      } catch (error) {
        const replay = `HDDS_SEEDS=${seed}-${seed} npx vitest run hdds/test/service/crash.test.ts`
        throw new Error(`replay with ${replay}`, { cause: error })
      }
    }
    expect(seeds.length).toBeGreaterThan(0)
  })
})
