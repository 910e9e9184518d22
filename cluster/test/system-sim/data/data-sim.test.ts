import { expect, test } from 'vitest'
import { dataFaultCounts, dataLedgerLine } from './data-ledger.ts'
import { dataFaults, dataPlanOf, printDataPlan } from './data-plan.ts'
import { runDataSeed, type DataRunResult } from './run-data-seed.ts'

/** One for three of the other shape (`O3_SYSTEM_SEEDS=150` in CI): they take three times as long. */
const seeds = Math.ceil(Number(process.env['O3_SYSTEM_SEEDS'] ?? 3) / 3)
const first = Number(process.env['O3_SYSTEM_FIRST'] ?? 1)
/** One seed in so many is run twice. */
const twice = 20

const results: DataRunResult[] = []

test.each(Array.from({ length: seeds }, (_, n) => first + n))(
  'seed %i loses nothing, and comes to rest',
  { timeout: 240_000 },
  async (seed) => {
    const result = await runDataSeed(seed)
    results.push(result)
    expect(result.violation, `npm run sim -- --system --shape datanodes --seed ${seed}`).toBeUndefined()
    if ((seed - first) % twice === 0) expect((await runDataSeed(seed)).traceHash).toBe(result.traceHash)
  },
)

test('every kind of fault was injected', () => {
  process.stdout.write(`system: ${dataLedgerLine(results)}\n`)
  const counts = dataFaultCounts(results)
  const missing = dataFaults.filter((kind) => (counts.get(kind) ?? 0) === 0)
  expect(seeds < 50 ? [] : missing).toEqual([])
})

test('a plan is printed in 25 lines of 140 columns', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const lines = printDataPlan(dataPlanOf(seed))
    expect(lines.length).toBeLessThanOrEqual(25)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(140)
  }
})
