import { describe, expect, test } from 'vitest'
import { auditDatanode } from '../harness/audit.ts'
import { sameBytes } from '../harness/bytes.ts'
import { contentOf, copy, replicas } from '../harness/copying.ts'
import { collect, rejection } from '../harness/expect-error.ts'
import type { MemoryReplica } from '../harness/memory-replica.ts'
import { withDatanode } from '../harness/with-datanode.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'

const MiB = 1024 * 1024
const block = (local: number, container = 1) => ({ container, local })

/** Small ones, empty ones, and some that come in several pieces. */
const lengths: Record<number, number> = { 1: 5000, 2: 0, 3: 70_000, 4: MiB, 7: MiB + 1, 9: 3 * MiB + 77 }
for (let local = 20; local < 400; local++) lengths[local] = (local * 97) % 6000
const totalBytes = Object.values(lengths).reduce((sum, length) => sum + length, 0)

async function expectWhole(datanode: LocalDatanode, { blocks, hash }: MemoryReplica, state = 'CLOSED'): Promise<void> {
  expect(datanode.containers()).toMatchObject([{ id: 1, state, blockCount: blocks.size, contentHash: hash }])
  for (const [local, bytes] of blocks) {
    const read = await collect(datanode.read(block(local), { offset: 0, length: bytes.length }))
    expect(sameBytes(read, bytes)).toBe(true)
  }
  await auditDatanode(datanode)
}

describe('a copy', () => {
  test('is the replica that it was made of, before and after a crash, and asked for again it is there', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const steps: number[] = []
      await copy(machine, [source], { progress: (done, total) => steps.push(done / total) })
      expect(steps[0]).toBe(0)
      expect(steps).toEqual(steps.toSorted((a, b) => a - b))
      await expectWhole(datanode, source)
      expect(source.sentBytes).toBe(totalBytes)
      const again = await crash()
      await expectWhole(again, source)
      await copy(machine, [source])
      expect(source.sentBytes).toBe(totalBytes)
      expect(again.containers()[0]?.generation).toBe(2)
    })
  })

  test('is nowhere to be seen before it is whole, and nobody else writes to it', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const seen: unknown[] = []
      let late: Promise<unknown> | undefined
      source.onBlock = (local) => {
        seen.push(...datanode.containers())
        if (local === 30) late = rejection(datanode.writeBlock(block(9_999), [contentOf(1, 10)]), 'ContainerNotFound')
      }
      await copy(machine, [source])
      expect(await late).toBeDefined()
      expect(seen).toEqual([])
      await expectWhole(datanode, source)
      await rejection(datanode.writeBlock(block(9_999), [contentOf(1, 10)]), 'Unavailable')
    })
  })

  test('of several sources is shared among them', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const sources = replicas(machine, 3, lengths)
      await copy(machine, sources)
      await expectWhole(datanode, sources[0]!)
      const sent = sources.map(({ sentBytes }) => sentBytes)
      expect(Math.min(...sent)).toBeGreaterThan(totalBytes / 20)
      expect(sent.reduce((a, b) => a + b)).toBe(totalBytes)
    })
  })

  test('goes no faster than it may', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const begunMs = machine.env.clock.monotonicMs()
      await copy(machine, [source], { bytesPerSecond: MiB })
      const seconds = (machine.env.clock.monotonicMs() - begunMs) / 1000
      expect(seconds).toBeGreaterThan(totalBytes / MiB - 0.1)
      expect(seconds).toBeLessThan(totalBytes / MiB + 3)
      await expectWhole(datanode, source)
    })
  })

  test('is QUASI_CLOSED where all its sources are, and has what any of them has', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [one, two] = replicas(machine, 2, lengths) as [MemoryReplica, MemoryReplica]
      one.seal = two.seal = 'alone'
      one.blocks.delete(20)
      two.blocks.delete(9)
      await copy(machine, [one, two])
      one.blocks.set(20, two.blocks.get(20)!)
      await expectWhole(datanode, one, 'QUASI_CLOSED')
      await expectWhole(await crash(), one, 'QUASI_CLOSED')
    })
  })

  test('leaves out what an authority does not have any more', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [one, two, lost] = replicas(machine, 3, lengths) as [MemoryReplica, MemoryReplica, MemoryReplica]
      one.blocks.delete(20) // deleted there, and not yet at the others
      lost.seal = 'alone'
      await copy(machine, [one, two, lost])
      await expectWhole(datanode, one)
    })
  })

  test('needs room for all of it before it begins', async () => {
    await withDatanode(
      async ({ machine, datanode }) => {
        const [source] = replicas(machine, 1, { 1: 4 * MiB, 2: 3 * MiB }) as [MemoryReplica]
        await rejection(copy(machine, [source]), 'OutOfSpace')
        expect(source.sentBytes).toBe(0)
        source.blocks.delete(2)
        await copy(machine, [source])
        await expectWhole(datanode, source)
      },
      { capacityBytes: 6 * MiB },
    )
  })
})

describe('a source', () => {
  const good = (sources: readonly MemoryReplica[]): MemoryReplica => sources.at(-1)!

  test.each([
    ['breaks', { breaksAfterBytes: 200_000 }],
    ['breaks amid a large block', { breaksAfterBytes: 2 * MiB }],
    ['falls silent', { silentAt: 100 }],
    ['falls silent at once', { silentAt: 1 }],
    ['sends other bytes', { corrupts: (local: number) => local % 7 === 0 }],
    ['sends other bytes in large blocks', { corrupts: (local: number) => local < 10 }],
    ['does not have what it lists', { absent: (local: number) => local % 5 === 0 }],
    ['finds its blocks damaged', { damaged: (local: number) => local % 5 === 0 }],
    ['does not answer', { unreachable: () => true }],
    ['hides blocks that its hash counts', { hides: (local: number) => local % 3 === 0 }],
  ])('that %s loses its share to the others', async (_, faults) => {
    await withDatanode(async ({ machine, datanode }) => {
      const sources = replicas(machine, 2, lengths)
      sources[0]!.faults = faults
      await copy(machine, sources)
      await expectWhole(datanode, good(sources))
      expect(datanode.findings()).toEqual([])
    })
  })

  test('that is slow loses what it has not begun', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const sources = replicas(machine, 2, lengths)
      sources[0]!.faults = { pauseMs: 1_000 }
      const begunMs = machine.env.clock.monotonicMs()
      await copy(machine, sources)
      expect(machine.env.clock.monotonicMs() - begunMs).toBeLessThan(15_000)
      await expectWhole(datanode, good(sources))
      expect(sources[0]!.sent.length).toBeLessThan(20)
    })
  })

  test('that breaks once is asked again where there is no other', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      let breaks = 1
      source.onBlock = () => {
        source.faults = breaks-- > 0 ? { breaksAfterBytes: 1000 } : {}
      }
      await copy(machine, [source])
      await expectWhole(datanode, source)
    })
  })

  test('alone cannot make up for what it does not have: the copy fails, and says of what', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, { 1: 100, 2: 200, 3: 300 }) as [MemoryReplica]
      source.faults = { damaged: (local) => local === 2 }
      const error = await rejection(copy(machine, [source]), 'Unavailable')
      expect(error.message).toContain('(2)')
      expect(datanode.containers()).toEqual([])
      source.faults = {}
      await copy(machine, [source])
      await expectWhole(datanode, source)
    })
  })

  test('that has other bytes than another under one id is no matter to guess about', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [one, two] = replicas(machine, 2, { 1: 100, 2: 200, 3: 300 }) as [MemoryReplica, MemoryReplica]
      two.blocks.set(2, contentOf(77, 200))
      await rejection(copy(machine, [one, two]), 'Damaged')
      expect(datanode.containers()).toEqual([])
      expect(datanode.findings()).toMatchObject([{ kind: 'index-mismatch', container: 1, local: 2 }])
      two.faults = { corrupts: (local) => local === 2 } // one of them is rotten: the other stands
      await copy(machine, [one, two])
      const bytes = await datanode.readSmall(block(2), { offset: 0, length: 200 })
      expect(sameBytes(bytes, contentOf(2, 200))).toBe(true)
    })
  })

  test('that is open is no source', async () => {
    await withDatanode(async ({ machine }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      source.seal = 'none'
      await rejection(copy(machine, [source]), 'Unavailable')
    })
  })
})

describe('a deletion during the copy', () => {
  test('at a source is followed, whether the block had come or not', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [one, two] = replicas(machine, 2, lengths) as [MemoryReplica, MemoryReplica]
      const last = (local: number): void => {
        if (local !== 399) return
        for (const gone of [1, 9, 30, 399]) {
          one.blocks.delete(gone)
          two.blocks.delete(gone)
        }
      }
      one.onBlock = two.onBlock = last
      await copy(machine, [one, two])
      await expectWhole(datanode, one)
      await expectWhole(await crash(), one)
    })
  })

  test('that is sent here is not undone by what still comes', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      source.onBlock = (local) => {
        if (local !== 30) return
        for (const gone of [1, 9, 300]) {
          source.blocks.delete(gone)
          void datanode.deleteBlocks([{ container: 1, firstLocal: gone, count: 1 }])
        }
      }
      await copy(machine, [source])
      await expectWhole(datanode, source)
    })
  })

  test('that is sent here only makes it fail: the block does not come back behind the answer', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      source.onBlock = (local) => {
        if (local === 30) void datanode.deleteBlocks([{ container: 1, firstLocal: 300, count: 1 }])
      }
      await rejection(copy(machine, [source]), 'ConcurrentChange')
      expect(datanode.containers()).toEqual([])
      source.onBlock = undefined
      source.blocks.delete(300) // it has come there as well
      await copy(machine, [source])
      await expectWhole(datanode, source)
    })
  })

  test('without an end makes it fail, and start over where it was', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const summarize = source.summarizeReplica.bind(source)
      let next = 399
      source.summarizeReplica = async () => {
        source.blocks.delete(next--)
        return await summarize()
      }
      await rejection(copy(machine, [source]), 'ConcurrentChange')
      expect(datanode.containers()).toEqual([])
      source.summarizeReplica = summarize
      const before = source.sentBytes
      await copy(machine, [source])
      expect(source.sentBytes).toBe(before)
      await expectWhole(datanode, source)
    })
  })
})

describe('a container that was deleted here', () => {
  test('comes back by a copy, and only so', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      await datanode.writeBlock(block(1), [contentOf(1, 100)])
      await datanode.closeContainer(1)
      await datanode.deleteContainer(1)
      await rejection(datanode.writeBlock(block(5), [contentOf(5, 10)]), 'ContainerNotFound')
      const [source] = replicas(machine, 1, { 1: 100, 2: 300 }) as [MemoryReplica]
      await copy(machine, [source])
      expect(machine.datanode.dataDisks[0]!.wasDeleted(1)).toBe(false)
      await expectWhole(datanode, source)
      const again = await crash()
      expect(again.dataDisks[0]!.wasDeleted(1)).toBe(false)
      await again.deleteContainer(1)
      const third = await crash()
      expect(third.containers()).toEqual([])
      await rejection(third.writeBlock(block(5), [contentOf(5, 10)]), 'ContainerNotFound')
    })
  })

  test('while it is copied is gone, and stays it', async () => {
    await withDatanode(async ({ machine, datanode, crash }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      let deletion: Promise<void> | undefined
      source.onBlock = (local) => {
        if (local === 50) deletion = datanode.deleteContainer(1)
      }
      await rejection(copy(machine, [source]), 'ContainerNotFound')
      await deletion
      expect(await machine.env.disk.list('/disk1/containers')).toEqual([])
      const again = await crash()
      expect(again.containers()).toEqual([])
      await rejection(again.writeBlock(block(5), [contentOf(5, 10)]), 'ContainerNotFound')
    })
  })

  test('or whose file is missing, is made anew', async () => {
    await withDatanode(async ({ machine, datanode }) => {
      await datanode.writeBlock(block(1), [contentOf(1, 100)])
      await datanode.closeContainer(1)
      await datanode.close()
      await machine.env.disk.remove('/disk1/containers/1.1.cnt')
      machine.node.kill()
      const again = await machine.start()
      expect(again.containers()).toMatchObject([{ id: 1, state: 'UNHEALTHY' }])
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      await copy(machine, [source])
      expect(again.containers()).toMatchObject([{ id: 1, state: 'CLOSED', contentHash: source.hash }])
      machine.node.crash()
      const third = await machine.start()
      await expectWhole(third, source)
    })
  })
})

describe('a power cut amid the copy', () => {
  test.each([0.2, 0.5, 0.9])('at %f of it costs what was not durable, and no more', async (share) => {
    await withDatanode(async ({ machine }) => {
      const [source] = replicas(machine, 1, lengths) as [MemoryReplica]
      const { node } = machine
      source.onBlock = () => {
        if (source.sentBytes > share * totalBytes && node.isUp && source.sent.length > 0) node.crash()
      }
      const outcome = await node.whileUp(copy(machine, [source]))
      expect(outcome).toBe('down')
      source.onBlock = undefined
      const again = await machine.start()
      expect(again.containers()).toEqual([])
      await copy(machine, [source])
      await expectWhole(again, source)
      // Besides the block it was at, some are under way.
      expect(source.sentBytes - totalBytes).toBeLessThan(4.5 * MiB)
    })
  })
})
