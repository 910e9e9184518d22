import { describe, expect, test } from 'vitest'
import type { Datanode } from '../../src/api/api.ts'
import { checksumOfUnits } from '../../src/core/block-checksum.ts'
import { crc32c, unitChecksums } from '../../src/storage/checksum.ts'
import { patternOf, piecesOf, sameBytes } from './bytes.ts'
import { collect, rejection } from './expect-error.ts'
import { beforeAndAfter } from './with-datanode.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

/** A datanode, new for each script, and the same one after its process has ended. */
export interface ContractScene {
  readonly datanode: Datanode
  /** As hard as the world knows it. */
  crash(): Promise<Datanode>
  restart(): Promise<Datanode>
}

/** What a datanode promises of blocks, wherever it runs. */
export function blockContract(withScene: (script: (scene: ContractScene) => Promise<void>) => Promise<void>): void {
  describe('a block in one message', () => {
    test.each([0, 1, 4096, 65_536, 65_537, MiB])('of %i bytes is read as it was written', async (size) => {
      await withScene(async ({ datanode, restart }) => {
        const bytes = patternOf(size, size)
        const receipt = await datanode.writeBlock(block(1), piecesOf(bytes, 50_000))
        const checksum = checksumOfUnits(unitChecksums([bytes]), crc32c)
        expect(receipt).toEqual({ block: block(1), lengthBytes: size, datanodes: ['dn-1'], checksum })
        expect(await datanode.listBlocks(1)).toEqual([{ block: block(1), lengthBytes: size, checksum }])
        for await (const store of beforeAndAfter(datanode, restart)) {
          expect(sameBytes(await store.readSmall(block(1), all(bytes)), bytes)).toBe(true)
          expect(sameBytes(await collect(store.read(block(1), all(bytes))), bytes)).toBe(true)
        }
      })
    })

    test('of more than a chunk is refused', async () => {
      await withScene(async ({ datanode }) => {
        await rejection(datanode.writeBlock(block(1), [new Uint8Array(MiB), new Uint8Array(1)]), 'InvalidArgument')
      })
    })

    test('written again with the same bytes is answered like the first', async () => {
      await withScene(async ({ datanode, restart }) => {
        const bytes = patternOf(1, 5000)
        const write = (store = datanode) => store.writeBlock(block(1), [bytes])
        const receipts = [await write(), ...(await Promise.all([write(), write()])), await write(await restart())]
        expect(new Set(receipts.map((receipt) => receipt.lengthBytes))).toEqual(new Set([5000]))
      })
    })

    test('written again with other bytes is refused, and the first stands', async () => {
      await withScene(async ({ datanode, restart }) => {
        const bytes = patternOf(1, 5000)
        await datanode.writeBlock(block(1), [bytes])
        for await (const store of beforeAndAfter(datanode, restart)) {
          await rejection(store.writeBlock(block(1), [patternOf(2, 5000)]), 'InvalidArgument')
          await rejection(store.writeBlock(block(1), [patternOf(1, 4999)]), 'InvalidArgument')
          await rejection(store.openWriter(block(1)), 'InvalidArgument')
          expect(sameBytes(await store.readSmall(block(1), all(bytes)), bytes)).toBe(true)
        }
      })
    })
  })

  describe('a streamed block', () => {
    const bytes = patternOf(7, 3 * MiB + 123)

    test('is there after its commit, whole', async () => {
      await withScene(async ({ datanode, restart }) => {
        const writer = await datanode.openWriter(block(1))
        for (const piece of piecesOf(bytes, 777_777)) await writer.write([piece])
        await rejection(datanode.readSmall(block(1), { offset: 0, length: 1 }), 'BlockNotFound')
        const checksum = checksumOfUnits(unitChecksums([bytes]), crc32c)
        const receipt = { block: block(1), lengthBytes: bytes.length, datanodes: ['dn-1'], checksum }
        expect(await writer.commit()).toEqual(receipt)
        for await (const store of beforeAndAfter(datanode, restart)) {
          expect(sameBytes(await collect(store.read(block(1), all(bytes))), bytes)).toBe(true)
        }
      })
    })

    test.each([
      [0, 1],
      [777_776, 2],
      [MiB - 1, 2],
      [2 * MiB + 5, MiB + 118],
      [3 * MiB + 122, 1],
      [500_000, 0],
    ])('gives %i + %i', async (offset, length) => {
      await withScene(async ({ datanode }) => {
        const writer = await datanode.openWriter(block(1))
        await writer.write(piecesOf(bytes, 100_000)) // more than a chunk at once
        await writer.commit()
        const expected = bytes.subarray(offset, offset + length)
        expect(sameBytes(await collect(datanode.read(block(1), { offset, length })), expected)).toBe(true)
        if (length <= MiB)
          expect(sameBytes(await datanode.readSmall(block(1), { offset, length }), expected)).toBe(true)
      })
    })

    test('that was given up is not there, and is garbage', async () => {
      await withScene(async ({ datanode, crash }) => {
        const writer = await datanode.openWriter(block(1))
        await writer.write([bytes.subarray(0, MiB)])
        await writer.abort()
        await writer.abort()
        await rejection(writer.write([bytes]), 'Aborted')
        await rejection(writer.commit(), 'Aborted')
        const other = await datanode.openWriter(block(2))
        await other.commit()
        await other.abort() // nothing after a commit
        for await (const store of beforeAndAfter(datanode, crash)) {
          await rejection(store.readSmall(block(1), { offset: 0, length: 1 }), 'BlockNotFound')
          expect(await store.listBlocks(1)).toEqual([{ block: block(2), lengthBytes: 0, checksum: 0 }])
          expect((await store.containers())[0]).toMatchObject({ blockCount: 1, liveBytes: 64 })
          expect((await store.containers())[0]?.usedBytes).toBeGreaterThan(MiB)
        }
      })
    })

    test('takes one call at a time', async () => {
      await withScene(async ({ datanode }) => {
        const writer = await datanode.openWriter(block(1))
        const first = writer.write([bytes.subarray(0, 10)])
        await rejection(writer.write([bytes]), 'InvalidArgument')
        await first
      })
    })
  })

  describe('reading', () => {
    test('past the end is InvalidRange', async () => {
      await withScene(async ({ datanode }) => {
        await datanode.writeBlock(block(1), [patternOf(1, 100)])
        for (const range of [
          { offset: 0, length: 101 },
          { offset: 100, length: 1 },
          { offset: -1, length: 1 },
        ]) {
          await rejection(datanode.readSmall(block(1), range), 'InvalidRange')
          await rejection(collect(datanode.read(block(1), range)), 'InvalidRange')
        }
      })
    })

    test('what is not there is BlockNotFound or ContainerNotFound', async () => {
      await withScene(async ({ datanode }) => {
        await datanode.createContainer(1)
        await rejection(datanode.readSmall(block(9), { offset: 0, length: 1 }), 'BlockNotFound')
        await rejection(datanode.readSmall(block(1, 2), { offset: 0, length: 1 }), 'ContainerNotFound')
      })
    })
  })

  describe('deleting', () => {
    test('takes away what there is of the ranges, and ignores the rest', async () => {
      await withScene(async ({ datanode, crash }) => {
        for (const local of [1, 2, 3, 6]) await datanode.writeBlock(block(local), [patternOf(local, 3000)])
        await datanode.deleteBlocks([
          { container: 1, firstLocal: 2, count: 3 },
          { container: 9, firstLocal: 1, count: 1 },
        ])
        await datanode.deleteBlocks([{ container: 1, firstLocal: 2, count: 3 }])
        for await (const store of beforeAndAfter(datanode, crash)) {
          expect((await store.listBlocks(1)).map((info) => info.block.local)).toEqual([1, 6])
          await rejection(store.readSmall(block(2), { offset: 0, length: 1 }), 'BlockNotFound')
        }
      })
    })

    test('an id before it is written keeps a late writer out', async () => {
      await withScene(async ({ datanode }) => {
        const writer = await datanode.openWriter(block(1))
        await writer.write([patternOf(1, 1000)])
        await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 2 }])
        await rejection(writer.commit(), 'Aborted')
        await rejection(datanode.writeBlock(block(2), [patternOf(2, 10)]), 'InvalidArgument')
        expect(await datanode.listBlocks(1)).toEqual([])
      })
    })
  })

  describe('a closed container', () => {
    test('takes no new block, lets writers that have begun finish, and can be closed again', async () => {
      await withScene(async ({ datanode, crash }) => {
        const writer = await datanode.openWriter(block(1))
        await writer.write([patternOf(1, 1000)])
        const closing = datanode.closeContainer(1)
        await rejection(datanode.writeBlock(block(2), [patternOf(2, 10)]), 'Unavailable')
        await rejection(datanode.openWriter(block(3)), 'Unavailable')
        await writer.commit()
        await closing
        await datanode.closeContainer(1)
        for await (const store of beforeAndAfter(datanode, crash)) {
          expect((await store.containers())[0]).toMatchObject({ state: 'CLOSED', blockCount: 1 })
          await rejection(store.writeBlock(block(4), [patternOf(2, 10)]), 'Unavailable')
        }
      })
    })
  })

  describe('a deleted container', () => {
    test('lets its readers finish', async () => {
      await withScene(async ({ datanode }) => {
        const bytes = patternOf(1, 4 * MiB)
        const writer = await datanode.openWriter(block(1))
        await writer.write([bytes])
        await writer.commit()
        const pieces = datanode.read(block(1), all(bytes))[Symbol.asyncIterator]()
        const first = await pieces.next()
        let deleted = false
        const deletion = datanode.deleteContainer(1).then(() => {
          deleted = true
        })
        let at = (first.value as Uint8Array).length
        for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
          expect(sameBytes(next.value, bytes.subarray(at, at + next.value.length))).toBe(true)
          at += next.value.length
          expect(deleted).toBe(false)
        }
        expect(at).toBe(bytes.length)
        await deletion
      })
    })
  })
}
