import { describe, expect, test } from 'vitest'
import { blockBytes } from '../../src/log/record.ts'
import { firstRecordOffset } from '../../src/log/segment-header.ts'
import { append, appendAll, failure, filled, onMachine, readAll, text, type Bench } from './sim.ts'

const first = 'log/0000000000000001.segment'

/** Three entries, each in a batch of its own and so in a block of its own. */
async function threeBatches(bench: Bench): Promise<void> {
  const log = await bench.open()
  for (const payload of ['one', 'two', 'three']) await append(log, text(payload))
  await log.close()
}

/** Enough for three segments of 32 KiB: entries of two blocks, three to a segment. */
async function threeSegments(bench: Bench): Promise<readonly string[]> {
  const log = await bench.open()
  for (let i = 0; i < 8; i++) await append(log, filled(8000, i))
  await log.close()
  const names = await bench.env.disk.list('log')
  return names.filter((name) => name.endsWith('.segment')).map((name) => `log/${name}`)
}

async function overwrite(bench: Bench, path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await bench.env.disk.open(path, 'read-write')
  await file.write([bytes], offset)
  await file.sync()
  await file.close()
}

/** As after a cut before the hard state could follow: everything that was durable stays, the commit floor is forgotten. */
const noFloor = { commitFloorMs: 0 }

describe('an orderly log', () => {
  test('starts empty', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      expect(log.opening).toEqual({ created: true, cutBytes: 0 })
      expect([log.firstIndex, log.lastIndex, log.durableIndex]).toEqual([1, 0, 0])
      expect(await readAll(log)).toEqual([])
      await log.close()
      const again = await bench.open()
      expect(again.opening).toEqual({ created: false, cutBytes: 0 })
      expect(again.lastIndex).toBe(0)
    }))

  test('comes back with everything, after a stop and after a kill', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      for (const how of ['kill', 'crash'] as const) {
        const log = await bench.restart(how)
        expect((await readAll(log)).map(({ index, payload }) => [index, Buffer.from(payload).toString()])).toEqual([
          [1, 'one'],
          [2, 'two'],
          [3, 'three'],
        ])
        expect(log.opening.cutBytes).toBe(0)
      }
    }))

  test('a second recovery finds nothing to do', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      await overwrite(bench, first, firstRecordOffset + 3 * blockBytes, text('half a record'))
      expect((await bench.restart()).opening.cutBytes).toBeGreaterThan(0)
      expect((await bench.restart('crash')).opening.cutBytes).toBe(0)
    }))
})

test('names that a killed process left in the cache are durable before anything is acknowledged', async () => {
  for (let seed = 0; seed < 20; seed++) {
    await onMachine(async (bench) => {
      const log = await bench.open()
      // All the space there is goes into the first two segments: nothing else will touch the directory.
      await bench.env.clock.sleep(200)
      const { totalBytes, availableBytes } = await bench.env.disk.space('.')
      bench.node.disk.capacityBytes = totalBytes - availableBytes
      bench.node.onSite = (site) => (site === 'log.roll.before-directory-sync' ? 'kill' : 'go-on')
      const first = bench.node.process
      for (let i = 0; i < 4; i++) await first.whileUp(append(log, filled(8000, i)))
      expect(bench.node.isUp).toBe(false)
      bench.node.onSite = () => 'go-on'
      bench.node.boot()
      await append(await bench.open(), text('on the new segment'))
      expect((await readAll(await bench.restart('crash'))).map(({ payload }) => payload[0])).toEqual([0, 1, 2, 111])
    }, seed)
  }
})

describe('a torn tail is cut', () => {
  test.each([
    ['rubbish behind the last entry', 3 * blockBytes, filled(100, 0xee), 3],
    ['rubbish some blocks behind it', 5 * blockBytes + 17, filled(5000, 0xee), 3],
    ['a last record that does not verify', 2 * blockBytes + 33, filled(1, 0xee), 2],
    ['a last record without its header', 2 * blockBytes, new Uint8Array(32), 2],
    ['a last record with a wild length', 2 * blockBytes, Uint8Array.of(0xff, 0xff, 0xff, 0xff), 2],
  ])('%s', (_, at, bytes, kept) =>
    onMachine(async (bench) => {
      const log = await bench.open(noFloor)
      for (const payload of ['one', 'two', 'three']) await append(log, text(payload))
      bench.node.kill()
      bench.node.boot()
      await overwrite(bench, first, firstRecordOffset + at, bytes)
      const again = await bench.open(noFloor)
      expect(again.lastIndex).toBe(kept)
      expect(again.opening.cutBytes).toBeGreaterThan(0)
      await append(again, text('next'))
      await again.close()
      const names = (await readAll(await bench.restart('crash'))).map(({ payload }) => Buffer.from(payload).toString())
      expect(names).toEqual([...['one', 'two', 'three'].slice(0, kept), 'next'])
    }),
  )
})

describe('damage refuses to start, and names the place', () => {
  test.each([
    ['the first entry', firstRecordOffset + 34, firstRecordOffset, 1],
    ['the checksum of the second entry', firstRecordOffset + blockBytes + 4, firstRecordOffset + blockBytes, 2],
    ['the length of the second entry', firstRecordOffset + blockBytes, firstRecordOffset + blockBytes, 2],
  ])('a flipped bit in %s', (_, flipAt, offset, index) =>
    onMachine(async (bench) => {
      const log = await bench.open(noFloor)
      for (const payload of ['one', 'two', 'three']) await append(log, text(payload))
      bench.node.kill()
      bench.node.disk.flip(first, flipAt, 3)
      bench.node.boot()
      const found = await failure(bench.open(noFloor))
      expect(found.code).toBe('Damaged')
      expect(found.details).toEqual({ path: first, offset })
      expect(found.message).toContain(`the record of index ${index} does not verify`)
    }),
  )

  test('a flipped bit in an old segment', () =>
    onMachine(async (bench) => {
      const paths = await threeSegments(bench)
      expect(paths).toHaveLength(3)
      bench.node.kill()
      bench.node.disk.flip(paths[1]!, firstRecordOffset + 9000)
      bench.node.boot()
      const { code, details } = await failure(bench.open())
      expect([code, details['path']]).toEqual(['Damaged', paths[1]])
      expect(details['offset']).toBe(firstRecordOffset + 2 * blockBytes)
    }))

  test('a broken last entry that had been committed', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ commitFloorMs: 50 })
      for (const payload of ['one', 'two', 'three']) await append(log, text(payload))
      log.noteCommitted(3)
      await bench.env.clock.sleep(60)
      bench.node.kill()
      bench.node.disk.flip(first, firstRecordOffset + 2 * blockBytes + 34)
      bench.node.boot()
      const { code, details, message } = await failure(bench.open())
      expect([code, details['path']]).toEqual(['Damaged', first])
      expect(message).toContain('had been committed')
      expect(details['offset']).toBe(firstRecordOffset + 2 * blockBytes)
    }))

  test('nothing on the disk changes by a start that is refused', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      bench.node.kill()
      bench.node.disk.flip(first, firstRecordOffset + 34)
      bench.node.boot()
      const content = async () => {
        const file = await bench.env.disk.open(first, 'read')
        const bytes = Buffer.alloc(40_000)
        await file.read(bytes, 0)
        await file.close()
        return bytes.toString('base64')
      }
      const before = await content()
      const names = await bench.env.disk.list('log')
      await failure(bench.open())
      expect(await content()).toBe(before)
      expect(await bench.env.disk.list('log')).toEqual(names)
    }))
})

describe('a missing or foreign file refuses to start', () => {
  test.each([
    ['the first segment', 0],
    ['a segment in the middle', 1],
    ['the last segment', 2],
  ])('%s is missing', (_, at) =>
    onMachine(async (bench) => {
      const paths = await threeSegments(bench)
      await bench.env.disk.remove(paths[at]!)
      const { code, message } = await failure(bench.open())
      expect(code).toBe('Damaged')
      expect(message).toMatch(/segment .*(is missing|is 2, not 3)/)
    }),
  )

  test('the hard state is missing', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      await bench.env.disk.remove('log/hard-state')
      const { code, message } = await failure(bench.open())
      expect(code).toBe('Damaged')
      expect(message).toContain('log/hard-state is missing')
    }))

  test('one bad copy of the hard state is repaired, two are damage', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await log.saveHardState({ term: 4, vote: 'me' })
      await log.close()
      await overwrite(bench, 'log/hard-state', 0, filled(200, 1))
      const again = await bench.open()
      expect(again.hardState).toMatchObject({ term: 4, vote: 'me' })
      await again.saveHardState({ term: 5 })
      await again.close()
      await overwrite(bench, 'log/hard-state', blockBytes, filled(200, 1))
      expect((await bench.open()).hardState.term).toBe(5)
      bench.node.kill()
      bench.node.boot()
      for (const at of [0, blockBytes]) await overwrite(bench, 'log/hard-state', at, filled(200, 1))
      const { code, details } = await failure(bench.open())
      expect([code, details]).toEqual(['Damaged', { path: 'log/hard-state', offset: 0 }])
    }))

  test('a log of another group', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ groupId: 'aa'.repeat(16) })
      await log.close()
      const { code, message } = await failure(bench.open({ groupId: 'bb'.repeat(16) }))
      expect(code).toBe('Incompatible')
      expect(message).toContain('aa'.repeat(16))
    }))

  test('a segment of another log', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      await bench.env.disk.makeDirectory('other')
      const file = await bench.env.disk.open(first, 'read')
      const bytes = new Uint8Array(32 * 1024)
      await file.read(bytes, 0)
      const { openLog } = await import('../../src/log/segmented-log.ts')
      const other = await openLog(bench.env, 'other', { segmentBytes: 32 * 1024 })
      await other.close()
      await overwrite(bench, 'other/0000000000000001.segment', 0, bytes)
      const { code, details } = await failure(openLog(bench.env, 'other'))
      expect([code, details['path']]).toEqual(['Incompatible', 'other/0000000000000001.segment'])
    }))

  test('a segment under another name', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      await bench.env.disk.rename(first, 'log/0000000000000002.segment')
      expect((await failure(bench.open())).code).toBe('Damaged')
    }))

  test('a misdirected block: a record at the place of another', () =>
    onMachine(async (bench) => {
      await threeBatches(bench)
      const file = await bench.env.disk.open(first, 'read')
      const block = new Uint8Array(blockBytes)
      await file.read(block, firstRecordOffset + 2 * blockBytes)
      await overwrite(bench, first, firstRecordOffset + blockBytes, block)
      expect((await failure(bench.open())).code).toBe('Damaged')
    }))
})

test('appendAll shares syncs', () =>
  onMachine(async (bench) => {
    const log = await bench.open()
    await appendAll(
      log,
      Array.from({ length: 50 }, (_, i) => filled(10, i)),
    )
    // One block for all of them: they were one batch.
    expect(log.bytes).toBe(firstRecordOffset + blockBytes)
  }))
