import { expect, test } from 'vitest'
import { faultCounts, ledgerLine } from './ledger.ts'
import { faultKinds, planOf, printPlan } from './plan.ts'
import { runSeed, type RunResult } from './run-seed.ts'

/** `O3_SYSTEM_SEEDS=150` in CI, `O3_SYSTEM_FIRST` to go on elsewhere. */
const seeds = Number(process.env['O3_SYSTEM_SEEDS'] ?? 3)
const first = Number(process.env['O3_SYSTEM_FIRST'] ?? 1)
/** One seed in so many is run twice. */
const twice = 20

const results: RunResult[] = []

test.each(Array.from({ length: seeds }, (_, n) => first + n))(
  'seed %i keeps every promise',
  { timeout: 120_000 },
  async (seed) => {
    const result = await runSeed(seed)
    results.push(result)
    expect(result.violation, `npm run sim -- --system --seed ${seed}`).toBeUndefined()
    if ((seed - first) % twice === 0) expect((await runSeed(seed)).traceHash).toBe(result.traceHash)
  },
)

test('every kind of fault was injected', () => {
  process.stdout.write(`system: ${ledgerLine(results)}\n`)
  const counts = faultCounts(results)
  const missing = faultKinds.filter((kind) => (counts.get(kind) ?? 0) === 0)
  expect(seeds < 100 ? [] : missing).toEqual([])
})

test('a plan is printed in 25 lines of 100 columns', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const lines = printPlan(planOf(seed))
    expect(lines.length).toBeLessThanOrEqual(25)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(140)
  }
})
