import { isStoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { Container } from '../../src/storage/container.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { auditDatanode } from '../harness/audit.ts'
import { sameBytes } from '../harness/bytes.ts'
import { contentOf, copy, reconcile, replicas, salvage } from '../harness/copying.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import type { MemoryReplica } from '../harness/memory-replica.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })
const lengths: Record<number, number> = { 1: 5000, 2: 0, 3: 70_000, 4: MiB, 7: MiB + 1, 9: 2 * MiB + 77 }
for (let local = 20; local < 80; local++) lengths[local] = (local * 97) % 6000

function here(datanode: LocalDatanode): Container {
  return datanode.dataDisks[0]!.containers.get(1)!
}

/** Some of the blocks of the sources, closed in this way. */
async function write(
  datanode: LocalDatanode,
  locals: readonly number[],
  how: 'alone' | 'origin' | 'agreed',
): Promise<void> {
  for (const local of locals) {
    const bytes = contentOf(local, lengths[local] ?? 100)
    const writer = await datanode.openWriter(block(local))
    await writer.write([bytes])
    await writer.commit()
  }
  await here(datanode).close({ how })
}

async function expectSame(datanode: LocalDatanode, { blocks, hash }: MemoryReplica, state = 'CLOSED'): Promise<void> {
  expect(datanode.containers()).toMatchObject([{ id: 1, state, blockCount: blocks.size, contentHash: hash }])
  for (const [local, bytes] of blocks) {
    const read = await collect(datanode.read(block(local), { offset: 0, length: bytes.length }))
    expect(sameBytes(read, bytes)).toBe(true)
  }
  await auditDatanode(datanode)
}

describe('what takes from others is closed when that makes it whole', () => {
  type Seal = 'alone' | 'origin' | 'agreed'
  const all = async (seal: Seal, sources: readonly (Seal | 'damaged' | 'gone')[], how: typeof reconcile) => {
    let state: string | undefined
    await withDatanode(async ({ machine, datanode }) => {
      const there = replicas(machine, sources.length, lengths)
      for (const [i, each] of there.entries()) {
        const as = sources[i] ?? 'agreed'
        each.seal = as === 'damaged' || as === 'gone' ? 'agreed' : as
        each.isDamaged = as === 'damaged'
        if (as === 'gone') each.faults = { unreachable: () => true }
      }
      await write(datanode, [1, 7, 25], seal)
      try {
        await how(machine, there)
      } catch (error) {
        if (!isStoreError(error, 'Unavailable')) throw error
      }
      state = datanode.containers()[0]?.state
    })
    return state
  }

  test.each<[Seal, readonly (Seal | 'damaged' | 'gone')[], string]>([
    ['origin', ['origin'], 'CLOSED'],
    ['origin', ['alone', 'origin'], 'CLOSED'],
    ['origin', ['agreed'], 'CLOSED'],
    ['alone', ['agreed'], 'CLOSED'],
    // A copy of it, or what a member has that lost its disk: there may be more.
    ['origin', ['alone'], 'QUASI_CLOSED'],
    ['origin', ['alone', 'gone'], 'QUASI_CLOSED'],
    ['origin', ['damaged'], 'QUASI_CLOSED'],
    ['alone', ['alone', 'alone'], 'QUASI_CLOSED'],
    // Two origins have all, but they may not have taken from one another yet.
    ['alone', ['origin', 'origin'], 'QUASI_CLOSED'],
  ])('%s from %j: %s', async (seal, sources, state) => expect(await all(seal, sources, reconcile)).toBe(state))

  test.each<[Seal, readonly (Seal | 'gone')[], string]>([
    ['origin', ['alone'], 'CLOSED'],
    ['alone', ['alone', 'origin'], 'CLOSED'],
    ['alone', [], 'CLOSED'],
    // All that is left is to be in it.
    ['origin', ['alone', 'gone'], 'QUASI_CLOSED'],
  ])('where nobody else is left: %s from %j: %s', async (seal, sources, state) => {
    expect(await all(seal, sources, salvage)).toBe(state)
  })
})

describe('a replica that was closed alone', () => {
  test.each(['agreed', 'origin'] as const)('takes what it lacks from one closed %s, and is closed', async (seal) => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      source.seal = seal
      await write(datanode, [1, 7, 25], 'origin')
      await reconcile(machine, [source])
      await expectSame(datanode, source)
      await reconcile(machine, [source])
      const again = await crash()
      await expectSame(again, source)
      await again.deleteBlocks([{ container: 1, firstLocal: 1, count: 9 }])
      await again.compact()
      for (const local of [1, 2, 3, 4, 7, 9]) source.blocks.delete(local)
      await expectSame(await crash(), source)
    })
  })

  test('keeps what nobody else has, unless one that was closed by agreement says that it is nothing', async () => {
    for (const seal of ['origin', 'agreed'] as const) {
      await withDatanode(async ({ machine, datanode }) => {
        const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
        source.seal = seal
        await write(datanode, [1, 99], 'origin')
        await reconcile(machine, [source])
        if (seal === 'origin') source.blocks.set(99, contentOf(99, 100))
        await expectSame(datanode, source)
      })
    }
  })

  test('does not take back what was deleted here', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1, 7, 25], 'origin')
      await datanode.deleteBlocks([{ container: 1, firstLocal: 7, count: 1 }])
      await reconcile(machine, [source])
      source.blocks.delete(7)
      await expectSame(datanode, source)
    })
  })

  test('does not take what is deleted meanwhile', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      let deletion: Promise<void> | undefined
      source.onBlock = (local) => {
        if (local !== 30) return
        source.blocks.delete(9)
        source.blocks.delete(60)
        deletion = datanode.deleteBlocks([9, 60].map((first) => ({ container: 1, firstLocal: first, count: 1 })))
      }
      await reconcile(machine, [source])
      await deletion
      await expectSame(datanode, source)
    })
  })

  test('does not take what is deleted meanwhile here and not there', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      source.onBlock = (local) => {
        if (local === 30) void datanode.deleteBlocks([{ container: 1, firstLocal: 60, count: 1 }])
      }
      await rejection(reconcile(machine, [source]), 'ConcurrentChange')
      expect(datanode.containers()[0]?.state).toBe('QUASI_CLOSED')
      await rejection(datanode.readSmall(block(60), { offset: 0, length: 1 }), 'BlockNotFound')
    })
  })

  test('is done again after a power cut amid it', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      const { node } = machine
      source.onBlock = (local) => {
        if (local === 40 && node.isUp) node.crash()
      }
      expect(await node.whileUp(reconcile(machine, [source]))).toBe('down')
      source.onBlock = undefined
      const again = await machine.start()
      expect(again.containers()[0]?.state).toBe('QUASI_CLOSED')
      await reconcile(machine, [source])
      await expectSame(again, source)
    })
  })

  test('stays what it is while its sources fail, and serves what it has', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      source.faults = { damaged: (local) => local === 30 }
      await rejection(reconcile(machine, [source]), 'Unavailable')
      expect(datanode.containers()[0]?.state).toBe('QUASI_CLOSED')
      source.faults = {}
      await reconcile(machine, [source])
      await expectSame(datanode, source)
    })
  })

  test('is not compacted: its tombstones are needed', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1, 3, 4], 'origin')
      await datanode.deleteBlocks([{ container: 1, firstLocal: 3, count: 2 }])
      expect(await datanode.compact()).toBe(0)
      await reconcile(machine, [source])
      expect(datanode.containers()[0]?.blockCount).toBe(source.blocks.size - 2)
    })
  })
})

describe('a replica that was closed by agreement', () => {
  test('and never rewritten takes what it lacks', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1, 7], 'agreed')
      await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }])
      await reconcile(machine, [source])
      source.blocks.delete(1)
      await expectSame(datanode, source)
    })
  })

  test('and rewritten since takes nothing: what it lacks may have been deleted', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await write(datanode, [1, 4, 7], 'agreed')
      await datanode.deleteBlocks([{ container: 1, firstLocal: 4, count: 1 }])
      expect(await datanode.compact()).toBeGreaterThan(0)
      await rejection(reconcile(machine, [source]), 'Incompatible')
      expect(datanode.containers()).toMatchObject([{ state: 'CLOSED', blockCount: 2 }])
      for (const local of source.blocks.keys()) if (local !== 1 && local !== 7) source.blocks.delete(local)
      await reconcile(machine, [source])
      await expectSame(datanode, source)
    })
  })

  test('and is a copy takes nothing either', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await copy(machine, [source])
      source.blocks.set(500, contentOf(500, 10))
      await rejection(reconcile(machine, [source]), 'Incompatible')
      source.blocks.delete(500)
      await expectSame(datanode, source)
    })
  })
})

describe('the same block with other bytes', () => {
  test('that both verify is a finding, and nothing is changed', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, { 1: 5000, 25: 100 }) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      source.blocks.set(1, contentOf(4711, 5000))
      await rejection(reconcile(machine, [source]), 'Damaged')
      expect(datanode.findings()).toMatchObject([{ kind: 'index-mismatch', container: 1, local: 1 }])
      expect(datanode.containers()).toMatchObject([{ state: 'QUASI_CLOSED', blockCount: 1 }])
      expect(sameBytes(await datanode.readSmall(block(1), { offset: 0, length: 5000 }), contentOf(1, 5000))).toBe(true)
    })
  })

  test('that are rotten at the source: this one stands', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, { 1: 5000, 25: 100 }) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      source.blocks.set(1, contentOf(4711, 5000))
      source.faults = { corrupts: (local) => local === 1 }
      await reconcile(machine, [source])
      expect(datanode.containers()).toMatchObject([{ state: 'CLOSED', blockCount: 2 }])
      expect(datanode.findings()).toEqual([])
    })
  })

  test('that are rotten here: the replica is unhealthy, and is to be made anew', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, { 1: 5000, 25: 100 }) as [MemoryReplica]
      await write(datanode, [1], 'origin')
      const file = await machine.env.disk.open('/disk1/containers/1.1.cnt', 'read-write')
      await file.write([Uint8Array.of(1, 2, 3)], 1000)
      await file.close()
      source.blocks.set(1, contentOf(4711, 5000))
      await rejection(reconcile(machine, [source]), 'Damaged')
      expect(datanode.containers()[0]?.state).toBe('UNHEALTHY')
      await rejection(reconcile(machine, [source]), 'Damaged')
    })
  })
})

test('a replica takes blocks, or its file is rewritten, when both are asked for', async () => {
  for (let offsetMs = 0; offsetMs < 60; offsetMs += 2) {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const locals = Object.keys(lengths).map(Number)
      const here = locals.filter((local) => local !== 4 && local !== 79)
      await write(datanode, here, 'agreed')
      await datanode.deleteBlocks([{ container: 1, firstLocal: 7, count: 40 }])
      for (let local = 7; local < 47; local++) source.blocks.delete(local)
      const compacting = datanode.compact()
      await machine.env.clock.sleep(offsetMs)
      const [compacted, given] = await Promise.allSettled([compacting, reconcile(machine, [source])])
      expect(compacted.status).toBe('fulfilled')
      const again = await crash()
      if (given.status === 'fulfilled') return await expectSame(again, source)
      // While the file is switched, it is not the time; and afterwards it has forgotten its tombstones.
      expect(isStoreError(given.reason)).toBe(true)
      expect(again.containers()).toMatchObject([{ state: 'CLOSED', generation: 2 }])
      await auditDatanode(again)
    })
  }
})

test('what is open, or not here, is not reconciled', async () => {
  await withDatanode(async ({ machine, datanode }) => {
    const sources = replicas(machine, 1, lengths)
    await rejection(reconcile(machine, sources), 'ContainerNotFound')
    await datanode.createContainer(1)
    await rejection(reconcile(machine, sources), 'InvalidArgument')
  })
})
