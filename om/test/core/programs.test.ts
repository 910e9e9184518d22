import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OmCommand } from '../../src/api/api.ts'
import { commands } from '../../src/core/commands/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { Comparison } from '../model/comparison.ts'
import { step } from '../model/programs.ts'

const startMs = 1_700_000_000_000

/** Of the commands that some program carried out. */
const kinds = new Set<OmCommand['kind']>()

test('random programs do what the model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
      const real = new PureOm()
      const comparison = new Comparison(real, startMs)
      await comparison.prepare()
      for (const each of steps) {
        const command = comparison.commandOf(each)
        if (command !== undefined) await comparison.run(command)
        real.pure.advance(1)
        comparison.model.nowMs++
      }
      await comparison.compare()
      for (const kind of comparison.kinds) kinds.add(kind)
    }),
    // So many that the rarest command (an upload completed) is missing once in thousands of runs, not in dozens.
    { numRuns: 5000 },
  )
}, 120_000)

test('they carried out every command', () => {
  const all = Object.keys(commands).filter((kind) => kind !== 'purge-deleted-blocks')
  expect([...kinds].toSorted()).toEqual(all.toSorted())
})
