import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultHddsConfig } from '../../src/config.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { openDatanode } from '../../src/service/open-datanode.ts'
import { checkDisk } from '../../src/storage/check-disk.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { collect } from '../harness/expect-error.ts'

let root: string
const env = nodeEnv()
const MiB = 1024 * 1024
const block = (local: number) => ({ container: 1, local })

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'o3-hdds-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

function start(metrics = createMetrics()): Promise<LocalDatanode> {
  return openDatanode({
    env,
    disks: [join(root, 'a'), join(root, 'b')],
    clusterId: 'cluster-1',
    datanodeId: 'dn-1',
    config: { ...defaultHddsConfig, compactGarbageShare: 0.01, compactGarbageBytes: 1 },
    log: nullLogger,
    metrics,
    openKv: (path) => openLevelKv(path, { cacheBytes: MiB }),
  })
}

test('on the machine’s disk and LevelDB: written, read, deleted, compacted, started again, checked', async () => {
  const metrics = createMetrics()
  let datanode = await start(metrics)
  const small = Array.from({ length: 100 }, (_, i) => patternOf(i + 1, 4096))
  await Promise.all(small.map((bytes, i) => datanode.writeBlock(block(i + 1), [bytes])))
  const large = patternOf(500, 5 * MiB)
  const writer = await datanode.openWriter(block(500))
  for (let at = 0; at < large.length; at += 700_000) await writer.write([large.subarray(at, at + 700_000)])
  await writer.commit()
  await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 90 }])

  for (let round = 0; round < 3; round++) {
    for (let local = 91; local <= 100; local++) {
      const read = await datanode.readSmall(block(local), { offset: 0, length: 4096 })
      expect(sameBytes(read, small[local - 1]!)).toBe(true)
    }
    expect(sameBytes(await collect(datanode.read(block(500), { offset: 0, length: large.length })), large)).toBe(true)
    expect(await datanode.scrubContainer(1)).toEqual([])
    if (round === 0) {
      await datanode.closeContainer(1)
      expect(await datanode.compact()).toBeGreaterThan(300_000)
    } else {
      await datanode.close()
      for (const path of ['a', 'b']) {
        const found = await checkDisk({ env, openKv: (kv) => openLevelKv(kv) }, join(root, path))
        expect(found).toMatchObject({ problems: [], indexChecked: true })
      }
      datanode = await start()
    }
  }
  await datanode.close()
  const exposition = metrics.render()
  expect(exposition).toContain('o3_hdds_written_blocks_total 101')
  expect(exposition).toContain('o3_hdds_deleted_blocks_total 90')
  expect(
    exposition
      .match(/^o3_hdds_disk_containers\{disk=".*"\} \d+$/gm)
      ?.map((line) => line.at(-1))
      .toSorted(),
  ).toEqual(['0', '1'])
})

describe('an index that is damaged is made anew from the container files', () => {
  test.each([
    ['does not open', /^CURRENT$/],
    ['has rotten tables', /\.ldb$/],
    ['has a rotten log', /\.log$/],
  ])('when it %s', async (_, files) => {
    let datanode = await start()
    const small = Array.from({ length: 300 }, (_, i) => patternOf(i + 1, 1000))
    await Promise.all(small.map((bytes, i) => datanode.writeBlock(block(i + 1), [bytes])))
    await datanode.deleteBlocks([{ container: 1, firstLocal: 1, count: 100 }])
    const [disk] = datanode.dataDisks.filter(({ containers }) => containers.size > 0)
    const before = datanode.containers()
    await datanode.close()
    const index = join(disk!.path, 'index')
    const rotten = readdirSync(index).filter((name) => files.test(name))
    expect(rotten).not.toEqual([])
    for (const name of rotten) rot(join(index, name))

    datanode = await start()
    expect(datanode.containers()).toEqual(before)
    expect(await datanode.listBlocks(1)).toHaveLength(200)
    for (const local of [101, 200, 300]) {
      const read = await datanode.readSmall(block(local), { offset: 0, length: 1000 })
      expect(sameBytes(read, small[local - 1]!)).toBe(true)
    }
    await datanode.close()
    expect(readdirSync(disk!.path)).not.toContain('index.rebuild')
    const found = await checkDisk({ env, openKv: (kv) => openLevelKv(kv) }, disk!.path)
    expect(found).toMatchObject({ problems: [], indexChecked: true })
  })
})

/** Turns every 50th byte round. */
function rot(path: string): void {
  const bytes = readFileSync(path)
  for (let at = 3; at < bytes.length; at += 50) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}
