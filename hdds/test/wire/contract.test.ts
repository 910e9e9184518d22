import { describe, expect, test } from 'vitest'
import { maxChunkBytes } from '../../src/api/api.ts'
import { blockContract } from '../harness/block-contract.ts'
import { patternOf, piecesOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { withLoopbackWire, withSimulatedWire } from '../harness/wire.ts'
import type { WireScene } from '../harness/wire.ts'

const MiB = 1024 * 1024
const KiB = 1024
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

const worlds: readonly (readonly [string, (script: (scene: WireScene) => Promise<void>) => Promise<void>])[] = [
  ['a simulated network', withSimulatedWire],
  ['loopback', withLoopbackWire],
]

describe.each(worlds)('over %s', (_, withWire) => {
  blockContract(withWire)

  test.each([
    0,
    1,
    4 * KiB,
    64 * KiB - 1,
    64 * KiB,
    64 * KiB + 1,
    256 * KiB + 1,
    maxChunkBytes - 1,
    maxChunkBytes,
    maxChunkBytes + 1,
    5 * MiB + 3,
  ])('%i bytes come back as they went, however they went', async (size) => {
    await withWire(async ({ datanode, local }) => {
      const bytes = patternOf(size + 1, size)
      const writer = await datanode.openWriter(block(1))
      for (const piece of piecesOf(bytes, 700_001)) await writer.write(piecesOf(piece, 99_991))
      expect(await writer.commit()).toMatchObject({ block: block(1), lengthBytes: size, datanodes: ['dn-1'] })
      const blocks = [block(1)]
      if (size <= maxChunkBytes) {
        await datanode.writeBlock(block(2), [bytes])
        await datanode.writeBlock(block(3), piecesOf(bytes, 1 + (size >> 2)))
        blocks.push(block(2), block(3))
      }
      for (const each of blocks) {
        for (const store of [datanode, local]) {
          expect(sameBytes(await collect(store.read(each, all(bytes))), bytes)).toBe(true)
          if (size > maxChunkBytes) continue
          expect(sameBytes(await store.readSmall(each, all(bytes)), bytes)).toBe(true)
        }
      }
    })
  })

  test('memory may be used again when a write has settled', async () => {
    await withWire(async ({ datanode }) => {
      const expected = patternOf(9, 3 * MiB)
      const memory = new Uint8Array(MiB)
      const writer = await datanode.openWriter(block(1))
      for (let at = 0; at < expected.length; at += MiB) {
        memory.set(expected.subarray(at, at + MiB))
        await writer.write([memory])
        memory.fill(0xee)
      }
      await writer.commit()
      memory.set(expected.subarray(0, MiB))
      await datanode.writeBlock(block(2), [memory])
      memory.fill(0xee)
      expect(sameBytes(await collect(datanode.read(block(1), all(expected))), expected)).toBe(true)
      const small = await datanode.readSmall(block(2), { offset: 0, length: MiB })
      expect(sameBytes(small, expected.subarray(0, MiB))).toBe(true)
    })
  })

  test('bytes that were read are plain arrays, whose slice is a copy', async () => {
    await withWire(async ({ datanode }) => {
      for (const [local, size] of [100, 300_000].entries()) {
        await datanode.writeBlock(block(local + 1), [patternOf(1, size)])
        const read = await datanode.readSmall(block(local + 1), { offset: 0, length: size })
        expect(Object.getPrototypeOf(read)).toBe(Uint8Array.prototype)
        for await (const piece of datanode.read(block(local + 1), { offset: 0, length: size })) {
          expect(Object.getPrototypeOf(piece)).toBe(Uint8Array.prototype)
        }
      }
    })
  })

  test('a read hands out its first bytes at once, and later ones joined', async () => {
    await withWire(async ({ datanode }) => {
      const bytes = patternOf(4, 5 * MiB + 3)
      const writer = await datanode.openWriter(block(1))
      await writer.write([bytes])
      await writer.commit()
      const lengths: number[] = []
      let seen = 0
      for await (const piece of datanode.read(block(1), all(bytes))) {
        expect(sameBytes(piece, bytes.subarray(seen, seen + piece.length))).toBe(true)
        seen += piece.length
        lengths.push(piece.length)
      }
      expect(seen).toBe(bytes.length)
      expect(lengths.slice(1, -1).every((length) => length >= 256 * KiB)).toBe(true)
    })
  })

  test('what a datanode says of itself is what it says to others', async () => {
    await withWire(async ({ datanode, local }) => {
      expect(await datanode.containers()).toEqual([])
      expect(await datanode.findings()).toEqual([])
      await datanode.createContainer(7)
      for (let local1 = 1; local1 <= 2_000; local1 += 100) {
        await Promise.all(
          Array.from({ length: 100 }, (_, i) => datanode.writeBlock(block(local1 + i), [patternOf(i, i)])),
        )
      }
      expect(await datanode.containers()).toEqual(local.containers())
      const stable = ({ path, uuid, state, totalBytes }: ReturnType<typeof local.disks>[number]) => {
        return { path, uuid, state, totalBytes }
      }
      expect((await datanode.disks()).map(stable)).toEqual(local.disks().map(stable))
      const listed = await datanode.listBlocks(1)
      expect(listed).toHaveLength(2_000)
      expect(listed).toEqual(await local.listBlocks(1))
      expect(await datanode.scrubContainer(1)).toEqual([])
      await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1_990 }])
      await datanode.closeContainer(1)
      expect(await datanode.compact()).toBeGreaterThan(0)
      expect(await datanode.listBlocks(1)).toHaveLength(10)
      await rejection(datanode.listBlocks(99), 'ContainerNotFound')
    })
  })

  test('a datanode that is asked for another one refuses, and stores nothing', async () => {
    await withWire(async ({ connect, local }) => {
      const mistaken = connect('dn-2')
      await rejection(mistaken.writeBlock(block(1), [patternOf(1, 10)]), 'Unavailable')
      await rejection(mistaken.openWriter(block(1)), 'Unavailable')
      await rejection(mistaken.readSmall(block(1), { offset: 0, length: 1 }), 'Unavailable')
      await rejection(mistaken.createContainer(1), 'Unavailable')
      expect(local.containers()).toEqual([])
    })
  })

  test('a client that is closed says so', async () => {
    await withWire(async ({ datanode }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 10)])
      datanode.close()
      datanode.close()
      await rejection(datanode.writeBlock(block(2), [patternOf(1, 10)]), 'Closed')
      await rejection(datanode.openWriter(block(2)), 'Closed')
      await rejection(collect(datanode.read(block(1), { offset: 0, length: 1 })), 'Closed')
      await rejection(datanode.readSmall(block(1), { offset: 0, length: 1 }), 'Closed')
      await rejection(datanode.disks(), 'Closed')
    })
  })
})
