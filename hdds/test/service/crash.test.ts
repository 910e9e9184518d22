import { describe, expect, test } from 'vitest'
import { runLives } from '../harness/lives.ts'

/** Each seed is four programs, each ended by a crash. `HDDS_SEEDS=from-to` replays or widens. */
const [firstSeed = 1, lastSeed = 250] = (process.env['HDDS_SEEDS'] ?? '1-250').split('-').map(Number)

describe('acknowledged blocks are there, torn ones are not, deleted ones do not come back', () => {
  const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i)
  test(`seeds ${firstSeed} to ${lastSeed}`, { timeout: 120_000 }, async () => {
    for (const seed of seeds) {
      try {
        await runLives({ seed })
      } catch (error) {
        throw new Error(`replay with HDDS_SEEDS=${seed}-${seed} npx vitest run hdds/test/service/crash`, {
          cause: error,
        })
      }
    }
    expect(seeds.length).toBeGreaterThan(0)
  })
})
