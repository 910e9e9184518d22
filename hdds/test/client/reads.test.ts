/** Reads of blocks with several replicas. */

import type { StoreErrorCode } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { EncodedReader } from '../../src/client/client.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { broken, pipelinePlace, said, textOf, withPipeline } from '../harness/memory-pipeline.ts'
import type { Fate, MemoryReplica, PipelineScene, SceneOptions, Script, Step } from '../harness/memory-pipeline.ts'

const pieceBytes = 64 * 1024
const block = { container: 1, local: 3 }
const bytes = patternOf(1, 5 * pieceBytes + 100)
const all = { offset: 0, length: bytes.length }
const small = { offset: 100, length: 5_000 }

/** With the block at every replica; the readers of it ask `a`, `b`, `c` in that order while all are equal. */
async function withBlock(script: (scene: PipelineScene) => Promise<void>, options: SceneOptions = {}): Promise<void> {
  await withPipeline(async (scene) => {
    for (const replica of scene.replicas) replica.take(block, bytes)
    await script(scene)
  }, options)
}

const only =
  (step: Step, fate: Fate): Script =>
  (now) =>
    now === step ? fate : undefined
const readAll = async ({ client }: Pick<PipelineScene, 'client'>): Promise<Uint8Array> =>
  await collect(client.read(block, all))
const readSmall = async ({ client }: PipelineScene): Promise<Uint8Array> => await client.readSmall(block, small)
const smallBytes = bytes.subarray(small.offset, small.offset + small.length)

async function expectWhole(scene: PipelineScene): Promise<void> {
  expect(sameBytes(await readAll(scene), bytes)).toBe(true)
  expect(sameBytes(await readSmall(scene), smallBytes)).toBe(true)
}

function forget({ blocks }: MemoryReplica): void {
  blocks.delete(textOf(block))
}

/** What may be wrong with a replica, and how many of such are counted as bad. */
interface Trouble {
  readonly name: string
  readonly spoil: (replica: MemoryReplica) => void
  readonly isBad: boolean
}

const says =
  (code: StoreErrorCode) =>
  (replica: MemoryReplica): void => {
    replica.script = () => ({ error: said(code) })
  }

const troubles: readonly Trouble[] = [
  {
    name: 'cannot be reached',
    spoil: (replica) => {
      replica.isUp = false
    },
    isBad: false,
  },
  { name: 'lags behind', spoil: forget, isBad: true },
  {
    name: 'is damaged',
    spoil: ({ rotten }) => {
      rotten.add(textOf(block))
    },
    isBad: true,
  },
  { name: 'has no such container', spoil: says('ContainerNotFound'), isBad: true },
  { name: 'answers what cannot be read', spoil: says('Incompatible'), isBad: true },
]

describe('a read', () => {
  test('is of one replica when all is well', async () => {
    await withBlock(async (scene) => {
      await expectWhole(scene)
      const asked = scene.replicas.filter(({ calls }) => calls.length > 0)
      expect(asked).toHaveLength(1)
      expect(scene.counted('hedges')).toBe(0)
      expect(scene.counted('silent_replicas')).toBe(0)
    })
  })

  test('of any range has its bytes', async () => {
    await withBlock(async ({ client }) => {
      for (const [offset, length] of [
        [0, 0],
        [0, 1],
        [pieceBytes - 1, 2],
        [bytes.length, 0],
        [100, 3 * pieceBytes],
      ] as const) {
        const read = await collect(client.read(block, { offset, length }))
        expect(sameBytes(read, bytes.subarray(offset, offset + length))).toBe(true)
      }
    })
  })

  test('of another block is of another replica, so that all have readers', async () => {
    await withBlock(async (scene) => {
      for (let local = 10; local < 19; local++) {
        for (const replica of scene.replicas) replica.take({ container: 1, local }, bytes)
        await scene.client.readSmall({ container: 1, local }, small)
      }
      expect(scene.replicas.map(({ calls }) => calls.length)).toEqual([3, 3, 3])
    })
  })

  test('is of the process itself, then of the rack', async () => {
    const cases: readonly (readonly [SceneOptions, 1 | 2])[] = [
      [{ local: 'b', rack: '/c' }, 1],
      [{ rack: '/c' }, 2],
    ]
    for (const [options, near] of cases) {
      await withBlock(async (scene) => {
        await expectWhole(scene)
        expect(scene.replicas.map(({ calls }) => calls.length > 0)).toEqual([0, 1, 2].map((i) => i === near))
        // Which is no reason to wait for one that fails.
        scene.replicas[near].isUp = false
        await expectWhole(scene)
      }, options)
    }
  })

  test('leaves one that falls silent also for those that have failed lately', async () => {
    await withBlock(async (scene) => {
      const { replicas } = scene
      const others = replicas.slice(0, 2)
      for (const replica of others) replica.isUp = false
      // They are left alone for 16 s by now, and are there again all the same.
      for (let i = 0; i < 30; i++) {
        await readSmall(scene)
        await scene.clock.sleep(1_000)
      }
      for (const replica of others) replica.isUp = true
      replicas[2].script = only('piece', { silent: true })
      const beganMs = scene.clock.monotonicMs()
      await expectWhole(scene)
      expect(scene.clock.monotonicMs() - beganMs).toBeLessThan(11_000)
    })
  })

  test('avoids the slow and the failing', async () => {
    await withBlock(async (scene) => {
      const { replicas } = scene
      const slow: Script = () => ({ delayMs: 15 })
      for (const replica of replicas.slice(0, 2)) replica.script = slow
      for (let i = 0; i < 20; i++) await readSmall(scene)
      const before = replicas.map(({ calls }) => calls.length)
      for (let i = 0; i < 20; i++) await readSmall(scene)
      expect(replicas.map(({ calls }, i) => calls.length - before[i]!)).toEqual([0, 0, 20])
      replicas[2].isUp = false
      await readSmall(scene)
      const failed = replicas[2].calls.length
      for (let i = 0; i < 10; i++) await readSmall(scene)
      expect(replicas[2].calls.length).toBe(failed)
      // For a while: afterwards it is tried again.
      replicas[2].isUp = true
      await scene.clock.sleep(31_000)
      for (let i = 0; i < 5; i++) await readSmall(scene)
      expect(replicas[2].calls.length).toBeGreaterThan(failed)
    })
  })

  test.each(troubles)('goes to another replica when the first $name', async ({ spoil, isBad }) => {
    for (const count of [1, 2]) {
      await withBlock(async (scene) => {
        for (const replica of scene.replicas.slice(0, count)) spoil(replica)
        await expectWhole(scene)
        expect(scene.counted('bad_replicas') > 0).toBe(isBad)
        expect(scene.elapsedMs()).toBeLessThan(50)
      })
    }
  })

  test.each([
    ['breaks', { error: broken() }],
    ['finds damage', { error: said('Damaged') }],
    ['ends too early', { truncated: true }],
    ['is silent', { silent: true }],
  ] as const)('goes on at another replica from the byte reached when its own %s', async (_, fate) => {
    await withBlock(async (scene) => {
      // Each replica gives so many pieces, and then fails.
      for (const replica of scene.replicas) {
        let pieces = 0
        replica.script = (step) => {
          if (step === 'read') pieces = 1
          else pieces++
          return pieces > 2 ? fate : undefined
        }
      }
      expect(sameBytes(await readAll(scene), bytes)).toBe(true)
      expect(scene.counted('replica_switches')).toBeGreaterThanOrEqual(2)
      expect(scene.counted('silent_replicas') > 0).toBe('silent' in fate)
    })
  })

  test('that has all its bytes does not mind how the call ends', async () => {
    await withBlock(async (scene) => {
      for (const replica of scene.replicas) {
        let pieces = 0
        replica.script = (step) => {
          pieces = step === 'read' ? 1 : pieces + 1
          return pieces > 6 ? { error: broken() } : undefined
        }
      }
      expect(sameBytes(await readAll(scene), bytes)).toBe(true)
      expect(scene.counted('replica_switches')).toBe(0)
    })
  })

  test('is told that the block does not exist only by all together', async () => {
    await withBlock(async (scene) => {
      for (const replica of scene.replicas) forget(replica)
      await rejection(readAll(scene), 'BlockNotFound')
      await rejection(readSmall(scene), 'BlockNotFound')
      scene.replicas[1].isUp = false
      await rejection(readAll(scene), 'Unavailable')
    })
  })

  test('is told of damage only when every replica is damaged', async () => {
    await withBlock(async (scene) => {
      for (const { rotten } of scene.replicas) rotten.add(textOf(block))
      expect((await rejection(readSmall(scene), 'Damaged')).details).toHaveProperty('path')
      scene.replicas[2].isUp = false
      const error = await rejection(readAll(scene), 'Unavailable')
      expect(error.cause).toMatchObject({ code: 'Damaged' })
      // One that is no more has no say.
      scene.replicas[2].isUp = true
      scene.replicas[2].script = () => ({ error: said('ContainerNotFound') })
      await rejection(readSmall(scene), 'Damaged')
    })
  })

  test.each(['InvalidRange', 'AccessDenied', 'Unauthenticated'] as const)(
    'is refused at once when a replica says %s',
    async (code) => {
      await withBlock(async (scene) => {
        for (const replica of scene.replicas) replica.script = () => ({ error: said(code) })
        await rejection(readSmall(scene), code)
        await rejection(readAll(scene), code)
        expect(scene.replicas.reduce((sum, { calls }) => sum + calls.length, 0)).toBe(2)
      })
    },
  )

  test('asks SCM again when nobody serves, and not for each block', async () => {
    await withBlock(async (scene) => {
      await readSmall(scene)
      expect(scene.located).toHaveLength(1)
      for (const replica of scene.replicas.slice(0, 2)) replica.isUp = false
      scene.place = { ...pipelinePlace, state: 'CLOSED', pipeline: undefined, replicas: [] }
      scene.replicas[2].isUp = false
      await rejection(readSmall(scene), 'Unavailable')
      // It has moved to `c`, at another address.
      scene.replicas[2].isUp = true
      const moved = { ...scene.place, replicas: [{ datanode: 'c', address: 'c:2' }] }
      scene.place = moved
      await expectWhole(scene)
      const located = scene.located.length
      for (let i = 0; i < 10; i++) await readSmall(scene)
      expect(scene.located).toHaveLength(located)
    })
  })

  test('asks SCM anew, once in a while, when a replica is gone and others serve', async () => {
    await withBlock(async (scene) => {
      await readSmall(scene)
      scene.replicas[0].script = () => ({ error: said('ContainerNotFound') })
      for (let i = 0; i < 50; i++) {
        await readSmall(scene)
        await scene.clock.sleep(200)
      }
      expect(scene.located.length).toBeGreaterThan(1)
      expect(scene.located.length).toBeLessThan(5)
    })
  })

  test('waits for the only replica that is left, however slow', async () => {
    await withBlock(async (scene) => {
      scene.replicas[0].isUp = false
      scene.replicas[1].isUp = false
      scene.replicas[2].script = (step) => ({ delayMs: step === 'piece' ? 8_000 : 0.1 })
      expect(sameBytes(await readAll(scene), bytes)).toBe(true)
    })
  })
})

describe('a slow replica', () => {
  const slow = only('readSmall', { delayMs: 500 })

  test('is raced by a second one', async () => {
    await withBlock(async (scene) => {
      scene.replicas[0].script = slow
      const before = scene.elapsedMs()
      await readSmall(scene)
      expect(scene.elapsedMs() - before).toBeLessThan(150)
      expect(scene.counted('hedges')).toBe(1)
      expect(scene.counted('hedges_won')).toBe(1)
    })
  })

  test('is told that nobody waits for it any more, whichever of the two it is', async () => {
    await withBlock(async (scene) => {
      const open = (): number => scene.replicas.reduce((sum, { openReads }) => sum + openReads, 0)
      const asked = (): number => scene.replicas.reduce((sum, { calls }) => sum + calls.length, 0)
      scene.replicas[0].script = slow
      await readSmall(scene)
      expect([asked(), scene.counted('hedges'), scene.counted('hedges_won'), open()]).toEqual([2, 1, 1, 0])
      // Asked later, the second answers later.
      for (const replica of scene.replicas) replica.script = only('readSmall', { delayMs: 150 })
      await readSmall(scene)
      expect([asked(), scene.counted('hedges'), scene.counted('hedges_won'), open()]).toEqual([4, 2, 1, 0])
      expect(scene.elapsedMs()).toBeLessThan(500)
    })
  })

  test('may win all the same', async () => {
    await withBlock(async (scene) => {
      scene.replicas[0].script = only('read', { delayMs: 150 })
      scene.replicas[1].script = only('read', { delayMs: 150 })
      expect(sameBytes(await readAll(scene), bytes)).toBe(true)
      expect(scene.counted('hedges')).toBe(1)
      expect(scene.counted('hedges_won')).toBe(0)
    })
  })

  test('is raced after the 95th percentile, not before 20 ms', async () => {
    await withBlock(async (scene) => {
      for (let i = 0; i < 100; i++) await readSmall(scene)
      for (const replica of scene.replicas) replica.script = only('readSmall', { delayMs: 19 })
      await readSmall(scene)
      expect(scene.counted('hedges')).toBe(0)
      scene.replicas[0].script = slow
      const before = scene.elapsedMs()
      await readSmall(scene)
      expect(scene.elapsedMs() - before).toBeLessThan(45)
    })
  })

  test('is raced in a few percent of the reads, when all are slow', async () => {
    await withBlock(async (scene) => {
      for (let i = 0; i < 50; i++) await readSmall(scene)
      let turn = 0
      // Faster than the bound is adapted.
      for (const replica of scene.replicas) {
        replica.script = () => ({ delayMs: turn++ % 8 === 0 ? 400 : 1 })
      }
      for (let i = 0; i < 1_000; i++) await readSmall(scene)
      expect(scene.counted('hedges')).toBeGreaterThan(10)
      expect(scene.counted('hedges')).toBeLessThan(70)
    })
  })

  test('that says nothing at all is left, also without a hedge to spare', async () => {
    await withBlock(async (scene) => {
      for (const replica of scene.replicas.slice(0, 2)) replica.script = () => ({ silent: true })
      const reads = Array.from({ length: 50 }, () => readSmall(scene))
      for (const read of await Promise.all(reads)) expect(sameBytes(read, smallBytes)).toBe(true)
      expect(scene.counted('hedges')).toBeLessThan(15)
      expect(scene.counted('silent_replicas')).toBeGreaterThan(0)
      expect(scene.elapsedMs()).toBeLessThan(12_000)
    })
  })
})

describe('a reader that leaves', () => {
  test('at any time leaves nothing open', async () => {
    await withBlock(async (scene) => {
      for (let count = 0; count < 7; count++) {
        const pieces = scene.client.read(block, all)[Symbol.asyncIterator]()
        for (let i = 0; i < count; i++) await pieces.next()
        await pieces.return?.()
        expect(await pieces.next()).toEqual({ done: true, value: undefined })
      }
    })
  })

  test('while it waits for its first byte leaves nothing open', async () => {
    await withBlock(async (scene) => {
      for (const replica of scene.replicas) replica.script = () => ({ silent: true })
      for (const waitMs of [0, 50, 150, 5_500]) {
        const pieces = scene.client.read(block, all)[Symbol.asyncIterator]()
        const next = pieces.next()
        await scene.clock.sleep(waitMs)
        await pieces.return?.()
        expect(await next).toEqual({ done: true, value: undefined })
        await scene.clock.sleep(1)
        expect(scene.replicas.map(({ openReads }) => openReads)).toEqual([0, 0, 0])
      }
    })
  })

  test('while it waits for a piece leaves nothing open', async () => {
    await withBlock(async (scene) => {
      for (const replica of scene.replicas) replica.script = only('piece', { silent: true })
      const pieces = scene.client.read(block, all)[Symbol.asyncIterator]()
      await pieces.next()
      const next = pieces.next()
      await scene.clock.sleep(10)
      await pieces.return?.()
      expect(await next).toEqual({ done: true, value: undefined })
    })
  })
})

describe('an erasure-coded container', () => {
  const ec = { policy: 'rs-3-2-1024k', shards: [] } as const
  const encodedPlace = { ...pipelinePlace, state: 'CLOSED', pipeline: undefined, replicas: [], ec } as const
  const encoded: EncodedReader = {
    async *read(place, _, { offset, length }) {
      expect(place.ec).toBe(ec)
      yield bytes.slice(offset, offset + length)
    },
    readSmall: (_, __, { offset, length }) => Promise.resolve(bytes.slice(offset, offset + length)),
  }

  test('is read by its reader', async () => {
    await withBlock(
      async (scene) => {
        scene.place = encodedPlace
        await expectWhole(scene)
        expect(scene.replicas.every(({ calls }) => calls.length === 0)).toBe(true)
      },
      { encoded: () => encoded },
    )
  })

  test('is looked for anew when a shard is not where it is said to be, and not by everybody', async () => {
    let doubt: (container: number) => void = () => {}
    const located: unknown[] = []
    await withBlock(
      async (scene) => {
        scene.place = encodedPlace
        await readSmall(scene)
        const moved = { ...encodedPlace, ec: { ...ec } }
        scene.place = moved
        doubt(block.container)
        await readSmall(scene)
        await scene.clock.sleep(6_000)
        await readSmall(scene)
        doubt(block.container)
        await readSmall(scene)
        await readSmall(scene)
        expect(located.map((place) => place === moved.ec)).toEqual([false, false, false, true, true])
      },
      {
        encoded: (given) => {
          doubt = given
          return {
            ...encoded,
            readSmall: (place, _, range) => {
              located.push(place.ec)
              return encoded.readSmall(place, block, range)
            },
          }
        },
      },
    )
  })

  test('is read on by its reader when it was encoded under a read', async () => {
    await withBlock(
      async (scene) => {
        const pieces = scene.client.read(block, all)[Symbol.asyncIterator]()
        const first = await pieces.next()
        const read = [Uint8Array.from(first.value as Uint8Array)]
        scene.place = encodedPlace
        for (const replica of scene.replicas) replica.script = () => ({ error: said('ContainerNotFound') })
        for (let step = await pieces.next(); step.done !== true; step = await pieces.next())
          read.push(Uint8Array.from(step.value))
        expect(sameBytes(Buffer.concat(read), bytes)).toBe(true)
        expect(sameBytes(await readSmall(scene), smallBytes)).toBe(true)
      },
      { encoded: () => encoded },
    )
  })

  test('cannot be read where there is no reader for it', async () => {
    await withBlock(async (scene) => {
      scene.place = encodedPlace
      await rejection(readAll(scene), 'Unavailable')
      await rejection(readSmall(scene), 'Unavailable')
    })
  })
})
