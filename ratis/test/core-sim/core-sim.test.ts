import { describe, expect, test } from 'vitest'
import { RaftCore } from '../../src/core/raft-core.ts'
import {
  faultCounts,
  faultKinds,
  ledgerLine,
  planOf,
  printPlan,
  runSeed,
  type RunResult,
} from '../../src/testing/core-sim/core-sim.ts'
import * as scenes from './scenes/scenes.ts'

/** `O3_SIM_SEEDS=2000` in CI, `O3_SIM_FIRST` to go on elsewhere. */
const seeds = Number(process.env['O3_SIM_SEEDS'] ?? 50)
const first = Number(process.env['O3_SIM_FIRST'] ?? 1)
const chunk = 25
/** One seed in so many is run twice. */
const twice = 20
/** Of each scene. */
const sceneSeeds = 5

const coreFactory = (...[options, start]: ConstructorParameters<typeof RaftCore>): RaftCore =>
  new RaftCore(options, start)

const results: RunResult[] = []

const chunks = Array.from({ length: Math.ceil(seeds / chunk) }, (_, at) => first + at * chunk)

test.each(chunks)('seeds from %i on keep every promise', { timeout: 120_000 }, (from) => {
  for (let seed = from; seed < Math.min(from + chunk, first + seeds); seed++) {
    const result = runSeed(seed, { coreFactory })
    results.push(result)
    expect(result.violation, `npm run sim -- --seed ${seed}`).toBeUndefined()
    if (seed % twice === 0) expect(runSeed(seed, { coreFactory }).traceHash).toBe(result.traceHash)
  }
})

test('every kind of fault was injected', () => {
  process.stdout.write(`raft core: ${ledgerLine(results)}\n`)
  const counts = faultCounts(results)
  const missing = faultKinds.filter((kind) => (counts.get(kind) ?? 0) === 0)
  expect(seeds < 100 ? [] : missing).toEqual([])
})

describe('scenes', () => {
  test.each(Object.entries(scenes))('%s breaks no promise, and plays to its end', (_name, scene) => {
    for (let seed = 1; seed <= sceneSeeds; seed++) {
      const result = runSeed(seed, { coreFactory, scene })
      expect(result.violation, `seed ${seed}`).toBeUndefined()
      if (seed === sceneSeeds) expect(runSeed(seed, { coreFactory, scene }).traceHash).toBe(result.traceHash)
    }
  })
})

test('recording changes nothing', () => {
  const [hashed, recorded] = (['hashed', 'recorded'] as const).map((recording) => {
    return runSeed(first, { coreFactory, recording })
  })
  expect(recorded?.traceHash).toBe(hashed?.traceHash)
  expect(recorded?.trace.length).toBeGreaterThan(1000)
})

test('a plan is printed in 25 lines of 80 columns', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const lines = printPlan(planOf(seed))
    expect(lines.length).toBeLessThanOrEqual(25)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  }
})
