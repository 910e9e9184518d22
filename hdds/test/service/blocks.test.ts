import { describe, expect, test } from 'vitest'
import { blockContract } from '../harness/block-contract.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { beforeAndAfter, withDatanode } from '../harness/with-datanode.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const all = (bytes: Uint8Array) => ({ offset: 0, length: bytes.length })

describe('in its process', () => blockContract(withDatanode))

describe('reading', () => {
  test('may stop early and begin again', async () => {
    await withDatanode(async ({ datanode }) => {
      const bytes = patternOf(3, 4 * MiB)
      const writer = await datanode.openWriter(block(1))
      await writer.write([bytes])
      await writer.commit()
      for (let i = 0; i < 10; i++) {
        for await (const piece of datanode.read(block(1), all(bytes))) {
          expect(sameBytes(piece, bytes.subarray(0, piece.length))).toBe(true)
          break
        }
      }
      await datanode.close() // hangs when a reader kept its file
    })
  })
})

test('what is written ahead of small records grows with them, up to its bound', async () => {
  const bound = 256 * 1024
  await withDatanode(
    async ({ datanode, machine }) => {
      const ahead: number[] = []
      for (let local = 1; local <= 600; local++) {
        await datanode.writeBlock(block(local), [patternOf(local, 1000)])
        const { path } = datanode.dataDisks[0]!.containers.get(1)!.current.file
        const { sizeBytes } = (await machine.node.disk.stat(path))!
        ahead.push(sizeBytes - datanode.containers()[0]!.usedBytes)
      }
      expect(ahead[0]).toBe(bound / 4)
      const fresh = ahead.filter((bytes, at) => bytes > (ahead[at - 1] ?? 0))
      expect(fresh.slice(0, 4)).toEqual([bound / 4, bound / 2, bound, bound])
      expect(Math.max(...ahead)).toBe(bound)
    },
    { config: { preallocateBytes: bound } },
  )
})

describe('a closed container', () => {
  test('gives its preallocated space back', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 1000)])
      const { path } = datanode.dataDisks[0]!.containers.get(1)!.current.file
      expect((await machine.node.disk.stat(path))!.sizeBytes).toBeGreaterThan(10_000)
      await datanode.closeContainer(1)
      expect((await machine.node.disk.stat(path))!.sizeBytes).toBe(datanode.containers()[0]!.usedBytes)
    })
  })
})

test('the report of a container is one object until something in it changes', async () => {
  await withDatanode(async ({ datanode }) => {
    const report = () => datanode.containers()[0]!
    await datanode.writeBlock(block(1), [patternOf(1, 1000)])
    const seen = [report()]
    const steps: readonly (() => unknown)[] = [
      () => datanode.writeBlock(block(2), [patternOf(2, 1000)]),
      () => datanode.closeContainer(1),
      () => datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }]),
      () => {
        const damage = {
          kind: 'damaged-chunk',
          container: 1,
          path: '/disk1',
          fileOffset: 0,
          message: 'rotten',
        } as const
        datanode.dataDisks[0]!.noteFinding(damage)
      },
    ]
    for (const step of steps) {
      await step()
      expect(report()).not.toBe(seen.at(-1))
      expect(report()).toBe(report())
      seen.push(report())
    }
    expect(seen.map(({ state, blockCount }) => `${state} ${blockCount}`)).toEqual([
      'OPEN 1',
      'OPEN 2',
      'CLOSED 2',
      'CLOSED 1',
      'UNHEALTHY 1',
    ])
  })
})

describe('a deleted container', () => {
  test('is gone with its file, for good', async () => {
    await withDatanode(async ({ datanode, machine, crash }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 1000)])
      await datanode.deleteContainer(1)
      await datanode.deleteContainer(1)
      for await (const store of beforeAndAfter(datanode, crash)) {
        // Also by a datanode that was started since: SCM has forgotten the container, and what it took would be lost.
        await rejection(store.writeBlock(block(2), [patternOf(1, 10)]), 'ContainerNotFound')
        expect(store.containers()).toEqual([])
        expect(await machine.node.disk.list('/disk1/containers')).toEqual([])
        expect(store.findings()).toEqual([])
      }
    })
  })
})

test('when the list of deleted containers is damaged, all older ones that are not here count as deleted', async () => {
  await withDatanode(async ({ datanode, machine, crash }) => {
    for (const container of [1, 2, 4]) await datanode.writeBlock({ container, local: 1 }, [patternOf(1, 1000)])
    await datanode.deleteContainer(2)
    machine.node.disk.flip('/disk1/DELETED', 5)
    const store = await crash()
    // 2 was deleted, and 3 may have been; 4 is here, and 5 is new.
    await rejection(store.writeBlock({ container: 2, local: 2 }, [patternOf(1, 10)]), 'ContainerNotFound')
    await rejection(store.writeBlock({ container: 3, local: 1 }, [patternOf(1, 10)]), 'ContainerNotFound')
    await store.writeBlock({ container: 4, local: 2 }, [patternOf(1, 10)])
    await store.writeBlock({ container: 5, local: 1 }, [patternOf(1, 10)])
  })
})

test('after close everything is refused', async () => {
  await withDatanode(async ({ datanode }) => {
    const writer = await datanode.openWriter(block(1))
    await writer.write([patternOf(1, 10)])
    await datanode.close()
    await datanode.close()
    await rejection(writer.commit(), 'Aborted')
    await rejection(datanode.writeBlock(block(2), [patternOf(1, 10)]), 'Closed')
    await rejection(datanode.openWriter(block(2)), 'Closed')
    await rejection(datanode.readSmall(block(2), { offset: 0, length: 1 }), 'Closed')
    await rejection(datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }]), 'Closed')
    await rejection(datanode.compact(), 'Closed')
  })
})
