import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import { policyNumber, shapeOf } from '../../src/core/ec/ec-shape.ts'
import { decodeDescriptor, descriptorBytes } from '../../src/core/ec/shard-descriptor.ts'
import { replicaSource } from '../../src/ec/block-source.ts'
import { openCodePool } from '../../src/ec/code-pool.ts'
import { carryOutEcCommand } from '../../src/ec/ec-commands.ts'
import { EcReader } from '../../src/ec/ec-reader.ts'
import { reconstructShards } from '../../src/ec/reconstruct-shards.ts'
import { blockChecksum } from '../../src/ec/running-checksum.ts'
import { patternOf, piecesOf, sameBytes } from '../harness/bytes.ts'
import type { EcScene } from '../harness/ec-scene.ts'
import { parent, withEcScene } from '../harness/ec-scene.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { decodeScalar } from '../harness/scalar-code.ts'
import { withLoopbackWire } from '../harness/wire.ts'

const KiB = 1024
const MiB = 1024 * KiB
const block = (local: number) => ({ container: parent, local })

async function expectBlocks(scene: EcScene, contents: ReadonlyMap<number, Uint8Array>, first?: number): Promise<void> {
  const reader = scene.reader()
  for (const [local, bytes] of contents) {
    const read = await collect(reader.read(scene.place(first), block(local), { offset: 0, length: bytes.length }))
    if (!sameBytes(read, bytes)) expect.fail(`block ${local} is not what it was`)
  }
}

/** Each shard's cells one after the other, padded to the longest of each stripe. */
async function shardStreams({ scene, count }: EcScene, stripes: number): Promise<Uint8Array[]> {
  const shards = Array.from({ length: count }, (): Uint8Array[] => [])
  for (let stripe = 0; stripe < stripes; stripe++) {
    const cells: Uint8Array[] = []
    for (let shard = 0; shard < count; shard++) {
      const found = (await scene.datanode.listBlocks(100 + shard)).find(({ block: { local } }) => local === stripe + 1)
      const range = { offset: 0, length: found?.lengthBytes ?? 0 }
      cells.push(found === undefined ? new Uint8Array(0) : await scene.datanode.readSmall(found.block, range))
    }
    const longest = Math.max(...cells.map(({ length }) => length))
    for (const [shard, cell] of cells.entries()) {
      const padded = new Uint8Array(longest)
      padded.set(cell)
      shards[shard]!.push(padded)
    }
  }
  return shards.map((cells) => Buffer.concat(cells))
}

const states = (scene: EcScene) =>
  scene.scene.datanode
    .containers()
    .filter(({ id }) => id >= 100)
    .map(({ state }) => state)

describe('an encoding', () => {
  test('is what the definition of the code says, decoded by nothing of ours', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([5_000, 20_000, 0, 777, 11_000])
      await scene.encode()
      const { dataShards, parityShards } = shapeOf(scene.policy)
      const shards = await shardStreams(scene, 4)
      const expected = Buffer.concat([...contents.values()])
      for (const numbers of [
        [0, 1, 2],
        [4, 1, 3],
        [2, 3, 4],
      ]) {
        const known = new Map(numbers.map((number) => [number, shards[number]!] as const))
        const decoded = decodeScalar(dataShards, parityShards, known)
        expect(decoded.every((bytes, shard) => sameBytes(bytes, shards[shard]!))).toBe(true)
        const stream: Uint8Array[] = []
        for (let cell = 0; cell * 4096 < shards[0]!.length; cell++) {
          for (let shard = 0; shard < dataShards; shard++) {
            stream.push(decoded[shard]!.subarray(cell * 4096, (cell + 1) * 4096))
          }
        }
        expect(sameBytes(Buffer.concat(stream).subarray(0, expected.length), expected)).toBe(true)
      }
    })
  })

  test('says in each shard what it is, and is closed', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([70 * KiB, 12])
      const outcome = await scene.encode()
      expect(outcome).toEqual({ kind: 'encoded', blocks: 2, streamBytes: 70 * KiB + 12, leftOutBytes: 0 })
      expect(states(scene)).toEqual(Array.from({ length: 5 }, () => 'CLOSED'))
      for (let shard = 0; shard < scene.count; shard++) {
        const where = { container: 100 + shard, local: 2 ** 31 }
        const bytes = await scene.scene.datanode.readSmall(where, { offset: 0, length: descriptorBytes })
        expect(decodeDescriptor(bytes)).toMatchObject({ policy: scene.policy, shard, parent, blockCount: 2 })
      }
      const listed = await scene.reader().listBlocks(scene.place())
      expect(listed).toEqual(
        [...contents].map(([local, bytes]) => {
          return { block: block(local), lengthBytes: bytes.length, checksum: blockChecksum(bytes) }
        }),
      )
    })
  })

  test('of a small container costs a share of it for parity, and not full cells', async () => {
    await withEcScene(
      async (scene) => {
        const contents = await scene.fill([200 * KiB, 100 * KiB])
        await scene.encode()
        const stored = scene.scene.datanode.containers().filter(({ id }) => id >= 100)
        const bytes = stored.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
        expect(bytes).toBeLessThan(300 * KiB + 3 * 64 * KiB + 20 * KiB)
        await expectBlocks(scene, contents)
      },
      { policy: 'rs-6-3-1024k', cellBytes: MiB },
    )
  })

  test.each([0, 1])('of a container with %i empty blocks', async (blocks) => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill(Array.from({ length: blocks }, () => 0))
      await scene.encode()
      await expectBlocks(scene, contents)
      expect(await scene.reader().listBlocks(scene.place())).toHaveLength(blocks)
    })
  })

  test('in cells of a MiB, with blocks over several of them', async () => {
    await withEcScene(
      async (scene) => {
        const contents = await scene.fill([700 * KiB, 900 * KiB, 4 * KiB, 800 * KiB, 1 * MiB])
        await scene.encode()
        await expectBlocks(scene, contents)
        scene.set(0, 'away')
        scene.set(2, 'rotten')
        await expectBlocks(scene, contents)
      },
      { cellBytes: MiB },
    )
  })

  test('reports its progress, and waits when it is told to', async () => {
    await withEcScene(async (scene) => {
      await scene.fill([100_000])
      const progress: (readonly [number, number])[] = []
      const paced: number[] = []
      await scene.encode(
        {},
        {
          progress: (done, total) => void progress.push([done, total]),
          pace: async (bytes) => {
            paced.push(bytes)
            await scene.scene.machine.env.clock.sleep(10)
          },
        },
      )
      const total = paced.reduce((sum, bytes) => sum + bytes, 0)
      expect(progress.at(-1)).toEqual([total, total])
      expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b))
      expect(Math.max(...paced)).toBe(5 * 4096)
    })
  })

  test('holds the policies under their numbers', () => {
    expect(['rs-3-2-1024k', 'rs-6-3-1024k', 'rs-10-4-1024k'].map((each) => policyNumber(each as never))).toEqual([
      0, 1, 2,
    ])
  })
})

describe('an encoding that is interrupted', () => {
  test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    'by a power cut ends well the next time: seed %i',
    async (seed) => {
      const random = new SimRandom(`ec-crash/${seed}`)
      await withEcScene(async (scene) => {
        const contents = await scene.fill(Array.from({ length: 8 }, () => random.below(30_000)))
        const { machine } = scene.scene
        for (let deaths = 0; deaths < 3; deaths++) {
          let left = random.below(60)
          scene.onWrite = async () => {
            if (left-- === 0) machine.node.crash()
          }
          const outcome = await machine.node.whileUp(scene.encode())
          if (outcome !== 'down') machine.node.crash()
          await machine.start()
        }
        scene.onWrite = async () => {}
        await scene.encode()
        expect(states(scene)).toEqual(Array.from({ length: 5 }, () => 'CLOSED'))
        scene.set(random.below(5), 'away')
        scene.set(random.below(5), 'rotten')
        await expectBlocks(scene, contents)
        scene.calls = []
        scene.set(0, 'up')
      })
    },
  )

  test('by a datanode that is away for a while goes on by itself', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([60_000])
      let writes = 0
      scene.onWrite = async () => {
        if (++writes === 7) {
          scene.set(3, 'away')
          scene.scene.machine.env.clock.after(2_000, () => scene.set(3, 'up'))
        }
      }
      await scene.encode()
      await expectBlocks(scene, contents)
    })
  })

  test('by one that stays away fails, and what is whole is not written again', async () => {
    await withEcScene(async (scene) => {
      const contents = await scene.fill([60_000])
      scene.onWrite = async ({ container, local }) => {
        if (container === 103 && local === 2 ** 31 + 1) scene.set(3, 'away')
      }
      await rejection(scene.encode(), 'Unavailable')
      scene.set(3, 'up')
      scene.onWrite = async () => {}
      scene.calls = []
      await scene.encode()
      const written = scene.calls.filter(({ method }) => method === 'writeBlock').map(({ container }) => container)
      expect(new Set(written)).toEqual(new Set([103]))
      await expectBlocks(scene, contents)
      scene.calls = []
      await scene.encode()
      expect(scene.calls.filter(({ method }) => method === 'writeBlock')).toEqual([])
    })
  })

  test('by its caller ends with the reason', async () => {
    await withEcScene(async (scene) => {
      await scene.fill([100_000])
      const abort = new AbortController()
      const reason = new Error('enough')
      scene.onWrite = async ({ local }) => {
        if (local === 2) abort.abort(reason)
      }
      await expect(scene.encode({}, { signal: abort.signal })).rejects.toBe(reason)
    })
  })

  test('by deletions wants other shards, and says so', async () => {
    await withEcScene(async (scene) => {
      const contents = new Map(await scene.fill([9_000, 9_000, 9_000]))
      let writes = 0
      scene.onWrite = async () => {
        if (++writes > 5) scene.set(0, 'away')
      }
      await rejection(scene.encode(), 'Unavailable')
      scene.set(0, 'up')
      scene.onWrite = async () => {}
      await scene.scene.datanode.deleteBlocks([{ container: parent, firstLocal: 2, count: 1 }])
      await rejection(scene.encode(), 'ConcurrentChange')
      await scene.encode({ first: 200 })
      contents.delete(2)
      await expectBlocks(scene, contents, 200)
    })
  })
})

test('shards that are whole, and of other blocks, are refused', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([9_000, 9_000])
    await scene.encode()
    await scene.scene.datanode.deleteBlocks([{ container: parent, firstLocal: 2, count: 1 }])
    await rejection(scene.encode(), 'ConcurrentChange')
  })
})

test('a source with damage is not encoded', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([9_000, 9_000])
    const { datanode, machine } = scene.scene
    const container = datanode.dataDisks[0]!.containers.get(parent)!
    const row = await container.find(container.current, 5)
    machine.node.disk.flip('/disk1/containers/1.1.cnt', row!.extents[0]!.fileOffset! + 100)
    await rejection(scene.encode(), 'Damaged')
  })
})

test('a deletion of encoded blocks is acknowledged by any datanode, and takes nothing away before the next encoding', async () => {
  await withEcScene(async (scene) => {
    const contents = await scene.fill([10_000, 500])
    await scene.encode()
    await scene.scene.datanode.deleteContainer(parent)
    await scene.scene.datanode.deleteBlocks([{ container: parent, firstLocal: 1, count: 100 }])
    await expectBlocks(scene, contents)
  })
})

test('a layout that is not of its policy is refused', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([10])
    await rejection(scene.encode({ policy: 'rs-6-3-1024k' }), 'InvalidArgument')
    const { work } = scene
    const request = { container: parent, layout: scene.layout(), wanted: [5] }
    const here = { datanode: 'dn-0', address: undefined }
    await rejection(reconstructShards(request, { ...work, here }), 'InvalidArgument')
  })
})

test('a source that gives other bytes than it listed is not encoded', async () => {
  await withEcScene(async (scene) => {
    await scene.fill([9_000, 9_000])
    const source = replicaSource(scene.scene.datanode, parent)
    const list = async () => (await source.list()).map((listed) => ({ ...listed, checksum: listed.local }))
    const error = await rejection(scene.encode({}, { source: { ...source, list } }), 'Damaged')
    expect(error.details).toEqual({ local: 2 })
  })
})

describe('encoded anew, without what was deleted', () => {
  test('the rest is the same, and what is left out is gone', async () => {
    await withEcScene(async (scene) => {
      const contents = new Map(await scene.fill([10_000, 500, 0, 20_000, 7_000, 30]))
      await scene.encode()
      await scene.scene.datanode.deleteContainer(parent)
      const source = scene.reader().source(scene.place())
      const leaveOut = [
        { first: 11, count: 1 },
        { first: 1, count: 3 },
        { first: 900, count: 7 },
      ]
      const request = { first: 200, leaveOut }
      const nothing = await scene.encode({ ...request, worthShare: 0.9 }, { source })
      expect(nothing).toEqual({ kind: 'not-worth-it', blocks: 4, streamBytes: 7_530, leftOutBytes: 30_000 })
      expect(states(scene)).toHaveLength(5)
      // The old encoding may be degraded: it is read like by any reader.
      const shards = scene.place().ec.shards.with(1, { container: 101, replicas: [] })
      const degraded = scene.reader().source({ container: parent, ec: { policy: scene.policy, shards } })
      const outcome = await scene.encode({ ...request, worthShare: 0.5 }, { source: degraded })
      expect(outcome).toEqual({ kind: 'encoded', blocks: 4, streamBytes: 7_530, leftOutBytes: 30_000 })
      for (const local of [2, 11]) contents.delete(local)
      await expectBlocks(scene, contents, 200)
      const gone = scene.reader().readSmall(scene.place(200), block(11), { offset: 0, length: 1 })
      await rejection(gone, 'BlockNotFound')
    })
  })
})

test('over the wire it is the same: the memory of a stripe is used again when a write has settled', async () => {
  await withLoopbackWire(async ({ datanode, local, env }) => {
    const contents = [900_000, 3_000_000, 1_000_001].map((size, i) => patternOf(i, size))
    for (const [i, bytes] of contents.entries()) {
      const writer = await local.openWriter(block(i + 1))
      for (const piece of piecesOf(bytes, MiB)) await writer.write([piece])
      await writer.commit()
    }
    await local.closeContainer(parent)
    const code = openCodePool()
    try {
      const policy = 'rs-3-2-1024k'
      const place = { datanode: 'dn-1', address: undefined }
      const shards = Array.from({ length: 5 }, (_, i) => ({ container: 100 + i, at: place }))
      const tools = { code, clock: env.clock, doors: { datanode: () => datanode }, datanode: local }
      const task = { task: 'task', container: parent }
      await carryOutEcCommand({ ...task, kind: 'encode-container', policy, shards }, tools)
      const places = shards.map(({ container }) => ({ container, replicas: [place] }))
      const lost = { policy, shards: places.with(0, { container: 200, replicas: [] }) } as const
      const reader = new EcReader({ code, clock: env.clock, datanode: () => datanode })
      for (const ec of [{ policy, shards: places } as const, lost]) {
        for (const [i, bytes] of contents.entries()) {
          const range = { offset: 0, length: bytes.length }
          const read = await collect(reader.read({ container: parent, ec }, block(i + 1), range))
          expect(sameBytes(read, bytes)).toBe(true)
        }
      }
      await carryOutEcCommand({ ...task, kind: 'reconstruct-shards', layout: lost, wanted: [0] }, tools)
      const [made, original] = await Promise.all(
        [200, 100].map((container) => local.readSmall({ container, local: 1 }, { offset: 0, length: MiB })),
      )
      expect(sameBytes(made!, original!)).toBe(true)
    } finally {
      await code.close()
    }
  })
})

test('the checksum of a block does not depend on how it comes', () => {
  const bytes = patternOf(3, 200 * KiB + 5)
  expect(blockChecksum(bytes)).toBe(blockChecksum(Buffer.concat([bytes])))
  expect(blockChecksum(bytes)).not.toBe(blockChecksum(bytes.with(70_000, (bytes[70_000]! + 1) & 0xff)))
  expect(blockChecksum(new Uint8Array(0))).toBe(0)
})
