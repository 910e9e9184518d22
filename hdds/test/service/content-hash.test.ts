import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Container } from '../../src/storage/container.ts'
import { checkDisk } from '../../src/storage/check-disk.ts'
import { countContent, settleContentHash } from '../../src/storage/content-count.ts'
import { formatHash } from '../../src/core/content-hash.ts'
import { Pace } from '../../src/storage/pace.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { describe, expect, test } from 'vitest'
import { auditDatanode } from '../harness/audit.ts'
import { patternOf, piecesOf, sameBytes } from '../harness/bytes.ts'
import { Machine } from '../harness/machine.ts'
import { withDatanode } from '../harness/with-datanode.ts'

const block = (local: number, container = 1) => ({ container, local })

function containerOf(datanode: LocalDatanode, id = 1): Container {
  return datanode.dataDisks[0]!.containers.get(id)!
}

function hashOf(datanode: LocalDatanode, id = 1): string | undefined {
  return datanode.containers().find((report) => report.id === id)?.contentHash
}

describe('replicas with the same blocks', () => {
  test('have the same hash, in whatever order and pieces they got them', async () => {
    const hashes: (string | undefined)[] = []
    const bytes = patternOf(9, 200_001)
    for (const [order, pieceBytes] of [
      [[1, 2, 3], 70_000],
      [[3, 1, 2], 9_999],
    ] as const) {
      await withDatanode(async ({ datanode, crash }) => {
        for (const local of order) await datanode.writeBlock(block(local), [patternOf(local, local * 1000)])
        const writer = await datanode.openWriter(block(7))
        for (const piece of piecesOf(bytes, pieceBytes)) await writer.write([piece])
        await writer.commit()
        hashes.push(hashOf(datanode), hashOf(await crash()))
      })
    }
    expect(new Set(hashes).size).toBe(1)
    expect(hashes[0]).toMatch(/^[0-9a-f]{16}$/)
  })

  test('have it after a deletion as if the block had never been, and keep it over a compaction', async () => {
    await withDatanode(async ({ datanode, crash, machine }) => {
      const empty = await datanode.createContainer(1).then(() => hashOf(datanode))
      await datanode.writeBlock(block(1), [patternOf(1, 1000)])
      const one = hashOf(datanode)
      await datanode.writeBlock(block(2), [patternOf(2, 50_000)])
      await datanode.deleteBlocks([{ container: 1, firstLocal: 2, count: 1 }])
      expect(hashOf(datanode)).toBe(one)
      await datanode.closeContainer(1)
      expect(await datanode.compact()).toBeGreaterThan(0)
      expect(hashOf(datanode)).toBe(one)
      const again = await crash()
      expect(hashOf(again)).toBe(one)
      await again.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }])
      expect(hashOf(again)).toBe(empty)
      await auditDatanode(again)
      await again.close()
      const { containers, problems } = await checkDisk({ env: machine.env }, '/disk1')
      expect(problems).toEqual([])
      expect(containers).toMatchObject([{ contentHash: empty }])
    })
  })
})

describe('a hash that is not what the blocks add up to', () => {
  /** As if a deletion had not subtracted its block. */
  async function spoil(datanode: LocalDatanode): Promise<void> {
    await datanode.writeBlock(block(1), [patternOf(1, 1000)])
    const before = containerOf(datanode).ledger.contentHash!
    await datanode.writeBlock(block(2), [patternOf(2, 1000)])
    await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 1 }])
    await datanode.closeContainer(1)
    containerOf(datanode).setContentHash(before)
  }

  test('is found by the scrubber, and the container is unhealthy', async () => {
    await withDatanode(async ({ datanode }) => {
      await spoil(datanode)
      const findings = await datanode.scrubContainer(1)
      expect(findings).toMatchObject([{ kind: 'index-mismatch', container: 1 }])
      expect(findings[0]?.message).toContain('content hash')
      expect(datanode.containers()[0]?.state).toBe('UNHEALTHY')
      expect(datanode.findings()).toEqual(findings)
    })
  })

  test('is found by the offline check', async () => {
    await withDatanode(async ({ datanode, machine }) => {
      await spoil(datanode)
      await datanode.close()
      const openKv = (path: string) => machine.node.openKv(path)
      const { problems } = await checkDisk({ env: machine.env, openKv }, '/disk1')
      expect(problems).toMatchObject([{ kind: 'index-mismatch', container: 1 }])
    })
  })
})

describe('a disk of a release without hashes', () => {
  interface Fixture {
    readonly files: Readonly<Record<string, string>>
    readonly rows: readonly (readonly [string, string])[]
  }

  async function install(machine: Machine): Promise<void> {
    const path = join(import.meta.dirname, 'testdata/disk-without-hashes.json')
    const { files, rows } = JSON.parse(readFileSync(path, 'utf8')) as Fixture
    machine.node.boot()
    const { disk } = machine.env
    for (const directory of ['/disk1', '/disk1/containers', '/disk1/index']) await disk.makeDirectory(directory)
    for (const [name, content] of Object.entries(files)) {
      const file = await disk.open(`/disk1/${name}`, 'create')
      await file.write([Buffer.from(content, 'base64')], 0)
      await file.sync()
      await file.close()
    }
    for (const directory of ['/', '/disk1', '/disk1/containers']) await disk.syncDirectory(directory)
    const kv = await machine.node.openKv('/disk1/index')
    await kv.write(
      rows.map(([key, value]) => ({
        kind: 'put',
        key: Buffer.from(key, 'hex').toString('latin1'),
        value: Uint8Array.from(Buffer.from(value, 'hex')),
      })),
    )
    await kv.checkpoint()
    await kv.close()
  }

  test.each(['with its index', 'without'])('opens %s, and gets them when its blocks are read', async (how) => {
    const streamed = [50, 51, 52].map((seed) => patternOf(seed, 700))
    let old: string | undefined
    const machine = new Machine({ seed: 1, forgetsIndex: how === 'without' })
    await machine.run(async () => {
      await install(machine)
      const datanode = await machine.start()
      expect(datanode.containers()).toMatchObject([
        { id: 1, state: 'CLOSED', blockCount: 3 },
        { id: 2, state: 'OPEN', blockCount: 2 },
      ])
      expect(hashOf(datanode)).toBeUndefined()
      await datanode.deleteBlocks([{ container: 1, firstLocal: 4, count: 1 }])
      await datanode.writeBlock(block(9, 2), [patternOf(99, 100)])
      await datanode.closeContainer(2)
      const pace = new Pace(machine.env.clock, () => Infinity)
      for (const id of [1, 2]) {
        expect(await settleContentHash(containerOf(datanode, id), { pace })).toBe(true)
      }
      const counted = await countContent(datanode.dataDisks[0]!.scope.index, containerOf(datanode).current.keyPrefix)
      expect(hashOf(datanode)).toBe(formatHash(counted!))
      await auditDatanode(datanode)
      const read = await datanode.readSmall(block(5), { offset: 0, length: 2100 })
      expect(sameBytes(read, Buffer.concat(streamed))).toBe(true)
      old = hashOf(datanode)
    })
    // The same blocks, written by this release, have the same hash.
    await withDatanode(async ({ datanode }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 300)])
      const writer = await datanode.openWriter(block(5))
      for (const piece of streamed) await writer.write([piece])
      await writer.commit()
      expect(hashOf(datanode)).toBe(old)
    })
  })
})

describe('a container that is closed alone', () => {
  test('says so, also after a crash, takes no block, and is closed when that is agreed', async () => {
    await withDatanode(async ({ datanode, crash, restart }) => {
      await datanode.writeBlock(block(1), [patternOf(1, 1000)])
      const writer = await datanode.openWriter(block(2))
      await writer.write([patternOf(2, 1000)])
      await containerOf(datanode).close({ how: 'alone' })
      await expect(writer.commit()).rejects.toMatchObject({ code: 'Aborted' })
      await expect(datanode.writeBlock(block(3), [patternOf(3, 10)])).rejects.toMatchObject({ code: 'Unavailable' })
      const states = [datanode, await restart(), await crash()].map((each) => each.containers()[0]?.state)
      expect(states).toEqual(['QUASI_CLOSED', 'QUASI_CLOSED', 'QUASI_CLOSED'])
      const again = await crash()
      await again.closeContainer(1) // it is closed already
      expect(again.containers()).toMatchObject([{ state: 'QUASI_CLOSED', blockCount: 1 }])
      await containerOf(again).agree()
      await containerOf(again).agree()
      expect(again.containers()).toMatchObject([{ state: 'CLOSED', blockCount: 1 }])
      expect((await crash()).containers()).toMatchObject([{ state: 'CLOSED', blockCount: 1 }])
    })
  })
})
