import { SimRandom } from '@o3/common/env/sim'
import type { EcPolicy } from '@o3/scm/api'
import { describe, expect, test } from 'vitest'
import { shapeOf } from '../../src/core/ec/ec-shape.ts'
import type { EcReader, EncodedPlace } from '../../src/ec/ec-reader.ts'
import { sameBytes } from '../harness/bytes.ts'
import type { EcScene } from '../harness/ec-scene.ts'
import { parent, slownessMs, withEcScene } from '../harness/ec-scene.ts'
import { collect, rejection } from '../harness/expect-error.ts'

const KiB = 1024
const policies: readonly EcPolicy[] = ['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k']

const block = (local: number) => ({ container: parent, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

async function expectBlocks(
  reader: EcReader,
  place: EncodedPlace,
  contents: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  for (const [local, bytes] of contents) {
    if (!sameBytes(await collect(reader.read(place, block(local), all(bytes))), bytes)) expect.fail(`block ${local}`)
  }
}

/** A stray reader: some ranges of some blocks, both ways. */
async function expectRanges(
  reader: EcReader,
  place: EncodedPlace,
  { contents, random }: { readonly contents: ReadonlyMap<number, Uint8Array>; readonly random: SimRandom },
): Promise<void> {
  for (const [local, bytes] of contents) {
    const offset = random.below(bytes.length + 1)
    const range = { offset, length: random.below(bytes.length - offset + 1) }
    const expected = bytes.subarray(offset, offset + range.length)
    const both = [
      await reader.readSmall(place, block(local), range),
      await collect(reader.read(place, block(local), range)),
    ]
    for (const read of both) if (!sameBytes(read, expected)) expect.fail(`block ${local}, ${JSON.stringify(range)}`)
  }
}

describe.each(policies)('%s', (policy) => {
  const { dataShards, parityShards } = shapeOf(policy)

  test.each(Array.from({ length: 8 }, (_, i) => i + 1))(
    'any shards that are left give back every byte: seed %i',
    async (seed) => {
      const random = new SimRandom(`ec-read/${policy}/${seed}`)
      const cellBytes = [512, 4096, 70 * KiB][random.below(3)]!
      await withEcScene(
        async (scene) => {
          const largest = [1, 300, 3 * cellBytes, 2 * dataShards * cellBytes][random.below(4)]!
          const sizes = Array.from({ length: 1 + random.below(12) }, () => random.below(largest + 1))
          const contents = await scene.fill(sizes)
          await scene.encode()
          const reader = scene.reader({ suspectMs: 0 })
          await expectBlocks(reader, scene.place(), contents)
          for (let round = 0; round < 6; round++) {
            const broken = new Set<number>()
            while (broken.size < parityShards) broken.add(random.below(scene.count))
            for (let shard = 0; shard < scene.count; shard++) {
              const state = (['away', 'slow', 'rotten'] as const)[random.below(3)]!
              scene.set(shard, broken.has(shard) ? state : 'up')
            }
            const blank = random.chance(0.5) ? scene.reader() : reader
            await expectBlocks(blank, scene.place(), contents)
            await expectRanges(blank, scene.place(), { contents, random })
          }
        },
        { policy, cellBytes },
      )
    },
  )

  test('one shard more than there is parity: the first says why', async () => {
    await withEcScene(
      async (scene) => {
        const contents = await scene.fill([20_000, 0, 90_000])
        await scene.encode()
        for (const [state, code] of [
          ['away', 'Unavailable'],
          ['rotten', 'Damaged'],
        ] as const) {
          const reader = scene.reader()
          for (let shard = 0; shard < scene.count; shard++) scene.set(shard, 'up')
          await expectBlocks(reader, scene.place(), contents)
          for (let shard = 0; shard <= parityShards; shard++) scene.set(shard, state)
          const range = { offset: 0, length: 90_000 }
          const error = await rejection(collect(reader.read(scene.place(), block(8), range)), code)
          if (code === 'Damaged') expect(error.details).toMatchObject({ path: 'test' })
          await rejection(reader.readSmall(scene.place(), block(8), range), code)
        }
      },
      { policy },
    )
  })
})

const readsOf = (scene: EcScene) => scene.calls.filter(({ method }) => method === 'readSmall')

describe('a healthy read', () => {
  test('of a small range costs one read of one shard, once the directory is known', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill(Array.from({ length: 40 }, () => 1000))
      await scene.encode()
      const reader = scene.reader()
      await reader.readSmall(scene.place(), block(2), { offset: 0, length: 1000 })
      expect(readsOf(scene).length).toBeGreaterThan(1)
      scene.calls = []
      const bytes = contents.get(8)!
      const read = await reader.readSmall(scene.place(), block(8), { offset: 100, length: 200 })
      expect(sameBytes(read, bytes.subarray(100, 300))).toBe(true)
      expect(scene.calls).toHaveLength(1)
    })
  })

  test('reads each cell once, in pieces of at most a cell', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([50_000])
      await scene.encode()
      const reader = scene.reader()
      await expectBlocks(reader, scene.place(), contents)
      scene.calls = []
      const lengths: number[] = []
      for await (const piece of reader.read(scene.place(), block(2), { offset: 0, length: 50_000 })) {
        lengths.push(piece.length)
      }
      expect(Math.max(...lengths)).toBe(4096)
      expect(new Set(scene.calls.map(({ container, local }) => `${container}/${local}`)).size).toBe(lengths.length)
      expect(scene.calls).toHaveLength(lengths.length)
    })
  })

  test('reads no further ahead than two pieces', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([50_000])
      await scene.encode()
      const reader = scene.reader()
      await expectBlocks(reader, scene.place(), contents)
      scene.calls = []
      for await (const piece of reader.read(scene.place(), block(2), { offset: 0, length: 50_000 })) {
        expect(piece.length).toBeGreaterThan(0)
        break
      }
      expect(scene.calls).toHaveLength(2)
    })
  })

  test('many readers at once load the directory once, and its pages are forgotten beyond the bound', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill(Array.from({ length: 300 }, (_, i) => i))
      await scene.encode()
      const reader = scene.reader({ cacheBytes: 4096 })
      scene.calls = []
      const range = { offset: 0, length: 200 }
      await Promise.all(Array.from({ length: 50 }, () => reader.readSmall(scene.place(), block(602), range)))
      expect(scene.calls.filter(({ local }) => local >= 2 ** 31)).toHaveLength(3)
      await expectBlocks(reader, scene.place(), contents)
      // 300 entries of 20 bytes are more than the bound: the page is read each time.
      expect(scene.calls.filter(({ local }) => local === 2 ** 31 + 2).length).toBeGreaterThan(100)
    })
  })
})

describe('a degraded read', () => {
  test('waits for a slow shard once, and then does without it until the suspicion ends', async () => {
    await withEcScene(async (scene) => {
      const { clock } = scene.scene.machine.env
      const contents = await scene.fill([100_000])
      await scene.encode()
      const failures: unknown[] = []
      const onDegraded = (container: number, shard: number, why: unknown): void => {
        failures.push([container, shard, why])
      }
      const reader = scene.reader({ hedgeAfterMs: 100, suspectMs: 5_000, onDegraded })
      await expectBlocks(reader, scene.place(), contents)
      scene.set(1, 'slow')
      const from = clock.monotonicMs()
      await expectBlocks(reader, scene.place(), contents)
      expect(clock.monotonicMs() - from).toBeLessThan(300)
      expect(failures).toEqual([[parent, 1, 'slow']])
      scene.calls = []
      await expectBlocks(reader, scene.place(), contents)
      expect(scene.calls.some(({ id }) => id === 'dn-1')).toBe(false)
      scene.set(1, 'up')
      await clock.sleep(5_000)
      scene.calls = []
      await expectBlocks(reader, scene.place(), contents)
      expect(scene.calls.some(({ id }) => id === 'dn-1')).toBe(true)
      await clock.sleep(slownessMs)
    })
  })

  test('of whole stripes reads as many cells as a healthy one', async () => {
    await withEcScene(async (scene) => {
      const stripeBytes = 3 * 4096
      const contents = await scene.fill([10 * stripeBytes])
      await scene.encode()
      const reader = scene.reader()
      scene.set(1, 'away')
      await expectBlocks(reader, scene.place(), contents)
      scene.calls = []
      await expectBlocks(reader, scene.place(), contents)
      expect(readsOf(scene)).toHaveLength(30)
    })
  })

  test('a shard that is nowhere, or of something else, counts as missing', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([30_000, 10])
      await scene.encode()
      const { ec } = scene.place()
      const [zero, one, two, three, four] = ec.shards
      const nowhere = {
        container: parent,
        ec: { ...ec, shards: [{ ...zero!, replicas: [] }, one!, two!, three!, four!] },
      }
      const degraded: unknown[] = []
      const reader = scene.reader({ onDegraded: (...told) => void degraded.push(told) })
      await expectBlocks(reader, nowhere, contents)
      expect(degraded).toContainEqual([parent, 0, 'poor'])
      // Again with each read: meanwhile the shard may have been made anew.
      degraded.length = 0
      await expectBlocks(reader, nowhere, contents)
      expect(degraded).toContainEqual([parent, 0, 'poor'])
      const empty = {
        container: parent,
        ec: { ...ec, shards: [{ ...zero!, container: 999 }, one!, two!, three!, four!] },
      }
      await expectBlocks(scene.reader(), empty, contents)
    })
  })

  test('bytes that every shard is sure of, and that are not the block, are damaged', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([4_000, 4_000])
      await scene.encode()
      const { ec } = scene.place()
      const [zero, one, two, three, four] = ec.shards
      const reader = scene.reader()
      await expectBlocks(reader, scene.place(), contents)
      // Two shards that were mixed up: each has sound bytes, and they are others.
      const mixed = { container: parent, ec: { ...ec, shards: [zero!, three!, two!, one!, four!] } }
      const range = { offset: 0, length: 4_000 }
      expect(sameBytes(await reader.readSmall(mixed, block(2), range), contents.get(2)!)).toBe(true)
      await rejection(reader.readSmall(mixed, block(5), range), 'Damaged')
      await rejection(collect(reader.read(mixed, block(5), range)), 'Damaged')
    })
  })
})

describe('refusals', () => {
  test('a block that is not there, a range that reaches too far', async () => {
    await withEcScene(async (scene) => {
      await scene.fill([10, 0, 20])
      await scene.encode()
      const reader = scene.reader()
      for (const local of [1, 3, 9]) {
        await rejection(reader.readSmall(scene.place(), block(local), { offset: 0, length: 1 }), 'BlockNotFound')
        await rejection(collect(reader.read(scene.place(), block(local), { offset: 0, length: 1 })), 'BlockNotFound')
      }
      for (const range of [
        { offset: 0, length: 11 },
        { offset: 11, length: 0 },
        { offset: -1, length: 2 },
      ]) {
        await rejection(reader.readSmall(scene.place(), block(2), range), 'InvalidRange')
        await rejection(collect(reader.read(scene.place(), block(2), range)), 'InvalidRange')
      }
      expect(await reader.readSmall(scene.place(), block(5), { offset: 0, length: 0 })).toHaveLength(0)
      expect(await collect(reader.read(scene.place(), block(5), { offset: 0, length: 0 }))).toHaveLength(0)
    })
  })

  test('a container that is not encoded', async () => {
    await withEcScene(async (scene) => {
      const place = { container: parent, ec: undefined }
      const range = { offset: 0, length: 1 }
      await rejection(scene.reader().readSmall(place, block(2), range), 'InvalidArgument')
      await rejection(collect(scene.reader().read(place, block(2), range)), 'InvalidArgument')
    })
  })

  test('rotten bytes on a disk are decoded from the others', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([30_000])
      await scene.encode()
      const { datanode, machine } = scene.scene
      const container = datanode.dataDisks[0]!.containers.get(101)!
      const row = await container.find(container.current, 1)
      machine.node.disk.flip('/disk1/containers/101.1.cnt', row!.extents[0]!.fileOffset! + 300)
      const degraded: unknown[] = []
      const reader = scene.reader({
        onDegraded: (_, shard, why) => void degraded.push([shard, (why as Error).message]),
      })
      await expectBlocks(reader, scene.place(), contents)
      expect(degraded).toEqual([[1, 'stored bytes failed verification']])
    })
  })
})
