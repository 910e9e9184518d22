import { describe, expect, test } from 'vitest'
import { blockBytes } from '../../src/log/record.ts'
import { firstRecordOffset } from '../../src/log/segment-header.ts'
import { unknownIndex, type LogOptions, type SegmentedLog } from '../../src/log/segmented-log.ts'
import { append, failure, filled, onMachine, readAll, text, truncateFrom, type Bench } from './sim.ts'

const indexes = async (log: SegmentedLog) => (await readAll(log)).map(({ index }) => index)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)
const repair: LogOptions = { onDamage: 'repair', commitFloorMs: 0 }
const segment = (firstIndex: number) => `log/${firstIndex.toString(16).padStart(16, '0')}.segment`

/** Eight entries of two blocks, three to a segment, of terms 1, 1, 1, 2, 2, 2, 3, 3; term 3, a vote; the process is gone. */
async function eight(bench: Bench): Promise<void> {
  const log = await bench.open(repair)
  await log.saveHardState({ term: 3, vote: 'me' })
  for (const term of [1, 1, 1, 2, 2, 2, 3, 3]) await append(log, filled(8000, log.lastIndex + 1), term)
  await bench.env.clock.sleep(300)
  bench.node.crash()
}

/** Where the nth entry of a segment begins. */
const entryAt = (nth: number) => firstRecordOffset + (nth - 1) * 2 * blockBytes

async function remove(bench: Bench, ...paths: string[]): Promise<void> {
  bench.node.boot()
  for (const path of paths) await bench.env.disk.remove(path)
  await bench.env.disk.syncDirectory('log')
  bench.node.crash()
}

const flip = (path: string, offset: number) => (bench: Bench) => bench.node.disk.flip(path, offset)
const lose =
  (...paths: string[]) =>
  (bench: Bench) =>
    remove(bench, ...paths)

const bothCopies = (bench: Bench) => {
  for (const offset of [20, blockBytes + 20]) bench.node.disk.flip('log/hard-state', offset)
}

interface Row {
  readonly harm: (bench: Bench) => void | Promise<void>
  /** The last entry that is left, and the first. */
  readonly last: number
  readonly first?: number
  readonly possible: number
  readonly where: string
  /** Term and vote are gone. */
  readonly forgets?: true
}

const rows: readonly (readonly [string, Row])[] = [
  ['the very first entry', { harm: flip(segment(1), entryAt(1) + 40), last: 0, possible: 8, where: segment(1) }],
  [
    'an entry of the first segment',
    { harm: flip(segment(1), entryAt(2) + 9), last: 1, possible: 8, where: segment(1) },
  ],
  ['the last entry of a segment', { harm: flip(segment(4), entryAt(3)), last: 5, possible: 8, where: segment(4) }],
  ['the first entry of a segment', { harm: flip(segment(4), entryAt(1)), last: 3, possible: 8, where: segment(4) }],
  ['an entry of the last segment', { harm: flip(segment(7), entryAt(1) + 4), last: 6, possible: 8, where: segment(7) }],
  ['the header of the first segment', { harm: flip(segment(1), 20), last: 0, possible: 8, where: segment(1) }],
  ['the header of one in the middle', { harm: flip(segment(4), 44), last: 3, possible: 8, where: segment(4) }],
  ['the header of the last', { harm: flip(segment(7), 50), last: 6, possible: unknownIndex, where: segment(7) }],
  ['no first segment', { harm: lose(segment(1)), last: 0, possible: 8, where: 'log' }],
  ['no middle segment', { harm: lose(segment(4)), last: 3, possible: 8, where: 'log' }],
  ['no last segment', { harm: lose(segment(7)), last: 6, possible: unknownIndex, where: segment(4) }],
  [
    'no segment at all',
    { harm: lose(segment(1), segment(4), segment(7)), last: 0, possible: unknownIndex, where: segment(1) },
  ],
  [
    'no hard state',
    { harm: lose('log/hard-state'), last: 8, possible: unknownIndex, where: 'log/hard-state', forgets: true },
  ],
  [
    'two bad copies of it',
    { harm: bothCopies, last: 8, possible: unknownIndex, where: 'log/hard-state', forgets: true },
  ],
  [
    'no hard state, no first segment',
    {
      harm: lose('log/hard-state', segment(1)),
      first: 4,
      last: 8,
      possible: unknownIndex,
      where: 'log/hard-state',
      forgets: true,
    },
  ],
  [
    'nothing but a spare',
    {
      harm: lose('log/hard-state', segment(1), segment(4), segment(7)),
      last: 0,
      possible: unknownIndex,
      where: 'log/hard-state',
      forgets: true,
    },
  ],
]

describe.each(rows)('damage: %s', (_, { harm, first = 1, last, possible, where, forgets }) => {
  test('a group of one does not start, and nothing changes', () =>
    onMachine(async (bench) => {
      await eight(bench)
      await harm(bench)
      bench.node.boot()
      const names = await bench.env.disk.list('log')
      if (names.some((name) => name !== 'spare')) expect((await failure(bench.open())).code).toBe('Damaged')
      expect(await bench.env.disk.list('log')).toEqual(names)
    }))

  test('a member of several goes on with what is good, may not vote, and fetches the rest', () =>
    onMachine(async (bench) => {
      await eight(bench)
      await harm(bench)
      bench.node.boot()
      const log = await bench.open(repair)
      expect(log.opening.damage).toMatchObject({ firstBadIndex: last + 1, lastPossibleIndex: possible, path: where })
      expect(log.hardState).toMatchObject({ mayVote: false, catchUpIndex: possible })
      expect(log.hardState).toMatchObject(forgets ? { vote: '' } : { term: 3, vote: 'me' })
      expect(await indexes(log)).toEqual(range(first, last))
      expect(log.durableIndex).toBe(last)
      const refetched = async (again: SegmentedLog) => {
        while (again.lastIndex < 9) await append(again, filled(5000, again.lastIndex + 1), 4)
      }
      await refetched(log)
      const again = await bench.restart('crash')
      expect(again.opening.damage).toBeUndefined()
      expect(again.hardState).toMatchObject({ mayVote: false, catchUpIndex: possible })
      expect(await indexes(again)).toEqual(range(first, 9))
      await again.saveHardState({ mayVote: true })
      expect((await bench.restart('crash')).hardState).toMatchObject({ mayVote: true, catchUpIndex: 0 })
    }))

  test('whenever the machine goes down on the way, the next start ends in the same', async () => {
    for (let seed = 0; seed < 25; seed++) {
      await onMachine(async (bench) => {
        await eight(bench)
        await harm(bench)
        const process = bench.node.boot()
        const opening = process.whileUp(bench.open(repair))
        await bench.simulation.clock.sleep(seed * 0.9)
        bench.node[seed % 2 === 0 ? 'crash' : 'kill']()
        await opening
        bench.node.boot()
        const log = await bench.open(repair)
        expect(log.hardState.mayVote).toBe(false)
        expect(log.hardState.catchUpIndex).toBeGreaterThanOrEqual(possible)
        expect(await indexes(log)).toEqual(range(first, last))
      }, seed)
    }
  })
})

describe('what is not damage', () => {
  test('a torn tail is cut, and the member may vote', () =>
    onMachine(async (bench) => {
      await eight(bench)
      bench.node.disk.flip(segment(7), entryAt(2) + 100)
      bench.node.boot()
      const log = await bench.open(repair)
      expect([log.opening.damage, log.hardState.mayVote, log.lastIndex]).toEqual([undefined, true, 7])
    }))

  test('a blank directory is a new log, unless there is known to have been one', () =>
    onMachine(async (bench) => {
      const log = await bench.open(repair)
      expect(log.hardState.mayVote).toBe(true)
      await log.close()
      const { openLog } = await import('../../src/log/segmented-log.ts')
      const options = { segmentBytes: 32 * 1024, expectExisting: true }
      expect((await failure(openLog(bench.env, 'other', options))).code).toBe('Damaged')
      const blank = await openLog(bench.env, 'other', { ...options, onDamage: 'repair' })
      expect(blank.opening.damage).toMatchObject({ firstBadIndex: 1, lastPossibleIndex: unknownIndex })
      expect([blank.lastIndex, blank.hardState.mayVote]).toEqual([0, false])
      await blank.close()
      const again = await openLog(bench.env, 'other', { ...options, onDamage: 'repair' })
      expect([again.opening.damage, again.hardState.mayVote]).toEqual([undefined, false])
      // It is not blank any more.
      const known = await bench.open({ ...repair, expectExisting: true })
      expect(known.hardState.mayVote).toBe(true)
    }))

  test('files of another log are refused all the same', () =>
    onMachine(async (bench) => {
      await eight(bench)
      bench.node.boot()
      expect((await failure(bench.open({ ...repair, groupId: 'ab'.repeat(16) }))).code).toBe('Incompatible')
    }))
})

describe('a log that was cut at its end', () => {
  /** Entries 1 to 3, 4 to 6 of term 1; then 5 and 6 once more, of term 2, and 7 on. */
  async function cutOnce(bench: Bench): Promise<void> {
    const log = await bench.open(repair)
    for (let i = 1; i <= 6; i++) await append(log, filled(8000, i), 1)
    await truncateFrom(log, 5)
    for (let i = 5; i <= 9; i++) await append(log, filled(8000, i), 2)
    await log.saveHardState({ commitFloor: 9 })
    await bench.env.clock.sleep(300)
    bench.node.crash()
  }

  test.each([
    ['the segment that replaced them', segment(5)],
    ['the one behind it', segment(8)],
  ])('does not take what was cut for its prefix when %s is lost', (_, path) =>
    onMachine(async (bench) => {
      await cutOnce(bench)
      await remove(bench, path)
      bench.node.boot()
      const log = await bench.open(repair)
      const last = path === segment(5) ? 4 : 7
      expect((await readAll(log)).map(({ index, term }) => [index, term])).toEqual(
        range(1, last).map((index) => [index, index < 5 ? 1 : 2]),
      )
      expect(log.hardState.commitFloor).toBe(last)
    }),
  )

  test('keeps nothing when it is not certain what was replaced', () =>
    onMachine(async (bench) => {
      await cutOnce(bench)
      const log = await bench.restart()
      await truncateFrom(log, 10)
      await append(log, filled(100, 10), 3)
      await append(log, filled(9000, 11), 3)
      bench.node.crash()
      await remove(bench, segment(5), segment(8))
      bench.node.boot()
      const again = await bench.open(repair)
      expect([again.firstIndex, again.lastIndex, again.hardState.mayVote]).toEqual([1, 0, false])
    }))
})

test('an entry that cannot be read is as good as none', () =>
  onMachine(async (bench) => {
    await eight(bench)
    bench.node.boot()
    bench.node.disk.inject({ operation: 'read', errno: 'EIO', path: /0004\.segment$/, after: 1 })
    const log = await bench.open(repair)
    expect(log.opening.damage).toMatchObject({ firstBadIndex: 4, lastPossibleIndex: 8 })
    expect(await indexes(log)).toEqual([1, 2, 3])
  }))

test('long records count for how far the log went', () =>
  onMachine(async (bench) => {
    const big = { ...repair, segmentBytes: 8 * 1024 * 1024, maxBatchBytes: 8 * 1024 * 1024 }
    const log = await bench.open(big)
    for (const length of [100, 3_000_000, 2_000_000]) await append(log, filled(length, 0xff))
    bench.node.crash()
    bench.node.disk.flip(segment(1), firstRecordOffset + 40)
    bench.node.boot()
    const again = await bench.open(big)
    expect(again.opening.damage).toMatchObject({ firstBadIndex: 1, lastPossibleIndex: 3 })
  }))

test('what is broken is kept for a person, the newest few', () =>
  onMachine(async (bench) => {
    await eight(bench)
    bench.node.disk.flip(segment(4), entryAt(1))
    for (let round = 0; round < 6; round++) {
      bench.node.boot()
      const log = await bench.open(repair)
      expect(log.lastIndex).toBe(3)
      const aside = (await bench.env.disk.list('log')).filter((name) => name.endsWith('.damaged'))
      if (round === 0) {
        expect(aside).toEqual(['0000000000000004.segment.1.damaged', '0000000000000007.segment.2.damaged'])
      }
      expect(aside.length).toBeLessThanOrEqual(4)
      await append(log, filled(8000, 1), 4)
      await append(log, text('proof'), 4)
      bench.node.crash()
      bench.node.disk.flip(segment(4), entryAt(1))
    }
  }))

test('a reset makes a damaged log whole', () =>
  onMachine(async (bench) => {
    await eight(bench)
    bench.node.disk.flip(segment(1), entryAt(1))
    bench.node.boot()
    const log = await bench.open(repair)
    await log.resetTo({ index: 6, term: 2 })
    await append(log, text('seven'), 3)
    const again = await bench.restart('crash')
    expect([again.firstIndex, again.lastIndex, again.termAt(6)]).toEqual([7, 7, 2])
  }))
