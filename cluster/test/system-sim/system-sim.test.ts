import { expect, test } from 'vitest'
import { runSeed } from './run-seed.ts'

/** `O3_SYSTEM_SEEDS=150` in CI, `O3_SYSTEM_FIRST` to go on elsewhere. */
const seeds = Number(process.env['O3_SYSTEM_SEEDS'] ?? 2)
const first = Number(process.env['O3_SYSTEM_FIRST'] ?? 1)

test.each(Array.from({ length: seeds }, (_, n) => first + n))(
  'seed %i keeps every promise',
  { timeout: 120_000 },
  async (seed) => {
    const result = await runSeed(seed)
    expect(result.violation, `npm run sim -- --system --seed ${seed}`).toBeUndefined()
  },
)
