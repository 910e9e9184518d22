import { expect, test } from 'vitest'
import type { SegmentedLog } from '../../src/log/segmented-log.ts'
import { append, failure, filled, onMachine, readAll, text, type Bench } from './sim.ts'

const segmentBytes = 32 * 1024
const indexes = async (log: SegmentedLog) => (await readAll(log)).map(({ index }) => index)

async function files(bench: Bench): Promise<readonly string[]> {
  return (await bench.env.disk.list('log')).filter((name) => name !== 'hard-state')
}

/** A log whose open segment is a file that was a segment before, full of old records. */
async function onReusedSegment(bench: Bench): Promise<SegmentedLog> {
  const log = await bench.open()
  for (let i = 0; i < 9; i++) await append(log, filled(8000, i))
  await log.truncateBefore(9)
  // The spare made of zeros, then the retired file.
  for (let i = 0; i < 5; i++) await append(log, filled(8000, 100 + i))
  await bench.env.clock.sleep(200)
  return log
}

test('the files of cut segments serve again: a log that is cut as it grows needs no more than four', () =>
  onMachine(async (bench) => {
    const log = await bench.open()
    for (let i = 0; i < 60; i++) {
      await append(log, filled(8000, i))
      await log.truncateBefore(log.durableIndex)
    }
    await bench.env.clock.sleep(200)
    expect((await files(bench)).length).toBeLessThanOrEqual(4)
    const { totalBytes, availableBytes } = await bench.env.disk.space('.')
    expect(totalBytes - availableBytes).toBeLessThanOrEqual(4 * segmentBytes + 8192)
    expect(await indexes(log)).toEqual(await indexes(await bench.restart('crash')))
  }))

test.each(['kill', 'crash'] as const)('old records behind the end do not come back after a %s', (how) =>
  onMachine(async (bench) => {
    const log = await onReusedSegment(bench)
    const before = await indexes(log)
    const again = await bench.restart(how)
    expect(await indexes(again)).toEqual(before)
    expect(again.opening.cutBytes).toBeGreaterThan(0)
    await append(again, text('next'))
    const third = await bench.restart(how)
    expect(await indexes(third)).toEqual([...before, before.at(-1)! + 1])
  }),
)

test('an orderly stop leaves a clean end', () =>
  onMachine(async (bench) => {
    const log = await onReusedSegment(bench)
    const before = await indexes(log)
    await log.close()
    const again = await bench.restart('crash')
    expect(again.opening.cutBytes).toBe(0)
    expect(await indexes(again)).toEqual(before)
  }))

test('behind a cut end goes no more: the next entry opens a segment', () =>
  onMachine(async (bench) => {
    const log = await bench.open()
    await append(log, text('one'))
    await log.saveHardState({ commitFloor: 1 })
    bench.node.kill()
    bench.node.boot()
    const file = await bench.env.disk.open('log/0000000000000001.segment', 'read-write')
    await file.write([filled(5000, 0xee)], 8192)
    await file.close()
    const again = await bench.open()
    await append(again, text('two'))
    expect(await files(bench)).toContain('0000000000000002.segment')
    expect(await indexes(await bench.restart('crash'))).toEqual([1, 2])
  }))

test('damage in a reused segment is still damage', () =>
  onMachine(async (bench) => {
    const log = await onReusedSegment(bench)
    const segment = (await files(bench)).filter((name) => name.endsWith('.segment')).at(-1)!
    await append(log, text('x'))
    await append(log, text('y'))
    bench.node.kill()
    bench.node.disk.flip(`log/${segment}`, 4096 + 100)
    bench.node.boot()
    const { code, details } = await failure(bench.open())
    expect([code, details]).toEqual(['Damaged', { path: `log/${segment}`, offset: 4096 }])
  }))

test('a file that lost its preallocation does not serve again', () =>
  onMachine(async (bench) => {
    let log = await bench.open()
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 4; i++) await append(log, filled(8000, i))
      await log.truncateBefore(log.durableIndex)
      for (const name of ['spare', 'retired']) {
        const found = await bench.env.disk.stat(`log/${name}`)
        if (found !== undefined) expect([name, found.sizeBytes]).toEqual([name, segmentBytes])
      }
      log = await bench.restart()
    }
  }))

test('a reader that holds a file which became another segment is told that its entries were cut', () =>
  onMachine(async (bench) => {
    const big = 2 * 1024 * 1024
    const log = await bench.open({ segmentBytes: big, maxBatchBytes: big })
    const appendBig = async (count: number) => {
      for (let i = 0; i < count; i++) await append(log, filled(400_000, i))
    }
    await appendBig(11)
    // It has read ahead, but not the whole file.
    const reader = log.read(1)
    await reader.next(1, 1)
    await log.truncateBefore(11)
    await appendBig(14)
    const rest = async () => {
      for (;;) if ((await reader.next(log.durableIndex, 1)).length === 0) return
    }
    expect((await failure(rest())).code).toBe('InvalidRange')
    await reader.close()
  }))
