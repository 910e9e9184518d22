import { afterAll, expect, test } from 'vitest'
import { RaftCore } from '../../src/core/raft-core.ts'
import {
  runSeed,
  type CoreFactory,
  type DriverBug,
  type RunOptions,
  type Violation,
} from '../../src/testing/core-sim/core-sim.ts'
import { plantedBugs, type Planted } from './planted-bugs.ts'
import { plantedInScenes } from './planted-in-scenes.ts'
import { plantedCore } from './planted-core.ts'

/** Among how many seeds every bug must be found when those of the list no longer find it; CI runs five times as many. */
const budget = 400
/** The same of a scene, which leaves less to chance. */
const sceneBudget = 40

interface Found {
  readonly seed: number
  readonly violation: Violation
}

const found: string[] = []
afterAll(() => {
  process.stdout.write(`${found.join('\n')}\n`)
})

test.each([...plantedBugs, ...plantedInScenes])('caught: $name', { timeout: 600_000 }, async (planted) => {
  const coreFactory = await factoryOf(planted)
  const caught = firstOf(planted.seeds, planted, coreFactory) ?? search(planted, coreFactory)
  expect(caught, 'no seed of the budget finds it').toBeDefined()
  const listed = planted.seeds.includes(caught?.seed ?? 0) ? '' : ', which the list does not have'
  found.push(`${planted.name}: seed ${caught?.seed ?? 0}, ${caught?.violation.checker ?? ''}${listed}`)
  if (caught === undefined || planted.foundBy.includes(caught.violation.checker)) return
  // Another checker saw it first. That it saw this bug, and not another: without it the seed keeps every promise.
  const clean = runSeed(caught.seed, {
    ...sceneOf(planted),
    coreFactory: (options, start) => new RaftCore(options, start),
  })
  expect(clean.violation).toBeUndefined()
})

function factoryOf(planted: Planted): Promise<CoreFactory> {
  return 'core' in planted
    ? plantedCore(planted.core)
    : Promise.resolve((options, start) => new RaftCore(options, start))
}

const sceneOf = ({ scene }: Planted): Pick<RunOptions, 'scene'> => (scene === undefined ? {} : { scene })

function firstOf(seeds: Iterable<number>, planted: Planted, coreFactory: CoreFactory): Found | undefined {
  const bugs = new Set<DriverBug>('driver' in planted ? [planted.driver] : [])
  for (const seed of seeds) {
    const { violation } = runSeed(seed, { ...sceneOf(planted), coreFactory, bugs })
    if (violation !== undefined) return { seed, violation }
  }
  return undefined
}

/** The seeds of the list no longer find it, since the core or a plan has changed: any other will do. */
function search(planted: Planted, coreFactory: CoreFactory): Found | undefined {
  const length = planted.scene === undefined ? budget : sceneBudget
  return firstOf(
    Array.from({ length }, (_, n) => n + 1),
    planted,
    coreFactory,
  )
}
