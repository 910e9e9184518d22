import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeEnv } from '../../src/env/node/node-env.ts'
import { SimDisk } from '../../src/env/sim/sim-env.ts'
import { DiskModel, runOnDisk } from './disk-model.ts'
import { diskPrograms } from './disk-programs.ts'

describe('random programs give the same answers', () => {
  test('on the simulated disk and on the model', async () => {
    await fc.assert(
      fc.asyncProperty(diskPrograms, async (program) => {
        expect(await runOnDisk(new SimDisk(), program)).toEqual(new DiskModel().run(program))
      }),
      { numRuns: 2_500 },
    )
  })

  test('on the real disk and on the model', async () => {
    const root = await mkdtemp(join(tmpdir(), 'o3-differential-'))
    let run = 0
    try {
      await fc.assert(
        fc.asyncProperty(diskPrograms, async (program) => {
          const { disk } = nodeEnv({ root })
          await disk.makeDirectory(`${++run}`)
          const own = nodeEnv({ root: join(root, `${run}`) })
          expect(await runOnDisk(own.disk, program)).toEqual(new DiskModel().run(program))
        }),
        { numRuns: 200 },
      )
    } finally {
      await rm(root, { recursive: true })
    }
  })
})
