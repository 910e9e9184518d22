import { describe, expect, test } from 'vitest'
import { patternOf } from '../harness/bytes.ts'
import { copy, replicas } from '../harness/copying.ts'
import { rejection } from '../harness/expect-error.ts'
import type { Machine } from '../harness/machine.ts'
import type { MemoryReplica } from '../harness/memory-replica.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const block = (local: number, container = 1) => ({ container, local })
const dayMs = 24 * 3_600_000

/** A closed container of which a block is rotten, and its deletion. */
async function rot({ datanode, env }: Machine, container: number): Promise<void> {
  await datanode.writeBlock(block(1, container), [patternOf(container, 5000)])
  await datanode.closeContainer(container)
  const file = await env.disk.open(`/disk1/containers/${container}.1.cnt`, 'read-write')
  await file.write([Uint8Array.of(1)], 500)
  await file.close()
  expect(await datanode.scrubContainer(container)).toMatchObject([{ kind: 'damaged-chunk', container }])
  expect(datanode.containers().find(({ id }) => id === container)?.state).toBe('UNHEALTHY')
  await datanode.deleteContainer(container)
}

function quarantined({ env }: Machine): Promise<readonly string[]> {
  return env.disk.list('/disk1/quarantine')
}

describe('a damaged container that is deleted', () => {
  test('is gone, and its file is kept and named', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine, 1)
      expect(datanode.containers()).toEqual([])
      const [name] = await quarantined(machine)
      expect(name).toMatch(/^1\.1\.\d+\.cnt$/)
      const again = await crash()
      expect(again.containers()).toEqual([])
      expect(again.findings()).toMatchObject([{ kind: 'quarantined', container: 1, path: `/disk1/quarantine/${name}` }])
      await rejection(again.writeBlock(block(2), [patternOf(1, 10)]), 'ContainerNotFound')
      // A sound copy that comes back is no less sound for it, also after a start.
      const [source] = replicas(machine, 1, { 1: 5000 }) as [MemoryReplica]
      await copy(machine, [source])
      expect((await crash()).containers()).toMatchObject([{ id: 1, state: 'CLOSED' }])
    })
  })

  test('that is sound is not kept', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 5000)])
      await datanode.closeContainer(1)
      await datanode.deleteContainer(1)
      expect(await machine.env.disk.stat('/disk1/quarantine')).toBeUndefined()
    })
  })
})

describe('the quarantine', () => {
  test('keeps so many, the newest', async () => {
    await withDatanode(
      async ({ machine }) => {
        for (let container = 1; container <= 5; container++) await rot(machine, container)
        expect((await quarantined(machine)).map((name) => name.split('.')[0])).toEqual(['4', '5'])
      },
      { config: { quarantineFiles: 2 } },
    )
  })

  test('keeps them for so long', async () => {
    await withDatanode(
      async ({ machine, datanode }) => {
        await rot(machine, 1)
        await machine.simulation.clock.sleep(0.9 * dayMs)
        await rot(machine, 2)
        await machine.simulation.clock.sleep(0.2 * dayMs)
        await datanode.dataDisks[0]!.checkSpace()
        expect((await quarantined(machine)).map((name) => name.split('.')[0])).toEqual(['2'])
        await machine.env.disk.remove(`/disk1/quarantine/${(await quarantined(machine))[0]}`)
        await machine.simulation.clock.sleep(dayMs)
        await datanode.dataDisks[0]!.checkSpace() // somebody was faster
        expect(datanode.disks()[0]?.state).toBe('healthy')
      },
      { config: { quarantineMs: dayMs } },
    )
  })

  test('makes room where there is none', async () => {
    await withDatanode(
      async ({ machine, datanode }) => {
        await rot(machine, 1)
        const disk = datanode.dataDisks[0]!
        const writer = await datanode.openWriter(block(1, 2))
        for (;;) {
          try {
            await writer.write([patternOf(1, 100_000)])
          } catch {
            break // full
          }
        }
        await disk.checkSpace()
        expect(disk.state).toBe('full')
        expect(await quarantined(machine)).toEqual([])
      },
      { capacityBytes: 1_500_000 },
    )
  })
})

describe('a disk whose directory goes while the datanode runs', () => {
  test.each(['the look at its space', 'a scrub', 'a new container'])('is noticed by %s, and reported', async (who) => {
    await withDatanode(
      async ({ machine, datanode }) => {
        await datanode.writeBlock(block(1, 1), [patternOf(1, 5000)])
        const [disk] = datanode.dataDisks
        await machine.env.disk.remove('/disk1/VERSION')
        for (const name of await machine.env.disk.list('/disk1/containers')) {
          await machine.env.disk.remove(`/disk1/containers/${name}`)
        }
        if (who === 'a new container') await machine.env.disk.remove('/disk1/containers')
        const noticed =
          who === 'a scrub'
            ? datanode.scrubContainer(1)
            : who === 'a new container'
              ? disk!.createContainer(9)
              : disk!.checkSpace()
        await rejection(noticed, 'VolumeFailed')
        expect(datanode.disks()[0]?.state).toBe('failed')
        await rejection(datanode.writeBlock(block(2, 1), [patternOf(1, 10)]), 'VolumeFailed')
        // The other one goes on.
        await datanode.writeBlock(block(1, 50), [patternOf(1, 10)])
      },
      { disks: ['/disk1', '/disk2'] },
    )
  })
})
