import type { StoreErrorCode } from '@o3/common/errors'
import { StoreError } from '@o3/common/errors'
import fc from 'fast-check'
import { test } from 'vitest'
import type { OmClient, OmCommand, OmReply } from '../../src/api/api.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { overTheWire } from '../fixtures/wire.ts'
import { Comparison } from '../model/comparison.ts'
import type { ComparedOm } from '../model/comparison.ts'
import { step } from '../model/programs.ts'

const startMs = 1_700_000_000_000

function compared(om: OmClient, store: ComparedOm['store']): ComparedOm {
  const execute = async (command: OmCommand): Promise<OmReply | StoreErrorCode> => {
    try {
      return await om.execute(command)
    } catch (error) {
      if (error instanceof StoreError) return error.code
      throw error
    }
  }
  return { om, store, execute }
}

test('random programs over the wire do what the model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
      const real = new PureOm()
      await overTheWire(real.om, async (om) => {
        const comparison = new Comparison(compared(om, real.store), startMs)
        await comparison.prepare()
        for (const each of steps) {
          const command = comparison.commandOf(each)
          if (command !== undefined) await comparison.run(command)
          real.pure.advance(1)
          comparison.model.nowMs++
        }
        await comparison.compare()
      })
    }),
    { numRuns: 150 },
  )
}, 120_000)
