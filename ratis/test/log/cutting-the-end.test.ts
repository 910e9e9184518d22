import { describe, expect, test } from 'vitest'
import { StoreError } from '@o3/common/errors'
import type { LogEntry, SegmentedLog } from '../../src/log/segmented-log.ts'
import { append, failure, filled, onMachine, readAll, refusal, text, truncateFrom, type Bench } from './sim.ts'

const contents = async (log: SegmentedLog, from?: number) =>
  (await readAll(log, from)).map(({ index, term, payload }) => `${index}/${term}/${payload[0]}`)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

/** What `work` resolves with, or the code that it rejects with. */
async function orCode<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
}

/** Three entries to a segment, each of two blocks: entry n of term 1 is filled with n. */
async function appendBlocks(log: SegmentedLog, count: number, term = 1): Promise<void> {
  for (let i = 0; i < count; i++) await append(log, filled(8000, log.lastIndex + 1), term)
}

async function segments(bench: Bench): Promise<readonly number[]> {
  const names = (await bench.env.disk.list('log')).filter((name) => name.endsWith('.segment'))
  return names.map((name) => Number.parseInt(name, 16))
}

describe('a cut at the end', () => {
  test.each([
    ['in the youngest segment', 8, [1, 4, 7, 8]],
    ['at the start of the youngest', 7, [1, 4, 7]],
    ['in the middle one', 5, [1, 4, 5]],
    ['at the start of the middle one', 4, [1, 4]],
    ['in the first', 2, [1, 2]],
    ['of everything', 1, [1]],
    ['behind the end', 9, [1, 4, 7]],
  ])('%s', (_, index, left) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      const expected = range(1, index - 1).map((at) => `${at}/1/${at}`)
      await truncateFrom(log, index)
      expect([log.lastIndex, log.durableIndex, log.termAt(index)]).toEqual([index - 1, index - 1, undefined])
      expect(await segments(bench)).toEqual(left)
      expect(await contents(log)).toEqual(expected)
      const again = await bench.restart('crash')
      expect(await contents(again)).toEqual(expected)
      await append(again, filled(10, 99), 2)
      const third = await bench.restart('crash')
      expect(await contents(third)).toEqual([...expected, `${index}/2/99`])
      expect(third.termRuns.at(-1)).toEqual({ term: 2, firstIndex: index })
    }),
  )

  test('is in one order with the appends around it', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 2)
      const order: string[] = []
      const noted = (what: string) => (error: unknown) => order.push(error === undefined ? what : `${what} failed`)
      log.append(
        [3, 4, 5].map((index) => ({ index, term: 1, payload: text('x') })),
        noted('3 to 5'),
      )
      log.truncateFrom(4, noted('cut at 4'))
      expect([log.lastIndex, log.termAt(4)]).toEqual([3, undefined])
      log.append([{ index: 4, term: 2, payload: text('y') }], noted('4 again'))
      log.truncateFrom(2, noted('cut at 2'))
      await append(log, text('z'), 3)
      expect(order).toEqual(['3 to 5', 'cut at 4', '4 again', 'cut at 2'])
      expect(log.termRuns).toEqual([
        { term: 0, firstIndex: 0 },
        { term: 1, firstIndex: 1 },
        { term: 3, firstIndex: 2 },
      ])
      expect(await contents(await bench.restart('crash'))).toEqual(['1/1/1', '2/3/122'])
    }))

  test('counts nothing of what is cut as durable from the call on', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 4)
      const cut = truncateFrom(log, 3)
      expect(log.durableIndex).toBe(2)
      expect(await contents(log)).toEqual(['1/1/1', '2/1/2'])
      await cut
      expect(log.durableIndex).toBe(2)
    }))

  test('never goes into what is committed or compacted away, nor behind the end', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      await log.truncateBefore(5)
      const cutAt = (index: number) => refusal(() => log.truncateFrom(index, () => {}))
      expect([cutAt(3), cutAt(10)]).toEqual(['Damaged', 'InvalidArgument'])
      log.noteCommitted(6)
      expect(cutAt(6)).toBe('Damaged')
      await log.saveHardState({ commitFloor: 7 })
      expect(cutAt(7)).toBe('Damaged')
      await truncateFrom(log, 8)
      expect(log.lastIndex).toBe(7)
    }))

  test('gives back the space of what it cut', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 2)
      for (let round = 0; round < 20; round++) {
        await truncateFrom(log, log.lastIndex)
        await append(log, text('x'), 1)
        await append(log, text('y'), 1)
      }
      await bench.env.clock.sleep(300)
      const { totalBytes, availableBytes } = await bench.env.disk.space('.')
      // A header and the blocks of its entry for each cut, and three whole segments: open, spare, retired.
      expect(totalBytes - availableBytes).toBeLessThan(22 * 3 * 4096 + 3 * 32 * 1024)
      expect(log.bytes).toBeLessThan(22 * 3 * 4096)
    }))

  test('that a full disk refuses changed nothing, and what was behind it is refused too', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      const { disk } = bench.node
      const roomy = disk.capacityBytes
      await bench.env.clock.sleep(300)
      const { totalBytes, availableBytes } = await disk.space('.')
      disk.capacityBytes = totalBytes - availableBytes
      // The first cut uses up the spare, and frees less than the next one needs.
      await truncateFrom(log, 8)
      await append(log, text('x'), 2)
      const outcomes = await Promise.allSettled([truncateFrom(log, 6), append(log, text('y'), 3)])
      expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual([
        'OutOfSpace',
        'OutOfSpace',
      ])
      expect([log.failed, log.lastIndex, log.durableIndex, log.termAt(8)]).toEqual([undefined, 8, 8, 2])
      expect((await contents(log)).at(-1)).toBe('8/2/120')
      disk.capacityBytes = roomy
      await bench.env.clock.sleep(1500)
      await truncateFrom(log, 6)
      await append(log, text('y'), 3)
      expect((await contents(await bench.restart('crash'))).slice(-2)).toEqual(['5/1/5', '6/3/121'])
    }))

  test.each(['sync', 'syncDirectory', 'rename'] as const)('whose %s fails ends the log', (operation) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 2)
      await bench.env.clock.sleep(300)
      bench.node.disk.inject({ operation, errno: 'EIO' })
      expect((await failure(truncateFrom(log, 2))).code).toBe('OutcomeUnknown')
      expect(log.failed?.code).toBe('VolumeFailed')
      expect(['1/1/1', '1/1/1,2/1/2']).toContain((await contents(await bench.restart())).join())
    }),
  )

  test('and one at the beginning do not meet', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 11)
      await Promise.all([log.truncateBefore(5), truncateFrom(log, 6), log.truncateBefore(4)])
      expect([log.firstIndex, log.lastIndex]).toEqual([4, 5])
      await append(log, text('x'), 2)
      expect(await contents(await bench.restart('crash'))).toEqual(['4/1/4', '5/1/5', '6/2/120'])
    }))
})

describe('a reset', () => {
  test.each([
    ['far behind the end', 100],
    ['at the end', 8],
    ['within the log', 5],
    ['at the start of a segment', 6],
    ['before the log', 2],
    ['to the very beginning', 0],
  ])('%s', (_, index) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 8)
      await log.truncateBefore(4)
      await log.resetTo({ index, term: 7 })
      const empty = { firstIndex: index + 1, lastIndex: index, durableIndex: index }
      expect(log).toMatchObject({ ...empty, termRuns: [{ term: 7, firstIndex: index }] })
      expect(await segments(bench)).toEqual([index + 1])
      const again = await bench.restart('crash')
      expect(again).toMatchObject({ ...empty, termRuns: [{ term: 7, firstIndex: index }] })
      expect(again.hardState).toMatchObject({ firstIndex: index + 1, commitFloor: index })
      await append(again, text('x'), 8)
      expect(await contents(await bench.restart('crash'))).toEqual([`${index + 1}/8/120`])
    }),
  )

  test('is in one order with appends and cuts', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 2)
      const done = [
        append(log, text('old'), 1),
        log.resetTo({ index: 50, term: 3 }),
        append(log, text('a'), 3),
        append(log, text('b'), 4),
        truncateFrom(log, 52),
        append(log, text('c'), 5),
      ]
      expect([log.lastIndex, log.durableIndex]).toEqual([52, 2])
      expect(refusal(() => log.truncateFrom(50, () => {}))).toBe('Damaged')
      await Promise.all(done)
      expect(await contents(log)).toEqual(['51/3/97', '52/5/99'])
      expect(await contents(await bench.restart('crash'))).toEqual(['51/3/97', '52/5/99'])
    }))

  test('below what was committed, cut short before it was recorded, leaves its own floor', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ onDamage: 'repair' })
      await appendBlocks(log, 4)
      await log.saveHardState({ commitFloor: 4 })
      await bench.env.clock.sleep(300)
      bench.node.onSite = (site) => (site === 'log.reset.before-directory-sync' ? 'kill' : 'go-on')
      await bench.node.process.whileUp(log.resetTo({ index: 2, term: 1 }))
      bench.node.onSite = () => 'go-on'
      bench.node.boot()
      const again = await bench.open()
      expect([again.lastIndex, again.hardState.commitFloor]).toEqual([2, 2])
      await append(again, text('x'), 1)
      await truncateFrom(again, 3)
      expect(again.lastIndex).toBe(2)
    }))

  test('that was told before that its entries are committed is no damage after a crash', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ commitFloorMs: 1 })
      await appendBlocks(log, 2)
      bench.node.onSite = (site) => (site === 'log.reset.before-rename' ? 'crash' : 'go-on')
      const reset = log.resetTo({ index: 50, term: 3 })
      log.noteCommitted(50)
      await bench.node.process.whileUp(Promise.all([log.saveHardState({ commitFloor: 50 }), reset]))
      bench.node.onSite = () => 'go-on'
      bench.node.boot()
      expect(await contents(await bench.open())).toEqual(['1/1/1', '2/1/2'])
    }))
})

describe('a reader', () => {
  test('that gave something of what was cut is told, and one that did not goes on', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 5)
      const ahead = log.read(1)
      const behind = log.read(1)
      while ((await ahead.next(log.durableIndex, 1)).at(-1)!.index < 4);
      await behind.next(2, 1)
      const cut = truncateFrom(log, 3)
      expect((await failure(ahead.next(5, 1))).code).toBe('ConcurrentChange')
      expect((await behind.next(5, 1)).map(({ index }) => index)).toEqual([2])
      expect(await behind.next(5, 1)).toEqual([])
      await cut
      await append(log, text('new'), 2)
      expect((await behind.next(log.durableIndex, 1)).map(({ index, term }) => [index, term])).toEqual([[3, 2]])
      expect((await failure(ahead.next(5, 1))).code).toBe('ConcurrentChange')
      await Promise.all([ahead.close(), behind.close()])
    }))

  test('under way while the log is cut and written again gives no entry of before', async () => {
    for (let seed = 0; seed < 60; seed++) {
      await onMachine(async (bench) => {
        const log = await bench.open()
        await appendBlocks(log, 7)
        const index = 1 + (seed % 7)
        let isCut = false
        const expectNew = (entry: LogEntry) => expect(entry.term).toBe(entry.index < index ? 1 : 2)
        const reading = async (): Promise<string> => {
          const reader = log.read(1)
          for (;;) {
            const wasCut = isCut
            const entries = await orCode(reader.next(7, 20_000))
            if (typeof entries === 'string' || entries.length === 0) {
              await reader.close()
              return entries.toString()
            }
            if (wasCut) entries.forEach(expectNew)
          }
        }
        const outcomes = [reading(), reading()]
        await bench.env.clock.sleep((seed % 10) / 10)
        const done = truncateFrom(log, index)
        isCut = true
        for (let i = 0; i < 4; i++) void append(log, filled(8000, 1), 2)
        outcomes.push(reading())
        await done
        for (const outcome of await Promise.all(outcomes)) expect(['', 'ConcurrentChange']).toContain(outcome)
      }, seed)
    }
  })

  test('is told of a reset', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await appendBlocks(log, 5)
      const reader = log.read(1)
      await reader.next(5, 1)
      await log.resetTo({ index: 3, term: 2 })
      expect((await failure(reader.next(5, 1))).code).toBe('ConcurrentChange')
      await reader.close()
      expect((await failure(log.read(2).next(3, 1))).code).toBe('InvalidRange')
    }))
})

describe('term and vote', () => {
  test('are durable before what is appended after they were asked for', async () => {
    for (let seed = 0; seed < 60; seed++) {
      await onMachine(async (bench) => {
        const log = await bench.open()
        void log.saveHardState({ term: 2, vote: 'me', mayVote: false })
        void append(log, text('x'), 2)
        await bench.env.clock.sleep((seed % 20) / 10)
        const again = await bench.restart('crash')
        if (again.lastIndex > 0) expect(again.hardState).toMatchObject({ term: 2, vote: 'me', mayVote: false })
      }, seed)
    }
  })

  test('that a full disk refused are saved before the next append', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      bench.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /hard-state/, times: 2 })
      expect((await failure(log.saveHardState({ term: 2 }))).code).toBe('OutOfSpace')
      expect((await failure(append(log, text('x'), 2))).code).toBe('OutOfSpace')
      await append(log, text('y'), 2)
      expect((await bench.restart('crash')).hardState.term).toBe(2)
    }))
})
