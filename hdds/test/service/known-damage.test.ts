/** What is known of damaged replicas outlives the process. */

import { nullLogger } from '@o3/common/logger'
import { describe, expect, test } from 'vitest'
import { Pace } from '../../src/storage/pace.ts'
import { DamageBook, maxKnownDamages } from '../../src/storage/damage-book.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { patternOf } from '../harness/bytes.ts'
import { copy, replicas } from '../harness/copying.ts'
import { rejection } from '../harness/expect-error.ts'
import { Machine } from '../harness/machine.ts'
import type { MemoryReplica } from '../harness/memory-replica.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const block = (local: number, container = 1) => ({ container, local })
const list = '/disk1/DAMAGED'

/** Two closed containers, and a flipped bit in the first block of container 1. */
async function rot({ datanode, node }: Machine): Promise<void> {
  for (const container of [1, 2]) {
    for (const local of [1, 2]) await datanode.writeBlock(block(local, container), [patternOf(container, 5000)])
    await datanode.closeContainer(container)
  }
  node.disk.flip('/disk1/containers/1.1.cnt', 500)
}

const states = (datanode: LocalDatanode) =>
  Object.fromEntries(datanode.containers().map(({ id, state }) => [id, state]))
const onlyFirst = { 1: 'UNHEALTHY', 2: 'CLOSED' }

describe('a replica that was found damaged is unhealthy from the start on', () => {
  const byScrub = async (datanode: LocalDatanode): Promise<void> => {
    expect(await datanode.scrubContainer(1)).toHaveLength(1)
  }
  const byReader = async (datanode: LocalDatanode): Promise<void> => {
    await rejection(datanode.readSmall(block(1), { offset: 0, length: 5000 }), 'Damaged')
    await datanode.dataDisks[0]?.checkSpace()
  }
  test.each([
    ['by the scrubber', byScrub, false],
    ['by a reader', byReader, false],
    ['by the scrubber, also with an index that is made anew', byScrub, true],
  ])('%s', async (_, find, forgetsIndex) => {
    await withDatanode(
      async ({ machine, datanode, crash }) => {
        await rot(machine)
        await find(datanode)
        const found = datanode.findings()
        expect(found).toMatchObject([{ kind: 'damaged-chunk', container: 1, local: 1 }])
        for (let life = 0; life < 2; life++) {
          const again = await crash()
          expect(states(again)).toEqual(onlyFirst)
          expect(again.findings()).toEqual(found)
        }
      },
      { forgetsIndex },
    )
  })
})

describe('it ends', () => {
  test('with the replica; one that is made in its place is whole', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine)
      await datanode.scrubContainer(1)
      const before = await machine.env.disk.open(list, 'read')
      const stale = new Uint8Array(await before.size())
      await before.read(stale, 0)
      await before.close()
      await datanode.deleteContainer(1)
      expect(states(await crash())).toEqual({ 2: 'CLOSED' })
      // As a crash leaves it between the end of the file and that of its entry.
      const file = await machine.env.disk.open(list, 'read-write')
      await file.write([stale], 0)
      await file.sync()
      await file.close()
      const again = await crash()
      expect(again.findings().filter(({ kind }) => kind !== 'quarantined')).toEqual([])
      const [source] = replicas(machine, 1, { 1: 5000 }) as [MemoryReplica]
      await copy(machine, [source])
      expect(states(await crash())).toEqual({ 1: 'CLOSED', 2: 'CLOSED' })
    })
  })

  test('when all of it was read and is sound, because what was rotten is deleted', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine)
      await datanode.scrubContainer(1)
      await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }])
      expect(states(await crash())).toEqual(onlyFirst)
      expect(await machine.datanode.scrubContainer(1)).toEqual([])
      expect(states(machine.datanode)).toEqual({ 1: 'CLOSED', 2: 'CLOSED' })
      expect(states(await crash())).toEqual({ 1: 'CLOSED', 2: 'CLOSED' })
    })
  })

  test('not by a scrub beside which somebody finds it', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine)
      const container = datanode.dataDisks[0]?.containers.get(2)
      if (container === undefined) throw new Error('container 2 is on the disk')
      // Asked while the scrub reads.
      const pace = new Pace(machine.env.clock, () => {
        container.scope.report({ kind: 'unreadable', container: 2, path: '', fileOffset: 7, message: 'for a moment' })
        return Infinity
      })
      expect(await datanode.dataDisks[0]?.scrub(container, { pace })).toEqual([])
      expect(states(datanode)).toMatchObject({ 2: 'UNHEALTHY' })
      expect(states(await crash())).toMatchObject({ 2: 'UNHEALTHY' })
    })
  })
})

describe('the list', () => {
  test('that is damaged itself is begun anew', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine)
      await datanode.scrubContainer(1)
      machine.node.disk.flip(list, 9)
      expect(states(await crash())).toEqual({ 1: 'CLOSED', 2: 'CLOSED' })
      await machine.datanode.scrubContainer(1)
      expect(states(await crash())).toEqual(onlyFirst)
    })
  })

  test('that finds no room is written when there is some', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await rot(machine)
      machine.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /DAMAGED/ })
      await datanode.scrubContainer(1)
      expect(datanode.disks()).toMatchObject([{ state: 'healthy' }])
      await datanode.dataDisks[0]?.checkSpace()
      expect(states(await crash())).toEqual(onlyFirst)
    })
  })

  test('that cannot be written is a failure of the disk', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      await rot(machine)
      machine.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /DAMAGED/ })
      await datanode.scrubContainer(1)
      expect(datanode.disks()).toMatchObject([
        { state: 'failed', problem: 'it answers with I/O errors (sync of DAMAGED.new: EIO)' },
      ])
    })
  })

  test('has a bound', async () => {
    const machine = new Machine({ seed: 'known-damage' })
    await machine.run(async () => {
      await machine.start()
      const { env } = machine
      const options = { env, path: '/disk1', log: nullLogger }
      const book = await DamageBook.open(options)
      const damage = { generation: 1, kind: 'unreadable', local: undefined, fileOffset: 0, message: '' } as const
      for (let container = 1; container <= maxKnownDamages + 1; container++) book.note({ ...damage, container })
      await book.settled()
      const { all } = await DamageBook.open(options)
      expect(all).toHaveLength(maxKnownDamages)
      book.forget(1)
      book.note({ ...damage, container: maxKnownDamages + 1 })
      await book.settled()
      expect((await DamageBook.open(options)).all.at(-1)?.container).toBe(maxKnownDamages + 1)
    })
  })
})
