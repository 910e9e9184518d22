import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { beforeAndAfter, withDatanode } from '../harness/with-datanode.ts'

const KiB = 1024
const block = (local: number, container = 1) => ({ container, local })
const content = patternOf(1, 10_000)

describe('a full disk', () => {
  const options = { capacityBytes: 4096 * KiB, config: { reserveBytes: 128 * KiB, preallocateBytes: 0 } }
  const large = patternOf(2, 100_000)

  test('refuses writes, serves reads and deletions, and recovers by itself', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      const disk = datanode.dataDisks[0]!
      let written = 0
      const fill = async () => {
        for (;;) await datanode.writeBlock(block(written + 1), [large]).then(() => written++)
      }
      await rejection(fill(), 'OutOfSpace')
      expect(written).toBeGreaterThan(30)
      await rejection(datanode.writeBlock(block(1, 2), [large]), 'OutOfSpace')
      const writer = await datanode.openWriter(block(500))
      await rejection(writer.write([large]), 'OutOfSpace')
      await writer.abort()
      await disk.checkSpace()
      expect(datanode.disks()[0]).toMatchObject({ state: 'full' })
      await rejection(datanode.writeBlock(block(501), [large]), 'OutOfSpace')

      const read = await datanode.readSmall(block(1), { offset: 0, length: large.length })
      expect(sameBytes(read, large)).toBe(true)
      await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: written - 1 }])
      await datanode.closeContainer(1)
      expect(await datanode.compact()).toBeGreaterThan(2500 * KiB)

      await disk.checkSpace()
      expect(datanode.disks()[0]).toMatchObject({ state: 'healthy' })
      await datanode.writeBlock(block(1, 2), [content])
      expect((await machine.node.disk.space('/disk1')).availableBytes).toBeGreaterThan(2500 * KiB)
    }, options)
  })

  test('below the reserve is called full, before the file system is', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.writeBlock(block(1), [content])
      machine.node.disk.capacityBytes = 140 * KiB
      await datanode.dataDisks[0]!.checkSpace()
      expect(datanode.disks()[0]).toMatchObject({ state: 'full', availableBytes: 0 })
      await rejection(datanode.writeBlock(block(2), [content]), 'OutOfSpace')
      machine.node.disk.capacityBytes = 4096 * KiB
      await datanode.dataDisks[0]!.checkSpace()
      await datanode.writeBlock(block(2), [content])
    }, options)
  })

  test('that says so only when it is written to leaves nothing behind', async () => {
    await withDatanode(
      async ({ datanode, machine, crash }) => {
        await datanode.writeBlock(block(1), [content])
        const { path } = datanode.dataDisks[0]!.containers.get(1)!.current.file
        const { usedBytes } = datanode.containers()[0]!
        machine.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /cnt$/, landedBytes: 9_000 })
        const refused = [2, 3].map((local) => rejection(datanode.writeBlock(block(local), [content]), 'OutOfSpace'))
        await Promise.all(refused)
        expect((await machine.node.disk.stat(path))!.sizeBytes).toBe(usedBytes)
        await rejection(datanode.writeBlock(block(4), [content]), 'OutOfSpace')
        await datanode.dataDisks[0]!.checkSpace()
        await datanode.writeBlock(block(2), [content]) // an id that was refused is not spent
        for await (const store of beforeAndAfter(datanode, crash)) {
          expect((await store.listBlocks(1)).map((info) => info.block.local)).toEqual([1, 2])
        }
      },
      { config: { preallocateBytes: 0 } },
    )
  })

  test('ends the writers that it strikes, so that their container can be closed', async () => {
    await withDatanode(
      async ({ datanode, machine }) => {
        const [first, second] = await Promise.all([datanode.openWriter(block(1)), datanode.openWriter(block(2))])
        await Promise.all([first.write([content]), second.write([content])])
        machine.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /cnt$/ })
        await rejection(first.write([content]), 'OutOfSpace')
        await rejection(first.write([content]), 'Aborted')
        await rejection(first.commit(), 'Aborted')
        await first.abort()
        await datanode.dataDisks[0]!.checkSpace()
        await second.write([content])
        await second.commit()
        await datanode.closeContainer(1)
        expect(await datanode.listBlocks(1)).toMatchObject([{ block: block(2), lengthBytes: 20_000 }])
      },
      { config: { preallocateBytes: 0 } },
    )
  })

  test('also under the index is waited out', async () => {
    let full = false
    await withDatanode(
      async ({ datanode, machine }) => {
        full = true
        for (let local = 1; local <= 20; local++) await datanode.writeBlock(block(local), [content])
        const read = await datanode.readSmall(block(7), { offset: 0, length: content.length })
        expect(sameBytes(read, content)).toBe(true)
        await rejection(datanode.listBlocks(1), 'OutOfSpace')
        full = false
        await machine.simulation.clock.sleep(1_000)
        expect(await datanode.listBlocks(1)).toHaveLength(20)
      },
      {
        // As LevelDB does: after a write that failed it only reads, until it is opened again.
        wrapKv: (kv) => {
          let broken = false
          return {
            get: (key) => kv.get(key),
            getMany: (keys) => kv.getMany(keys),
            cursor: (range) => kv.cursor(range),
            snapshot: () => kv.snapshot(),
            checkpoint: () => kv.checkpoint(),
            close: () => kv.close(),
            write: (batch) => {
              broken ||= full
              return broken ? Promise.reject(outOfSpace()) : kv.write(batch)
            },
          }
        },
      },
    )
  })
})

describe('after a failed sync', () => {
  test('the disk takes no more writes until a restart, and what was acknowledged is there', async () => {
    await withDatanode(async ({ datanode, machine, crash }) => {
      await datanode.writeBlock(block(1), [content])
      await datanode.createContainer(2)
      machine.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /1.1.cnt$/ })
      const writer = await datanode.openWriter(block(9, 2))
      await writer.write([content])
      const pending = [2, 3].map((local) => rejection(datanode.writeBlock(block(local), [content]), 'VolumeFailed'))
      await Promise.all(pending)
      expect(datanode.disks()[0]).toMatchObject({ state: 'failed' })
      // Never tried again, though the disk would now say yes; in the other container neither.
      await rejection(datanode.writeBlock(block(4), [content]), 'VolumeFailed')
      await rejection(writer.commit(), 'VolumeFailed')
      await writer.abort()
      await rejection(datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }]), 'VolumeFailed')
      await rejection(datanode.closeContainer(1), 'VolumeFailed')
      const read = await datanode.readSmall(block(1), { offset: 0, length: content.length })
      expect(sameBytes(read, content)).toBe(true)
      const again = await crash()
      expect((await again.listBlocks(1)).map((info) => info.block.local)).toContain(1)
      await again.writeBlock(block(5), [content])
    })
  })

  test('the other disks go on', async () => {
    await withDatanode(
      async ({ datanode, machine }) => {
        for (const container of [1, 2]) await datanode.writeBlock(block(1, container), [content])
        expect(datanode.dataDisks.map((disk) => [...disk.containers.keys()])).toEqual([[1], [2]])
        machine.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /^\/disk1\/.*cnt$/ })
        await rejection(datanode.writeBlock(block(2, 1), [content]), 'VolumeFailed')
        await datanode.writeBlock(block(2, 2), [content])
        await datanode.writeBlock(block(1, 3), [content])
        expect(datanode.dataDisks[1]!.containers.has(3)).toBe(true)
        expect(datanode.disks().map((disk) => disk.state)).toEqual(['failed', 'healthy'])
        await datanode.close()
      },
      { disks: ['/disk1', '/disk2'] },
    )
  })

  test('its replicas are reported as unhealthy, and are let go when SCM deletes them: none comes back by a first write', async () => {
    await withDatanode(
      async ({ datanode, machine, crash }) => {
        for (const container of [1, 2]) {
          await datanode.writeBlock(block(1, container), [content])
          await datanode.closeContainer(container)
        }
        machine.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /^\/disk1\/.*cnt$/ })
        await rejection(datanode.writeBlock(block(1, 3), [content]), 'VolumeFailed')
        const states = (of: typeof datanode) => of.containers().map(({ id, state }) => [id, state])
        expect(states(datanode)).toEqual([
          [1, 'UNHEALTHY'],
          [2, 'CLOSED'],
        ])
        // A source of last resort.
        expect(await datanode.readSmall(block(1), { offset: 0, length: content.length })).toHaveLength(content.length)
        await datanode.deleteContainer(1)
        expect(states(datanode)).toEqual([[2, 'CLOSED']])
        await rejection(datanode.readSmall(block(1), { offset: 0, length: 1 }), 'ContainerNotFound')
        await rejection(datanode.writeBlock(block(2), [content]), 'ContainerNotFound')
        const again = await crash()
        // The disk was only tired. What it has is a replica that nobody names; it takes no blocks.
        await rejection(again.writeBlock(block(2), [content]), 'Unavailable')
        await again.deleteContainer(1)
        await rejection(again.writeBlock(block(2), [content]), 'ContainerNotFound')
      },
      { disks: ['/disk1', '/disk2'] },
    )
  })

  test.each(['write', 'truncate'] as const)('or a failed %s', async (operation) => {
    await withDatanode(async ({ datanode, machine }) => {
      await datanode.writeBlock(block(1), [content])
      machine.node.disk.inject({ operation, errno: 'EIO', path: /cnt$/ })
      const work = operation === 'write' ? datanode.writeBlock(block(2), [content]) : datanode.closeContainer(1)
      await rejection(work, 'VolumeFailed')
      expect(datanode.disks()[0]).toMatchObject({ state: 'failed' })
      await datanode.close()
    })
  })
})

test('a disk whose space cannot be asked for has gone', async () => {
  await withDatanode(async ({ datanode, machine }) => {
    machine.node.disk.inject({ operation: 'space', errno: 'EIO' })
    await rejection(datanode.dataDisks[0]!.checkSpace(), 'VolumeFailed')
    expect(datanode.disks()[0]).toMatchObject({ state: 'failed' })
  })
})

function outOfSpace(): StoreError {
  return new StoreError('OutOfSpace', 'no room for the index')
}

test("a container whose file has gone is the datanode's fault, not its caller's", async () => {
  await withDatanode(async ({ datanode, machine, crash }) => {
    for (const container of [1, 2]) {
      await datanode.writeBlock(block(1, container), [content])
      await datanode.closeContainer(container)
    }
    // Only one file stays open that nobody uses.
    await datanode.readSmall(block(1, 2), { offset: 0, length: 10 })
    await machine.env.disk.remove('/disk1/containers/1.1.cnt')
    const error = await rejection(datanode.readSmall(block(1), { offset: 0, length: 10 }), 'VolumeFailed')
    expect(error.details).toMatchObject({ container: 1 })
    await datanode.readSmall(block(1, 2), { offset: 0, length: 10 })
    // SCM hears of it and has it deleted; that there is nothing to delete does not end the disk.
    expect(datanode.containers().map(({ id, state }) => [id, state])).toEqual([
      [1, 'UNHEALTHY'],
      [2, 'CLOSED'],
    ])
    await datanode.deleteContainer(1)
    expect(datanode.disks()[0]).toMatchObject({ state: 'healthy' })
    expect(datanode.containers().map(({ id }) => id)).toEqual([2])
    const again = await crash()
    expect(again.containers().map(({ id }) => id)).toEqual([2])
  })
})
