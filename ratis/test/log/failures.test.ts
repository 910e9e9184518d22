import { describe, expect, test } from 'vitest'
import { blockBytes } from '../../src/log/record.ts'
import type { SegmentedLog } from '../../src/log/segmented-log.ts'
import { append, failure, filled, onMachine, readAll, refusal, text, type Bench } from './sim.ts'

const segment = /\.segment$|\/spare/

describe('a failed write or sync ends the log', () => {
  test.each(['write', 'sync'] as const)(
    'after a failed %s everything under way is unknown and later ones are refused',
    (operation) =>
      onMachine(async (bench) => {
        const log = await bench.open()
        await append(log, text('before'))
        bench.node.disk.inject({ operation, errno: 'EIO', path: segment })
        const outcomes = await Promise.allSettled([append(log, text('one')), append(log, text('two'))])
        expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual([
          'OutcomeUnknown',
          'OutcomeUnknown',
        ])
        expect(log.failed?.code).toBe('VolumeFailed')
        expect(refusal(() => log.append([{ index: log.lastIndex + 1, term: 1, payload: text('x') }], () => {}))).toBe(
          'VolumeFailed',
        )
        expect((await failure(log.saveHardState({ term: 9 }))).code).toBe('VolumeFailed')
        await log.close()
      }),
  )

  test('a failed sync is not tried again: what is on the disk is found out by the restart', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await append(log, text('before'))
      bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment })
      await failure(append(log, text('lost')))
      await log.close()
      // The cache shows it, the device does not have it (fsyncgate): only a power cut tells.
      const again = await bench.restart('crash')
      expect((await readAll(again)).map(({ payload }) => Buffer.from(payload).toString())).toEqual(['before'])
    }))

  /** The pages of a failed sync are clean: reads show them, no sync writes them, the device does not have them. */
  describe('and the next process, on the same page cache,', () => {
    const payloads = async (log: SegmentedLog) =>
      (await readAll(log)).map(({ payload }) => Buffer.from(payload).toString())

    /** The process is gone, with its spare, and the disk is full. */
    async function withoutReserve(bench: Bench): Promise<void> {
      bench.node.kill()
      bench.node.boot()
      const { disk } = bench.node
      for (const name of await disk.list('log')) if (name.startsWith('spare')) await disk.remove(`log/${name}`)
      const { availableBytes, totalBytes } = await disk.space('.')
      disk.capacityBytes = totalBytes - availableBytes
    }

    test('builds upon nothing that only the cache holds', async () => {
      for (let seed = 0; seed < 20; seed++) {
        await onMachine(async (bench) => {
          const log = await bench.open()
          await append(log, text('before'))
          bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment })
          await Promise.allSettled([append(log, text('one')), append(log, text('two'))])
          const again = await bench.restart('kill')
          expect(await payloads(again)).toEqual(['before', 'one', 'two'])
          if (seed % 2 === 0) await append(again, text('after'))
          const after = seed % 2 === 0 ? ['after'] : []
          expect(await payloads(await bench.restart('crash'))).toEqual(['before', 'one', 'two', ...after])
        }, seed)
      }
    })

    test('may fail as well, and the one after it', () =>
      onMachine(async (bench) => {
        const log = await bench.open()
        await append(log, text('before'))
        bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment })
        await failure(append(log, text('one')))
        for (const after of [0, 1]) {
          bench.node.kill()
          bench.node.boot()
          bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment, after })
          expect((await failure(bench.open())).code).toBe('VolumeFailed')
        }
        await append(await bench.restart('kill'), text('after'))
        expect(await payloads(await bench.restart('crash'))).toEqual(['before', 'one', 'after'])
      }))

    test('writes a hard state again whose copies agree', async () => {
      for (let seed = 0; seed < 20; seed++) {
        await onMachine(async (bench) => {
          const log = await bench.open()
          bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /hard-state/, after: seed % 2 })
          await failure(log.saveHardState({ term: 2, vote: 'me' }))
          const again = await bench.restart('kill')
          expect(again.hardState).toMatchObject({ term: 2, vote: 'me' })
          void again.saveHardState({ commitFloor: 0 })
          await bench.env.clock.sleep((seed % 5) / 10)
          expect((await bench.restart('crash')).hardState).toMatchObject({ term: 2, vote: 'me' })
        }, seed)
      }
    })

    test('finds room for it on a full disk in what the segment has to spare', () =>
      onMachine(async (bench) => {
        const log = await bench.open()
        await bench.env.clock.sleep(500)
        for (let i = 0; i < 4; i++) await append(log, filled(8000, 1))
        await withoutReserve(bench)
        const again = await bench.open()
        await append(again, text('goes on'))
        expect(again.outOfSpace).toBe(true)
        expect((await readAll(await bench.restart('crash'))).length).toBe(5)
      }))

    test('says so when there is none, and can be started later', () =>
      onMachine(async (bench) => {
        const log = await bench.open()
        await append(log, filled(log.maxAppendBytes - 32, 1))
        const roomy = bench.node.disk.capacityBytes
        await withoutReserve(bench)
        expect((await failure(bench.open())).code).toBe('OutOfSpace')
        bench.node.disk.capacityBytes = roomy
        expect((await readAll(await bench.open())).length).toBe(1)
      }))
  })

  test('a hard state that cannot be synced ends the log too', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /hard-state/ })
      expect((await failure(log.saveHardState({ term: 2 }))).code).toBe('VolumeFailed')
      expect(log.failed?.code).toBe('VolumeFailed')
    }))

  test('a spare segment that cannot be synced ends the log: the disk is not to be trusted', () =>
    onMachine(async (bench) => {
      bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: /spare\.new$/, after: 2 })
      const log = await bench.open()
      await bench.env.clock.sleep(500)
      expect(log.failed?.code).toBe('VolumeFailed')
    }))
})

describe('a full disk', () => {
  /** Leaves `pages` of 4 KiB. */
  async function fill(bench: Bench, pages: number): Promise<void> {
    const { disk } = bench.node
    const { availableBytes, totalBytes } = await disk.space('.')
    disk.capacityBytes = totalBytes - availableBytes + pages * blockBytes
  }

  test('is announced before anything is refused, and goes on as long as the reserve lasts', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await bench.env.clock.sleep(500)
      await fill(bench, 0)
      expect(log.outOfSpace).toBe(false)
      // Into the spare: the next one cannot be made.
      for (let i = 0; i < 4; i++) await append(log, filled(8000, i))
      await bench.env.clock.sleep(500)
      expect(log.outOfSpace).toBe(true)
      for (let i = 0; i < 2; i++) await append(log, filled(8000, i))
      const { code } = await failure(append(log, filled(8000, 9)))
      expect(code).toBe('OutOfSpace')
      expect(log.failed).toBeUndefined()
      expect((await readAll(log)).length).toBe(6)
      // Small ones still fit.
      await append(log, text('small'))
    }))

  test('ends when space returns', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await bench.env.clock.sleep(500)
      await fill(bench, 0)
      for (let i = 0; i < 6; i++) await append(log, filled(8000, i))
      expect((await failure(append(log, filled(8000, 9)))).code).toBe('OutOfSpace')
      bench.node.disk.capacityBytes *= 2
      await bench.env.clock.sleep(1500)
      expect(log.outOfSpace).toBe(false)
      await append(log, filled(8000, 10))
      expect((await readAll(log)).map(({ payload }) => payload[0])).toEqual([0, 1, 2, 3, 4, 5, 10])
    }))

  test('ends when the log itself gives space back', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await bench.env.clock.sleep(500)
      await fill(bench, 0)
      for (let i = 0; i < 6; i++) await append(log, filled(8000, i))
      expect((await failure(append(log, filled(8000, 9)))).code).toBe('OutOfSpace')
      await log.saveHardState({ checkpointIndex: log.durableIndex, commitFloor: log.durableIndex })
      await log.truncateBefore(log.durableIndex + 1)
      await append(log, filled(8000, 10))
    }))

  /** A file system that copies on write may refuse even preallocated bytes. */
  test.each([0, 1, 4096, 4127, 8191])('a batch of which %i bytes were written is taken back', (landedBytes) =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await append(log, text('before'))
      bench.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: segment, landedBytes })
      const outcomes = await Promise.allSettled([append(log, filled(4095, 1)), append(log, filled(4095, 2))])
      expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual([
        'OutOfSpace',
        'OutOfSpace',
      ])
      expect([log.failed, log.lastIndex, log.durableIndex]).toEqual([undefined, 1, 1])
      if (landedBytes % 2 === 0) await append(log, text('after'))
      const kept = landedBytes % 2 === 0 ? ['before', 'after'] : ['before']
      const again = await bench.restart('crash')
      expect((await readAll(again)).map(({ payload }) => Buffer.from(payload).toString())).toEqual(kept)
      expect(again.opening.cutBytes).toBe(0)
    }),
  )

  test('what is written in its place is found by every index', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ segmentBytes: 1024 * 1024, maxBatchBytes: 1024 * 1024 })
      bench.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: segment })
      await Promise.allSettled(Array.from({ length: 30 }, (_, i) => append(log, filled(10_000, i))))
      expect(log.lastIndex).toBe(0)
      await Promise.all(Array.from({ length: 40 }, (_, i) => append(log, filled(1000, i))))
      for (const from of [1, 9, 20, 40]) expect((await readAll(log, from))[0]?.index).toBe(from)
    }))

  test('a batch that cannot be taken back ends the log', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      bench.node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: segment })
      bench.node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment })
      expect((await failure(append(log, text('x')))).code).toBe('OutcomeUnknown')
      expect(log.failed?.code).toBe('VolumeFailed')
    }))

  test('a sync that says "full" is a failed sync', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await bench.env.clock.sleep(500)
      bench.node.disk.inject({ operation: 'sync', errno: 'ENOSPC', path: segment })
      expect((await failure(append(log, text('x')))).code).toBe('OutcomeUnknown')
      expect(log.failed?.code).toBe('VolumeFailed')
    }))

  test('a new log without room says so and leaves a directory that can be opened later', () =>
    onMachine(async (bench) => {
      const { disk } = bench.node
      const roomy = disk.capacityBytes
      disk.capacityBytes = 4 * blockBytes
      expect((await failure(bench.open())).code).toBe('OutOfSpace')
      disk.capacityBytes = roomy
      const log = await bench.open()
      await append(log, text('x'))
    }))
})

describe('what an append may be', () => {
  test('indexes have no gaps and terms do not go back', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      await append(log, text('x'), 5)
      expect(refusal(() => log.append([{ index: 3, term: 5, payload: text('x') }], () => {}))).toBe('InvalidArgument')
      expect(refusal(() => log.append([{ index: 2, term: 4, payload: text('x') }], () => {}))).toBe('InvalidArgument')
      await append(log, text('x'), 6)
    }))

  test('larger than a segment is refused, exactly a segment is not', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      const most = log.maxAppendBytes - 32
      expect((await failure(append(log, filled(most + 1, 1)))).code).toBe('TooLarge')
      await append(log, filled(most, 1))
      await append(log, filled(most, 2))
      expect((await readAll(log)).map(({ payload }) => payload.length)).toEqual([most, most])
    }))

  test('what waits is bounded', () =>
    onMachine(async (bench) => {
      const log = await bench.open({ maxQueuedBytes: 20_000 })
      const done = [append(log, filled(8000, 1)), append(log, filled(8000, 2))]
      expect((await failure(append(log, filled(8000, 3)))).code).toBe('Busy')
      await Promise.all(done)
      await append(log, filled(8000, 3))
    }))

  test('a closed log refuses', () =>
    onMachine(async (bench) => {
      const log = await bench.open()
      const last = append(log, text('last'))
      await log.close()
      await last
      expect((await failure(append(log, text('late')))).code).toBe('Closed')
    }))

  test.each([0, 4096, 10_000])('a segment size of %i is refused', (segmentBytes) =>
    onMachine(async (bench) => {
      expect((await failure(bench.open({ segmentBytes }))).code).toBe('InvalidArgument')
    }),
  )
})
