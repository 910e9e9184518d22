import { expect, test } from 'vitest'
import { SimulatedGroup } from '../../src/testing/simulated-group.ts'
import { GroupTrial } from './group-trial.ts'

// `SEED=7 npx vitest run ratis/test/node/trial` replays one, `RUNS=500` goes on for longer.
const only = process.env['SEED']
const runs = Number(process.env['RUNS'] ?? 6)
const seeds = only === undefined ? Array.from({ length: runs }, (_, i) => String(i + 1)) : [only]

test.each(seeds)('whatever happens to a group, what it acknowledged stays: seed %s', async (seed) => {
  const group = new SimulatedGroup({
    seed,
    node: {
      log: { segmentBytes: 32 * 1024, maxBatchBytes: 16 * 1024 },
      raft: { maxTailBytes: 8_192, maxAppendBytes: 4_096, maxInflightBytes: 16_384 },
      limits: { spaceRetryMs: 100 },
    },
  })
  await group.run(async () => {
    const result = await new GroupTrial(group, seed).run(40)
    expect(result.acknowledged).toBeGreaterThan(20)
    expect(result.reads).toBeGreaterThan(0)
  })
})
