import { describe, expect, test } from 'vitest'
import { patternOf } from '../harness/bytes.ts'
import { collect } from '../harness/expect-error.ts'
import { plantedDisk } from '../harness/planted-disk.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const KiB = 1024
const MiB = 1024 * KiB
const block = (local: number, container = 1) => ({ container, local })

/** A disk that counts what happens to container files. */
function counting() {
  const counts = { writes: 0, syncs: 0, syncing: 0, mostSyncing: 0 }
  const isContainer = (path: string): boolean => path.endsWith('.cnt')
  const wrapDisk = (disk: Parameters<typeof plantedDisk>[0]) =>
    plantedDisk(disk, {
      write: (file, real) => {
        if (isContainer(file.path)) counts.writes++
        return real()
      },
      sync: async (file, real) => {
        if (!isContainer(file.path)) return await real()
        counts.syncs++
        counts.mostSyncing = Math.max(counts.mostSyncing, ++counts.syncing)
        await real()
        counts.syncing--
      },
    })
  return { counts, wrapDisk }
}

describe('group commit', () => {
  test('64 writers at a time share writes and syncs, one sync at a time', async () => {
    const { counts, wrapDisk } = counting()
    const config = { maxBatchRecords: 512, maxBatchBytes: 8 * MiB, eagerWriteBytes: 256 * KiB }
    await withDatanode(
      async ({ datanode }) => {
        await datanode.createContainer(1)
        const { syncs } = counts
        let local = 0
        const writer = async () => {
          for (let i = 0; i < 10; i++) await datanode.writeBlock(block(++local), [patternOf(local, 4096)])
        }
        await Promise.all(Array.from({ length: 64 }, writer))
        expect(counts.syncs - syncs).toBeLessThanOrEqual(12)
        expect(counts.writes).toBeLessThanOrEqual(12)
        expect(counts.mostSyncing).toBe(1)
      },
      { wrapDisk, config },
    )
  })

  test('each container has its own', async () => {
    const { counts, wrapDisk } = counting()
    await withDatanode(
      async ({ datanode }) => {
        for (const container of [1, 2]) await datanode.createContainer(container)
        await Promise.all([1, 2].map((container) => datanode.writeBlock(block(1, container), [patternOf(1, 4096)])))
        expect(counts.mostSyncing).toBe(2)
      },
      { wrapDisk },
    )
  })

  test('a commit waits for one sync, not for one per chunk', async () => {
    const { counts, wrapDisk } = counting()
    await withDatanode(
      async ({ datanode }) => {
        await datanode.createContainer(1)
        const { syncs } = counts
        const writer = await datanode.openWriter(block(1))
        for (let i = 0; i < 20; i++) await writer.write([patternOf(i, 100 * KiB)])
        await writer.commit()
        expect(counts.syncs - syncs).toBe(1)
      },
      { wrapDisk, config: { writeBackBytes: 16 * MiB, maxUnsyncedBytes: 64 * MiB } },
    )
  })
})

describe('memory stays bounded', () => {
  test('while a block of 64 MiB is written: chunks wait when too much is unsynced', async () => {
    let written = 0
    let synced = 0
    let mostUnsynced = 0
    const chunk = patternOf(1, MiB)
    const config = { writeBackBytes: 4 * MiB, maxUnsyncedBytes: 8 * MiB }
    await withDatanode(
      async ({ datanode, machine }) => {
        const writer = await datanode.openWriter(block(1))
        for (let i = 0; i < 64; i++) {
          await writer.write([chunk])
          written += chunk.length
          mostUnsynced = Math.max(mostUnsynced, written - synced)
        }
        await writer.commit()
        expect(mostUnsynced).toBeLessThanOrEqual(config.maxUnsyncedBytes + 2 * MiB)
        expect(machine.datanode.containers()[0]).toMatchObject({ blockCount: 1 })
      },
      {
        config,
        // The bytes need not pass through the simulated disk: only the order of writes and syncs matters here.
        wrapDisk: (disk) =>
          plantedDisk(disk, {
            write: (file, real) => (file.path.endsWith('.cnt') ? machineTime(real) : real()),
            sync: async (file, real) => {
              const before = written
              await real()
              if (file.path.endsWith('.cnt')) synced = before
            },
          }),
      },
    )
  })

  test('while many read large blocks: three buffers per reader, and they are used again', async () => {
    await withDatanode(
      async ({ datanode }) => {
        const bytes = patternOf(1, 8 * MiB)
        const writer = await datanode.openWriter(block(1))
        await writer.write([bytes])
        await writer.commit()
        const { buffers } = datanode.dataDisks[0]!.containers.get(1)!
        let most = 0
        const reader = async () => {
          for await (const piece of datanode.read(block(1), { offset: 0, length: bytes.length })) {
            expect(piece.length).toBeLessThanOrEqual(MiB)
            most = Math.max(most, buffers.lentBuffers)
          }
        }
        for (let round = 0; round < 3; round++) await Promise.all([reader(), reader(), reader(), reader()])
        expect(most).toBeLessThanOrEqual(4 * 3)
        expect(buffers.lentBuffers).toBe(0)
        await collect(datanode.read(block(1), { offset: 0, length: 10 }))
        expect(buffers.lentBuffers).toBe(0)
      },
      { config: { maxUnsyncedBytes: 16 * MiB } },
    )
  })
})

/** Takes its time on the disk, and leaves the bytes out. */
async function machineTime(real: () => Promise<void>): Promise<void> {
  void real
  await Promise.resolve()
}
