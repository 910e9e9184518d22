import type { DiskFile } from '@o3/common/env'
import { describe, expect, test } from 'vitest'
import { recordBytes } from '../../src/core/record-layout.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const block = (local: number, container = 1) => ({ container, local })
const content = patternOf(1, 5000)

describe('a start reads', () => {
  /** Bytes read from container files. */
  async function readBy(action: (machine: Machine) => Promise<void>): Promise<number> {
    let bytes = 0
    const counting = (file: DiskFile): DiskFile => ({
      path: file.path,
      read: (target, offset) => {
        if (file.path.endsWith('.cnt')) bytes += target.length
        return file.read(target, offset)
      },
      readNow: (target, offset) => file.readNow(target, offset),
      write: (pieces, offset) => file.write(pieces, offset),
      sync: () => file.sync(),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close(),
    })
    const machine = new Machine({
      seed: 1,
      config: { preallocateBytes: 0 },
      wrapDisk: (disk) => ({
        open: async (path, mode) => counting(await disk.open(path, mode)),
        stat: (path) => disk.stat(path),
        list: (path) => disk.list(path),
        makeDirectory: (path) => disk.makeDirectory(path),
        rename: (from, to) => disk.rename(from, to),
        remove: (path) => disk.remove(path),
        syncDirectory: (path) => disk.syncDirectory(path),
        space: (path) => disk.space(path),
        lock: (path) => disk.lock(path),
      }),
    })
    await machine.run(async () => {
      const datanode = await machine.start()
      for (let local = 1; local <= 100; local++) await datanode.writeBlock(block(local), [content])
      await action(machine)
      bytes = 0
      const again = await machine.start()
      expect(await again.listBlocks(1)).toHaveLength(machine.datanode.containers()[0]!.blockCount)
    })
    return bytes
  }

  test('nothing of the containers after an orderly stop', async () => {
    const bytes = await readBy(async ({ datanode, node }) => {
      await datanode.close()
      node.kill()
    })
    expect(bytes).toBe(0)
  })

  test('only what lies behind the index checkpoint after a crash', async () => {
    const bytes = await readBy(async ({ datanode, node }) => {
      const write = async (from: number, to: number) => {
        for (let local = from; local <= to; local++) await datanode.writeBlock(block(local), [content])
      }
      // The note of how far a checkpoint reaches is durable with the next one.
      await datanode.dataDisks[0]!.checkpointIndex()
      await write(101, 105)
      await datanode.dataDisks[0]!.checkpointIndex()
      await write(106, 110)
      node.crash()
    })
    expect(bytes).toBeGreaterThan(5 * 5000)
    expect(bytes).toBeLessThan(25 * 5000)
  })

  test('everything without a checkpoint', async () => {
    const bytes = await readBy(({ node }) => Promise.resolve(node.crash()))
    expect(bytes).toBeGreaterThan(100 * 5000)
  })
})

test('a block that is under way holds the scan back to its first chunk', async () => {
  await withDatanode(async ({ datanode, crash }) => {
    const writer = await datanode.openWriter(block(1))
    await writer.write([content])
    await datanode.writeBlock(block(2), [content])
    await datanode.dataDisks[0]!.checkpointIndex()
    await writer.write([content])
    await writer.commit()
    const again = await crash()
    const read = await again.readSmall(block(1), { offset: 5000, length: 5000 })
    expect(sameBytes(read, content)).toBe(true)
    expect(again.containers()[0]).toMatchObject({ blockCount: 2 })
  })
})

test('a torn tail is cut off', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    await datanode.writeBlock(block(1), [content])
    const { usedBytes } = datanode.containers()[0]!
    const { path } = datanode.dataDisks[0]!.containers.get(1)!.current.file
    await datanode.close()
    const file = await machine.env.disk.open(path, 'read-write')
    await file.write([patternOf(9, 3000)], usedBytes)
    await file.close()
    machine.node.kill()
    const again = await machine.start()
    expect((await machine.node.disk.stat(path))!.sizeBytes).toBe(usedBytes)
    expect(again.containers()).toMatchObject([{ state: 'OPEN', usedBytes }])
    expect(again.findings()).toEqual([])
  })
})

describe('what the index names was durable once, and is not cut off like a torn tail', () => {
  /** Of three blocks the last one is behind every floor. */
  const afterKill = async (spoil: (file: DiskFile, size: number) => Promise<unknown>) => {
    await withDatanode(
      async ({ machine, datanode }) => {
        for (const local of [1, 2, 3]) await datanode.writeBlock(block(local), [content])
        await machine.simulation.clock.sleep(1_000)
        const file = await machine.env.disk.open('/disk1/containers/1.1.cnt', 'read-write')
        await spoil(file, 3 * recordBytes(content.length))
        await file.sync()
        machine.node.kill()
        const again = await machine.start()
        expect(again.containers()).toMatchObject([{ state: 'UNHEALTHY', open: true }])
        expect(again.findings()[0]).toMatchObject({ kind: 'damaged-chunk', container: 1 })
        expect((await again.listBlocks(1)).map((each) => each.block.local)).toEqual([1, 2, 3])
        await rejection(again.readSmall(block(3), { offset: 0, length: content.length }), 'Damaged')
        await again.close()
        expect((await machine.start()).containers()).toMatchObject([{ state: 'UNHEALTHY' }])
      },
      { config: { preallocateBytes: 16 * 1024 } },
    )
  }

  test.each<[string, (file: DiskFile, size: number) => Promise<unknown>]>([
    ['its last byte', (file, size) => file.write([Uint8Array.of(1)], size - 128)],
    ['its header', (file, size) => file.write([Uint8Array.of(1)], size - recordBytes(content.length) + 20)],
    [
      'all of it, to zeros',
      (file, size) => file.write([new Uint8Array(recordBytes(content.length))], size - recordBytes(content.length)),
    ],
    ['the end of the file', (file, size) => file.truncate(size - 1_000)],
  ])('%s', async (_, spoil) => await afterKill(spoil))
})

describe('a disk', () => {
  const owner = (machine: Machine, clusterId: string, datanodeId: string): Promise<LocalDatanode> =>
    machine.start({ clusterId, datanodeId })

  async function listing(machine: Machine): Promise<readonly string[]> {
    return await machine.node.disk.list('/disk1')
  }

  test.each([
    ['another cluster', 'cluster-2', 'dn-1', 'belongs to cluster cluster-1'],
    ['another datanode', 'cluster-1', 'dn-2', 'belongs to datanode dn-1'],
  ])('of %s is refused, unchanged', async (_, clusterId, datanodeId, reason) => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.close()
      machine.node.kill()
      machine.node.boot()
      const before = await listing(machine)
      const error = await rejection(owner(machine, clusterId, datanodeId), 'Incompatible')
      expect(error.message).toContain(reason)
      expect(await listing(machine)).toEqual(before)
      await machine.start() // and it is still the owner's
    })
  })

  test('that is not empty and not ours is refused, unchanged', async () => {
    const machine = new Machine({ seed: 1 })
    await machine.run(async () => {
      machine.node.boot()
      await machine.env.disk.makeDirectory('/disk1/photos')
      const error = await rejection(machine.start(), 'Incompatible')
      expect(error.message).toBe('/disk1 is not empty (photos) and is no disk of ours')
      expect(await listing(machine)).toEqual(['photos'])
    })
  })

  test('that lost its identity is refused, and not formatted', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.close()
      await machine.env.disk.remove('/disk1/VERSION')
      machine.node.kill()
      await rejection(machine.start(), 'Incompatible')
    })
  })

  test('in use is refused', async () => {
    await withDatanode(async ({ machine }) => {
      await rejection(machine.start(), 'Busy')
    })
  })

  test('that cannot be opened keeps none of the others open', async () => {
    const machine = new Machine({ seed: 1, disks: ['/disk1', '/disk2'] })
    await machine.run(async () => {
      machine.node.boot()
      await machine.env.disk.makeDirectory('/disk2/photos')
      await rejection(machine.start(), 'Incompatible')
      await machine.env.disk.remove('/disk2/photos')
      await machine.start()
    })
  })
})
