import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Planting, type Plant, type PlantedCall } from '../../src/testing/planted-env.ts'
import { conflictLogSteps, failingLogSteps, stormyLogSteps, tornLogSteps } from './log-steps.ts'
import { LogTrial } from './log-trial.ts'

/** How many programs the suite may need to find a bug. */
const budget = 600

const isSegment = (path: string): boolean => path.endsWith('.segment')
const isSpare = (path: string): boolean => path.endsWith('/spare.new') || path.endsWith('/spare')
const isHardState = (path: string): boolean => path.endsWith('/hard-state')

/** A sync of the open segment: it may have been opened under its own name, or been the spare. */
const isLogSync = ({ operation, path }: PlantedCall): boolean =>
  operation === 'sync' && (isSegment(path) || isSpare(path))

const bugs: readonly (readonly [string, (call: PlantedCall) => Plant])[] = [
  ['appends are not synced', (call) => (isLogSync(call) ? 'skip' : 'keep')],
  ['appends are acknowledged before their sync', (call) => (isLogSync(call) ? 'early' : 'keep')],
  [
    'appends are written after their sync',
    ({ operation, path }) => (operation === 'write' && (isSegment(path) || isSpare(path)) ? 'after-sync' : 'keep'),
  ],
  ['one sync in eight is forgotten', (call) => (isLogSync(call) && call.nth % 8 === 0 ? 'skip' : 'keep')],
  [
    'the directory is not synced',
    ({ operation, path }) => (operation === 'syncDirectory' && path === 'log' ? 'skip' : 'keep'),
  ],
  [
    'the name of the log itself is not synced',
    ({ operation, path }) => (operation === 'syncDirectory' && path !== 'log' ? 'skip' : 'keep'),
  ],
  [
    'the hard state is not synced',
    ({ operation, path }) => (operation === 'sync' && isHardState(path) ? 'skip' : 'keep'),
  ],
  [
    'segments are removed before the hard state knows',
    ({ operation, path }) => (operation === 'sync' && isHardState(path) ? 'early' : 'keep'),
  ],
  [
    'a new segment is used before its header is durable',
    ({ operation, site }) => (operation === 'sync' && site === 'log.roll.before-header' ? 'skip' : 'keep'),
  ],
  [
    'a new segment is used before its name is durable',
    ({ operation, site }) =>
      operation === 'syncDirectory' && site === 'log.roll.before-directory-sync' ? 'skip' : 'keep',
  ],
]

/** Not a bug: a torn tail that is cut, but not durably. Nothing is written behind it, and what only the cache shows is carried over. */
const tornBugs: typeof bugs = [
  [
    'a torn tail is not cut',
    ({ operation, site }) => (operation === 'truncate' && site === 'log.recover.before-cut' ? 'skip' : 'keep'),
  ],
]

/** Of what is written again at a start. */
const carryBugs: typeof bugs = [
  [
    'what is carried over gets its name before it is durable',
    ({ operation, site }) => (operation === 'sync' && site === 'log.carry.before-header' ? 'skip' : 'keep'),
  ],
  [
    'what is carried over is built upon before its name is durable',
    ({ operation, site }) =>
      operation === 'syncDirectory' && site === 'log.carry.before-directory-sync' ? 'skip' : 'keep',
  ],
]

/** Of cuts at the end of the log, and of resets: programs of leader changes find these. */
const conflictBugs = (['cut', 'reset'] as const).flatMap((kind): typeof bugs => [
  [
    `a ${kind} is used before its header is durable`,
    ({ operation, site }) => (operation === 'sync' && site === `log.${kind}.before-header` ? 'skip' : 'keep'),
  ],
  [
    `a ${kind} is acknowledged, and its leftovers removed, before its name is durable`,
    ({ operation, site }) =>
      operation === 'syncDirectory' && site === `log.${kind}.before-directory-sync` ? 'skip' : 'keep',
  ],
  [
    `a ${kind} keeps what it should remove`,
    ({ operation, site }) => (operation === 'rename' && site === `log.${kind}.before-rename` ? 'skip' : 'keep'),
  ],
])

async function programsToFind(choose: (call: PlantedCall) => Plant, programs: typeof stormyLogSteps): Promise<number> {
  const plantings: Planting[] = []
  const result = await fc.check(
    fc.asyncProperty(fc.integer(), programs, async (seed, steps) => {
      const planting = new Planting(choose)
      plantings.push(planting)
      await new LogTrial({ seed, planting }).run(steps)
    }),
    { numRuns: budget, endOnFailure: true, seed: 1 },
  )
  expect(plantings.some(({ strikes }) => strikes > 0)).toBe(true)
  return result.failed ? result.numRuns : Number.POSITIVE_INFINITY
}

test.each([
  ...bugs.map((bug) => [...bug, stormyLogSteps] as const),
  ...conflictBugs.map((bug) => [...bug, conflictLogSteps] as const),
  ...tornBugs.map((bug) => [...bug, tornLogSteps] as const),
  ...carryBugs.map((bug) => [...bug, failingLogSteps] as const),
])(
  'is found: %s',
  async (_, choose, programs) => {
    expect(await programsToFind(choose, programs)).toBeLessThanOrEqual(budget)
  },
  100_000,
)
