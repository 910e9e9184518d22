import { describe, expect, test } from 'vitest'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import { beforeAndAfter, withDatanode } from '../harness/with-datanode.ts'

const KiB = 1024
const block = (local: number) => ({ container: 1, local })
const file = '/disk1/containers/1.1.cnt'
const headerBytes = 60

async function place(datanode: LocalDatanode, local: number): Promise<number> {
  const container = datanode.dataDisks[0]!.containers.get(1)!
  return (await container.find(container.current, local))!.extents[0]!.fileOffset!
}

/** Three blocks; the middle one is the victim. */
async function threeBlocks(datanode: LocalDatanode, bytes = 4096): Promise<readonly Uint8Array[]> {
  const contents = [1, 2, 3].map((local) => patternOf(local, bytes))
  for (const [i, content] of contents.entries()) await datanode.writeBlock(block(i + 1), [content])
  return contents
}

async function othersAreServed(datanode: LocalDatanode, contents: readonly Uint8Array[]): Promise<void> {
  for (const local of [1, 3]) {
    const content = contents[local - 1]!
    const read = await datanode.readSmall(block(local), { offset: 0, length: content.length })
    expect(sameBytes(read, content)).toBe(true)
  }
}

describe('a flipped bit', () => {
  test.each([
    ['in the payload', headerBytes + 100],
    ['in the last byte', headerBytes + 4095],
    ['in the header', 10],
  ])('%s is Damaged with its place, and the rest is served', async (_, at) => {
    await withDatanode(async ({ datanode, machine, restart }) => {
      const contents = await threeBlocks(datanode)
      const offset = await place(datanode, 2)
      machine.node.disk.flip(file, offset + at)
      const range = { offset: 10, length: 50 }
      for await (const store of beforeAndAfter(datanode, restart)) {
        const details = { container: 1, local: 2, offset: 0, path: file }
        expect((await rejection(store.readSmall(block(2), range), 'Damaged')).details).toMatchObject(details)
        expect((await rejection(collect(store.read(block(2), range)), 'Damaged')).details).toMatchObject(details)
        await othersAreServed(store, contents)
        expect(store.containers()[0]).toMatchObject({ state: 'UNHEALTHY', open: true, blockCount: 3 })
        expect(store.findings()).toHaveLength(1) // read twice, noted once
        expect(store.findings()[0]).toMatchObject({ kind: 'damaged-chunk', container: 1, local: 2, path: file })
      }
    })
  })

  test('spoils the unit that it is in, not the units beside it', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      const [content] = await threeBlocks(datanode, 1024 * KiB)
      machine.node.disk.flip(file, (await place(datanode, 1)) + 120 + 500 * KiB)
      for (const [offset, length] of [
        [0, 448 * KiB],
        [512 * KiB, 512 * KiB],
      ] as const) {
        const read = await datanode.readSmall(block(1), { offset, length })
        expect(sameBytes(read, content!.subarray(offset, offset + length))).toBe(true)
      }
      const error = await rejection(datanode.readSmall(block(1), { offset: 480 * KiB, length: 1 }), 'Damaged')
      expect(error.details['fileOffset']).toBe((await place(datanode, 1)) + 120 + 448 * KiB)
    })
  })

  test('is found by the scrubber, with path and offset', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      const contents = await threeBlocks(datanode)
      expect(await datanode.scrubContainer(1)).toEqual([])
      const offset = await place(datanode, 2)
      machine.node.disk.flip(file, offset + headerBytes + 7)
      expect(await datanode.scrubContainer(1)).toMatchObject([
        { kind: 'damaged-chunk', container: 1, local: 2, path: file, fileOffset: offset },
      ])
      expect(datanode.findings()).toHaveLength(1)
      await othersAreServed(datanode, contents)
    })
  })

  test('in a header is found by the scrubber, which names the block from the index', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await threeBlocks(datanode)
      const offset = await place(datanode, 2)
      machine.node.disk.flip(file, offset + 3)
      expect(await datanode.scrubContainer(1)).toMatchObject([
        { kind: 'damaged-chunk', path: file, fileOffset: offset },
        { kind: 'index-mismatch', local: 2, path: file, fileOffset: offset },
      ])
    })
  })

  test('in a block that was deleted is nobody’s loss', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await threeBlocks(datanode)
      const offset = await place(datanode, 2)
      await datanode.deleteBlocks([{ container: 1, firstLocal: 2, count: 1 }])
      machine.node.disk.flip(file, offset + headerBytes + 7)
      expect(await datanode.scrubContainer(1)).toEqual([])
    })
  })
})

describe('without an index', () => {
  test('a damaged header hides a block, and so an unknown block is Damaged and not missing', async () => {
    await withDatanode(
      async ({ datanode, machine }) => {
        const contents = await threeBlocks(datanode)
        const offset = await place(datanode, 2)
        machine.node.crash()
        machine.node.disk.flip(file, offset + 3)
        const again = await machine.start()
        expect(again.containers()[0]).toMatchObject({ state: 'UNHEALTHY' })
        expect(again.findings()).toMatchObject([{ kind: 'damaged-chunk', path: file, fileOffset: offset }])
        const error = await rejection(again.readSmall(block(2), { offset: 0, length: 1 }), 'Damaged')
        expect(error.details).toMatchObject({ container: 1, local: 2, path: file, fileOffset: offset })
        await othersAreServed(again, contents)
      },
      { forgetsIndex: true },
    )
  })

  test('a streamed block with a lost chunk is named, and its other chunks are served', async () => {
    await withDatanode(
      async ({ datanode, machine }) => {
        const content = patternOf(5, 3000)
        const writer = await datanode.openWriter(block(1))
        for (let at = 0; at < 3000; at += 1000) await writer.write([content.subarray(at, at + 1000)])
        await writer.commit()
        await datanode.writeBlock(block(2), [content])
        machine.node.crash()
        machine.node.disk.flip(file, 1088 + 3) // the second chunk's header
        const again = await machine.start()
        const first = await again.readSmall(block(1), { offset: 0, length: 1000 })
        expect(sameBytes(first, content.subarray(0, 1000))).toBe(true)
        await rejection(again.readSmall(block(1), { offset: 999, length: 2 }), 'Damaged')
        const last = await again.readSmall(block(1), { offset: 2000, length: 1000 })
        expect(sameBytes(last, content.subarray(2000))).toBe(true)
      },
      { forgetsIndex: true },
    )
  })

  test('everything else is as it was', async () => {
    await withDatanode(
      async ({ datanode, crash }) => {
        const contents = await threeBlocks(datanode, 70_000)
        await datanode.deleteBlocks([{ container: 1, firstLocal: 2, count: 1 }])
        const before = datanode.containers()
        const again = await crash()
        expect(again.containers()).toEqual(before)
        await othersAreServed(again, contents)
        await rejection(again.readSmall(block(2), { offset: 0, length: 1 }), 'BlockNotFound')
      },
      { forgetsIndex: true },
    )
  })
})

test('bytes of a block that look like a record are not one', async () => {
  await withDatanode(
    async ({ datanode, machine }) => {
      // A whole container file as the content of a block, at an offset where its records could be.
      await datanode.writeBlock(block(1), [patternOf(1, 128 - headerBytes)])
      const handle = await machine.env.disk.open(file, 'read')
      const record = new Uint8Array(128)
      await handle.read(record, 0)
      await handle.close()
      await datanode.writeBlock(block(2), [new Uint8Array(4), record, record, record])
      machine.node.crash()
      machine.node.disk.flip(file, 128 + 3) // its own header is damaged: recovery looks into the payload
      const again = await machine.start()
      expect(await again.listBlocks(1)).toMatchObject([{ block: block(1), lengthBytes: 68 }])
    },
    { forgetsIndex: true },
  )
})

test('a read that the disk cannot do is Damaged, and noted as unreadable', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    const contents = await threeBlocks(datanode)
    const stop = machine.node.disk.inject({ operation: 'read', errno: 'EIO', path: /1\.1\.cnt$/ })
    await rejection(datanode.readSmall(block(2), { offset: 0, length: 1 }), 'Damaged')
    stop()
    expect(datanode.findings()).toMatchObject([{ kind: 'unreadable', local: 2, path: file }])
    await othersAreServed(datanode, contents)
    expect(datanode.disks()[0]).toMatchObject({ state: 'healthy' })
  })
})

test('a container whose file is missing is reported, and nothing takes its place', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    await threeBlocks(datanode)
    await datanode.close()
    await machine.env.disk.remove(file)
    machine.node.kill()
    const again = await machine.start()
    expect(again.containers()).toMatchObject([{ id: 1, state: 'UNHEALTHY', blockCount: 3 }])
    expect(again.findings()).toMatchObject([{ kind: 'unreadable', container: 1 }])
    await rejection(again.readSmall(block(1), { offset: 0, length: 1 }), 'Damaged')
    await rejection(again.writeBlock(block(9), [patternOf(1, 1)]), 'ContainerNotFound')
  })
})

test('a file that lost its end is damaged, and what is left is served', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    const contents = await threeBlocks(datanode)
    const offset = await place(datanode, 2)
    await datanode.close()
    const handle = await machine.env.disk.open(file, 'read-write')
    await handle.truncate(offset + 1000)
    await handle.close()
    machine.node.kill()
    const again = await machine.start()
    expect(again.containers()).toMatchObject([{ state: 'UNHEALTHY' }])
    const read = await again.readSmall(block(1), { offset: 0, length: 4096 })
    expect(sameBytes(read, contents[0]!)).toBe(true)
    await rejection(again.readSmall(block(2), { offset: 0, length: 4096 }), 'Damaged')
    await rejection(again.readSmall(block(3), { offset: 0, length: 4096 }), 'Damaged')
    // New blocks go behind what was lost.
    await again.writeBlock(block(4), [contents[0]!])
    expect(sameBytes(await again.readSmall(block(4), { offset: 0, length: 4096 }), contents[0]!)).toBe(true)
  })
})
