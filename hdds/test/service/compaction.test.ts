import { describe, expect, test } from 'vitest'
import { Pace } from '../../src/storage/pace.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { auditDatanode } from '../harness/audit.ts'
import { rejection } from '../harness/expect-error.ts'
import { beforeAndAfter, withDatanode } from '../harness/with-datanode.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const range = (firstLocal: number, count: number) => ({ container: 1, firstLocal, count })

describe('compaction', () => {
  test('gives the space of deleted blocks back, and keeps the others', async () => {
    await withDatanode(
      async ({ datanode, machine, crash }) => {
        const contents = Array.from({ length: 50 }, (_, i) => patternOf(i + 1, 10_000))
        for (const [i, content] of contents.entries()) await datanode.writeBlock(block(i + 1), [content])
        const large = patternOf(99, 3 * MiB)
        const writer = await datanode.openWriter(block(99))
        await writer.write([large])
        await writer.commit()
        await datanode.deleteBlocks([range(1, 40)])
        expect(await datanode.compact()).toBe(0) // still open
        await datanode.closeContainer(1)
        const before = (await machine.node.disk.space('/disk1')).availableBytes
        const freed = await datanode.compact()
        expect(freed).toBeGreaterThan(40 * 10_000)
        expect((await machine.node.disk.space('/disk1')).availableBytes - before).toBeGreaterThan(39 * 10_000)
        expect(await machine.node.disk.list('/disk1/containers')).toEqual(['1.2.cnt'])
        for await (const store of beforeAndAfter(datanode, crash)) {
          expect(store.containers()).toMatchObject([{ state: 'CLOSED', generation: 2, blockCount: 11 }])
          for (let local = 41; local <= 50; local++) {
            const read = await store.readSmall(block(local), { offset: 0, length: 10_000 })
            expect(sameBytes(read, contents[local - 1]!)).toBe(true)
          }
          const read = await store.readSmall(block(99), { offset: 2 * MiB + 5, length: 100_000 })
          expect(sameBytes(read, large.subarray(2 * MiB + 5, 2 * MiB + 100_005))).toBe(true)
          await rejection(store.readSmall(block(40), { offset: 0, length: 1 }), 'BlockNotFound')
          await auditDatanode(store)
        }
      },
      { config: { compactGarbageShare: 0.05 } },
    )
  })

  test('of a dead container leaves a seal', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 100_000)])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([range(1, 1)])
      await datanode.compact()
      expect(datanode.containers()).toMatchObject([{ generation: 2, usedBytes: 64, liveBytes: 0, blockCount: 0 }])
      expect((await machine.node.disk.stat('/disk1/containers/1.2.cnt'))!.sizeBytes).toBe(64)
      expect(await datanode.compact()).toBe(0)
    })
  })

  test('lets a reader that has begun read on in the old file', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      const large = patternOf(1, 5 * MiB)
      const writer = await datanode.openWriter(block(1))
      await writer.write([large])
      await writer.commit()
      await datanode.writeBlock(block(2), [patternOf(2, MiB)])
      await datanode.writeBlock(block(3), [patternOf(3, MiB)])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([range(2, 2)])
      const pieces = datanode.read(block(1), { offset: 0, length: large.length })[Symbol.asyncIterator]()
      let at = 0
      const readOne = async (): Promise<boolean> => {
        const next = await pieces.next()
        if (next.done === true) return false
        expect(sameBytes(next.value, large.subarray(at, at + next.value.length))).toBe(true)
        at += next.value.length
        return true
      }
      await readOne()
      expect(await datanode.compact()).toBeGreaterThan(MiB)
      expect(await machine.node.disk.list('/disk1/containers')).toEqual(['1.1.cnt', '1.2.cnt'])
      while (await readOne());
      expect(at).toBe(large.length)
      await datanode.close()
      expect(await machine.env.disk.list('/disk1/containers')).toEqual(['1.2.cnt'])
    })
  })

  test('does not bring back what is deleted while it copies', async () => {
    await withDatanode(async ({ datanode, machine, crash }) => {
      for (let local = 1; local <= 30; local++) await datanode.writeBlock(block(local), [patternOf(local, 20_000)])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([range(1, 10)])
      const during: Promise<void>[] = []
      machine.node.onSite = (site) => {
        if (site === 'hdds.compact.copied') during.push(datanode.deleteBlocks([range(11, 5)]))
        if (site === 'hdds.compact.before-rename') during.push(datanode.deleteBlocks([range(16, 5)]))
        return 'go-on'
      }
      await datanode.compact()
      await Promise.all(during)
      expect(during).toHaveLength(2)
      machine.node.onSite = () => 'go-on'
      for await (const store of beforeAndAfter(datanode, crash)) {
        expect((await store.listBlocks(1)).map((info) => info.block.local)).toEqual([
          21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
        ])
        await auditDatanode(store)
      }
    })
  })

  test('of a container with damage is given up, and nothing is lost by it', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      for (let local = 1; local <= 3; local++) await datanode.writeBlock(block(local), [patternOf(local, 20_000)])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([range(1, 1)])
      machine.node.disk.flip('/disk1/containers/1.1.cnt', 50_000)
      expect(await datanode.compact()).toBe(0)
      expect(datanode.containers()).toMatchObject([{ state: 'UNHEALTHY', generation: 1 }])
      expect(await machine.node.disk.list('/disk1/containers')).toEqual(['1.1.cnt'])
      const read = await datanode.readSmall(block(2), { offset: 0, length: 20_000 })
      expect(sameBytes(read, patternOf(2, 20_000))).toBe(true)
    })
  })

  test('without room is put off, and changes nothing', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      for (let local = 1; local <= 3; local++) await datanode.writeBlock(block(local), [patternOf(local, 20_000)])
      await datanode.closeContainer(1)
      await datanode.deleteBlocks([range(1, 1)])
      machine.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /unfinished$/, after: 1 })
      await rejection(datanode.compact(), 'OutOfSpace')
      expect(await machine.node.disk.list('/disk1/containers')).toEqual(['1.1.cnt'])
      expect(await datanode.compact()).toBeGreaterThan(20_000)
      await auditDatanode(datanode)
    })
  })
})

test('a container that is deleted while it is compacted or scrubbed is gone, and nothing else happens', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    for (const container of [1, 2]) {
      for (let local = 1; local <= 10; local++) {
        await datanode.writeBlock(block(local, container), [patternOf(local, 20_000)])
      }
      await datanode.closeContainer(container)
      await datanode.deleteBlocks([{ container, firstLocal: 1, count: 8 }])
    }
    const during: Promise<void>[] = []
    machine.node.onSite = (site) => {
      if (site === 'hdds.compact.copied' && during.length === 0) during.push(datanode.deleteContainer(1))
      return 'go-on'
    }
    await datanode.compact()
    await Promise.all(during)
    expect(during).toHaveLength(1)
    expect(datanode.containers()).toMatchObject([{ id: 2, generation: 2 }])
    expect(await machine.node.disk.list('/disk1/containers')).toEqual(['2.2.cnt'])
    const scrub = datanode.scrubContainer(2)
    const reading = rejection(
      datanode.deleteContainer(2).then(() => datanode.scrubContainer(2)),
      'ContainerNotFound',
    )
    expect(await scrub).toEqual([])
    await reading
    expect(await machine.node.disk.list('/disk1/containers')).toEqual([])
  })
})

test.each([
  ['compacted', ['1.2.cnt'], (datanode: LocalDatanode) => datanode.compact()],
  ['deleted', [], (datanode: LocalDatanode) => datanode.deleteContainer(1)],
] as const)('a scrub of days does not keep the space of a container that is %s', async (_, left, dispose) => {
  await withDatanode(async ({ datanode, machine }) => {
    const { clock, disk } = machine.env
    for (let local = 1; local <= 10; local++) await datanode.writeBlock(block(local), [patternOf(local, 20_000)])
    await datanode.closeContainer(1)
    await datanode.deleteBlocks([range(1, 8)])
    const [only] = datanode.dataDisks
    const pace = new Pace(clock, () => 1)
    const scrub = only!.scrub(only!.containers.get(1)!, { pace })
    // It has begun, and waits for its next turn for hours.
    await clock.sleep(1000)
    const started = clock.monotonicMs()
    await dispose(datanode)
    expect(await scrub).toEqual([])
    await clock.sleep(1000)
    expect(clock.monotonicMs() - started).toBeLessThan(10_000)
    expect(await disk.list('/disk1/containers')).toEqual(left)
    expect(await only!.scrubStamps()).toEqual(new Map())
  })
})
