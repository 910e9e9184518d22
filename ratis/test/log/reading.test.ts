import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '../../src/log/segmented-log.ts'
import { append, failure, filled, onMachine, readAll, text } from './sim.ts'

const indexes = async (log: SegmentedLog, from?: number) => (await readAll(log, from)).map(({ index }) => index)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

/** Three entries to a segment. */
async function appendBlocks(log: SegmentedLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await append(log, filled(8000, i))
}

describe('reading', () => {
  test.each([1, 2, 3, 4, 7, 8])('from entry %i on, over segments', (from) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      expect(await indexes(log, from)).toEqual(range(from, 8))
      expect(await indexes(await bench.restart(), from)).toEqual(range(from, 8))
    }),
  )

  test('from the middle of many small entries', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ segmentBytes: 1024 * 1024 })
      for (let round = 0; round < 20; round++) {
        await Promise.all(Array.from({ length: 200 }, (_, i) => append(log, filled(50, i))))
      }
      for (const from of [1, 2, 777, 2000, 3999, 4000]) expect((await indexes(log, from))[0]).toBe(from)
      expect(await indexes(log, 3990)).toEqual(range(3990, 4000))
    }))

  test('goes on where it stopped, when more has been appended', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      const reader = log.read(1)
      expect(await reader.next(log.durableIndex, 1000)).toEqual([])
      const seen: number[] = []
      for (let i = 0; i < 10; i++) {
        await append(log, filled(i % 3 === 0 ? 8000 : 10, i))
        for (const { index } of await reader.next(log.durableIndex, 1000)) seen.push(index)
      }
      expect(seen).toEqual(range(1, 10))
      await reader.close()
    }))

  test('stops at the index that it is told', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 5)
      const reader = log.read(2)
      const entries = [...(await reader.next(4, 1_000_000)), ...(await reader.next(4, 1_000_000))]
      expect(entries.map(({ index }) => index)).toEqual([2, 3, 4])
      expect(await reader.next(4, 1_000_000)).toEqual([])
      await reader.close()
    }))

  test('an entry that rotted since the start is refused, with file and offset', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 3)
      bench.node.disk.flip('log/0000000000000001.segment', 4096 + 8192 + 100)
      const { code, details } = await failure(readAll(log))
      expect([code, details]).toEqual(['Damaged', { path: 'log/0000000000000001.segment', offset: 4096 + 8192 }])
    }))
})

describe('terms', () => {
  test('are known of all entries, those under way and the one before the first included', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      expect([log.termAt(0), log.termAt(1)]).toEqual([0, undefined])
      for (const term of [1, 1, 1, 2, 2, 5, 5, 7]) await append(log, filled(8000, term), term)
      log.append([{ index: 9, term: 9, payload: text('under way') }], () => {})
      const terms = (of: SegmentedLog) => range(of.firstIndex - 1, of.lastIndex + 1).map((index) => of.termAt(index))
      expect(terms(log)).toEqual([0, 1, 1, 1, 2, 2, 5, 5, 7, 9, undefined])
      await append(log, text('x'), 9)
      await log.truncateBefore(5)
      expect([log.firstIndex, log.termAt(2)]).toEqual([4, undefined])
      expect(terms(log)).toEqual([1, 2, 2, 5, 5, 7, 9, 9, undefined])
      const again = await bench.restart('crash')
      expect(terms(again)).toEqual(terms(log))
      expect(again.termRuns).toEqual(log.termRuns)
      expect(log.termRuns[0]).toEqual({ term: 1, firstIndex: 3 })
    }))

  test('of appends that were refused are forgotten', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await append(log, text('x'), 1)
      bench.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /segment$|spare/ })
      expect((await failure(append(log, text('y'), 2))).code).toBe('OutOfSpace')
      expect([log.lastIndex, log.termAt(1), log.termAt(2)]).toEqual([1, 1, undefined])
    }))
})

describe('cutting', () => {
  test.each([
    [1, 1],
    [3, 1],
    [4, 4],
    [6, 4],
    [7, 7],
    [99, 7],
  ])('before %i leaves the segments from %i on', (before, firstIndex) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      await log.truncateBefore(before)
      expect(log.firstIndex).toBe(firstIndex)
      expect(await indexes(log)).toEqual(range(firstIndex, 8))
      const again = await bench.restart('crash')
      expect(await indexes(again)).toEqual(range(firstIndex, 8))
    }),
  )

  test('keeps as much of the newest as it is told', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 11)
      const { bytes } = log
      await log.truncateBefore(12, bytes - 1)
      expect(log.firstIndex).toBe(1)
      await log.truncateBefore(12, 49_000)
      expect(log.firstIndex).toBe(7)
      expect(log.bytes).toBeGreaterThanOrEqual(49_000)
    }))

  test('what was cut is refused to readers, those under way included', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      const reader = log.read(1)
      await reader.next(1, 1)
      await log.truncateBefore(7)
      expect((await failure(log.read(1).next(8, 1000))).code).toBe('InvalidRange')
      const rest = async () => {
        for (;;) if ((await reader.next(8, 1000)).length === 0) return
      }
      // It may finish the file that it has open; the next one is gone.
      expect((await failure(rest())).code).toBe('InvalidRange')
      await reader.close()
    }))

  test('removals that a crash undid are done by the next start', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      bench.node.disk.inject({ operation: 'remove', errno: 'EIO', path: /segment$/ })
      expect((await failure(log.truncateBefore(7))).code).toBe('Damaged')
      await append(log, text('still alive'))
      const again = await bench.restart()
      expect(await indexes(again)).toEqual([7, 8, 9])
      const names = await bench.env.disk.list('log')
      // The last entry, of which nothing proves that it is durable, was carried over.
      expect(names.filter((name) => name.endsWith('.segment'))).toEqual([
        '0000000000000007.segment',
        '0000000000000009.segment',
      ])
    }))
})
