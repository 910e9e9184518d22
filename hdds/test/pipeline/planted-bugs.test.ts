/** Bugs that are planted in the group: the programs must see each of them. */

import { describe, expect, test } from 'vitest'
import { EntryApplier } from '../../src/pipeline/entry-applier.ts'
import { PipelineGroup } from '../../src/pipeline/pipeline-group.ts'
import { PipelineMachine } from '../../src/pipeline/pipeline-machine.ts'
import { Container } from '../../src/storage/container.ts'
import { runPipelineTrial } from '../harness/pipeline-trial.ts'

type Method = (this: unknown, ...given: unknown[]) => unknown
type Prototype = Record<string, Method>
type Bug = (original: Method) => Method

interface Place {
  readonly owner: { readonly prototype: object }
  readonly method: string
  readonly bug: Bug
}

const bugs: readonly (readonly [string, readonly Place[]])[] = [
  [
    'a block is acknowledged before a majority has it',
    [
      {
        owner: PipelineMachine,
        method: 'propose',
        bug: (original) =>
          async function (...given) {
            const committed = original.apply(this, given) as Promise<void>
            committed.catch(() => {})
            // What is refused at once is; the rest is believed.
            for (let turn = 0; turn < 10; turn++) await Promise.race([committed, Promise.resolve()])
          },
      },
    ],
  ],
  [
    'a container is sealed without the blocks that are on their way into it, and says that it has them',
    [
      {
        owner: EntryApplier,
        method: 'seal',
        bug: (original) =>
          function (entry) {
            return original.apply(this, [entry, []])
          },
      },
      {
        owner: Container,
        method: 'close',
        bug: (original) =>
          function () {
            return original.apply(this, [{ how: 'agreed' }])
          },
      },
    ],
  ],
  [
    'a reader is told that a block is not there while it is on its way',
    [{ owner: PipelineGroup, method: 'whenWritten', bug: () => (_block, read) => (read as () => unknown)() }],
  ],
  [
    'a block that was agreed to is not fetched',
    [{ owner: EntryApplier, method: 'fetchUntilHere', bug: () => () => Promise.resolve() }],
  ],
]

/** What the trial says of a promise that was not kept. */
const broken = /acknowledged block|replicas of container|other bytes| and is |not true that container \d+ is closed/

async function isSeen(places: readonly Place[], seeds: readonly number[]): Promise<boolean> {
  const originals = places.map(({ owner, method, bug }) => {
    const prototype = owner.prototype as Prototype
    const original = prototype[method]
    if (original === undefined) throw new Error(`there is no ${method} to spoil`)
    prototype[method] = bug(original)
    return { prototype, method, original }
  })
  try {
    for (const seed of seeds) {
      try {
        await runPipelineTrial({ seed: `planted-${seed}`, pipeline: { checkpointBytes: 1024 } })
      } catch (error) {
        // A bug that only makes the program stumble is not seen.
        if (!(error instanceof Error) || !broken.test(error.message)) throw error
        return true
      }
    }
    return false
  } finally {
    for (const { prototype, method, original } of originals) prototype[method] = original
  }
}

describe('a program sees that', () => {
  test.each(bugs)('%s', { timeout: 300_000 }, async (_, places) => {
    expect(await isSeen(places, [1, 2, 3, 4, 5, 6, 7, 8])).toBe(true)
  })

  test('nothing is wrong when nothing is', { timeout: 300_000 }, async () => {
    expect(await isSeen([], [1, 2])).toBe(false)
  })
})
