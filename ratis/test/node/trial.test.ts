import { expect, test } from 'vitest'
import { Planting, plantedEnv, type PlantedCall } from '../../src/testing/planted-env.ts'
import { SimulatedGroup, type SimulatedGroupOptions } from '../../src/testing/simulated-group.ts'
import { GroupTrial } from './group-trial.ts'

// `SEED=7 RUNS=1 npx vitest run ratis/test/node/trial` replays one, `RUNS=500` goes on for longer.
const first = Number(process.env['SEED'] ?? 1)
const runs = Number(process.env['RUNS'] ?? 6)
const seeds = Array.from({ length: runs }, (_, i) => String(first + i))

const node: SimulatedGroupOptions['node'] = {
  log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
  raft: { maxTailBytes: 8_192, maxAppendBytes: 4_096, maxInflightBytes: 16_384 },
  limits: { spaceRetryMs: 100, membershipDeadlineMs: 3_000 },
}

test.each(seeds)('whatever happens to a group, what it acknowledged stays: seed %s', async (seed) => {
  const group = new SimulatedGroup({ seed, node })
  await group.run(async () => {
    const { terms } = await new GroupTrial(group, seed).run(40)
    expect(terms).toBeGreaterThan(0)
  })
})

test.each(seeds)('nor when single messages are lost, repeated, late and overtaken: seed %s', async (seed) => {
  const travel: SimulatedGroupOptions['travel'] = (_, random) => {
    const times = random.chance(0.05) ? 0 : random.chance(0.05) ? 2 : 1
    return Array.from({ length: times }, () => (random.chance(0.05) ? random.below(300) : random.below(4)))
  }
  const group = new SimulatedGroup({ seed, node, travel })
  await group.run(async () => {
    const { terms } = await new GroupTrial(group, seed).run(40)
    expect(terms).toBeGreaterThan(0)
  })
})

// The suite proves its worth: each of these bugs is found within so many programs.
test.each<[string, (call: PlantedCall) => boolean]>([
  ['entries that are acknowledged before they are durable', ({ site }) => site === 'log.append.before-sync'],
  ['terms and votes that are forgotten', ({ operation, path }) => operation === 'sync' && path.endsWith('hard-state')],
])('finds %s', { timeout: 60_000 }, async (_, strikes) => {
  const found: string[] = []
  for (let seed = 1; seed <= 30 && found.length === 0; seed++) {
    const planting = new Planting((call) => (strikes(call) ? 'skip' : 'keep'))
    const group = new SimulatedGroup({ seed, node, plantEnv: (env) => plantedEnv(env, planting) })
    try {
      await group.run(async () => {
        await new GroupTrial(group, seed).run(40)
      })
    } catch (error) {
      found.push(String(error))
    }
  }
  expect(found).toHaveLength(1)
})
