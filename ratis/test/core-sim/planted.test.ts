import { afterAll, expect, test } from 'vitest'
import { RaftCore } from '../../src/core/raft-core.ts'
import { runSeed, type CoreFactory, type DriverBug, type Violation } from '../../src/testing/core-sim/core-sim.ts'
import { plantedBugs, type Planted } from './planted-bugs.ts'
import { plantedCore } from './planted-core.ts'

/** Among how many seeds every bug must be found: as many as CI runs. */
const budget = 2000
/** A search that takes longer than this, in milliseconds, is given up: the list is out of date. */
const patienceMs = 60_000

interface Found {
  readonly seed: number
  readonly violation: Violation
}

const found: string[] = []
afterAll(() => {
  process.stdout.write(`${found.join('\n')}\n`)
})

test.each(plantedBugs)('caught: $name', { timeout: 2 * patienceMs }, async (planted) => {
  const coreFactory = await factoryOf(planted)
  const caught = firstOf(planted.seeds, planted, coreFactory) ?? search(planted, coreFactory)
  expect(caught, `no seed below ${budget} finds it within ${patienceMs} ms`).toBeDefined()
  found.push(`${planted.name}: seed ${caught?.seed ?? 0}, ${caught?.violation.checker ?? ''}`)
  if (caught === undefined || planted.foundBy.includes(caught.violation.checker)) return
  // Another checker saw it first. That it saw this bug, and not another: without it the seed keeps every promise.
  const clean = runSeed(caught.seed, { coreFactory: (options, start) => new RaftCore(options, start) })
  expect(clean.violation).toBeUndefined()
})

function factoryOf(planted: Planted): Promise<CoreFactory> {
  return 'core' in planted
    ? plantedCore(planted.core)
    : Promise.resolve((options, start) => new RaftCore(options, start))
}

function firstOf(seeds: Iterable<number>, planted: Planted, coreFactory: CoreFactory): Found | undefined {
  const bugs = new Set<DriverBug>('driver' in planted ? [planted.driver] : [])
  for (const seed of seeds) {
    const { violation } = runSeed(seed, { coreFactory, bugs })
    if (violation !== undefined) return { seed, violation }
  }
  return undefined
}

/** The seeds of the list no longer find it, since the core or a plan has changed: any other will do. */
function search(planted: Planted, coreFactory: CoreFactory): Found | undefined {
  const endMs = performance.now() + patienceMs
  for (let seed = 1; seed <= budget && performance.now() < endMs; seed++) {
    const caught = firstOf([seed], planted, coreFactory)
    if (caught !== undefined) return caught
  }
  return undefined
}
