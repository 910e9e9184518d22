import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planCompaction } from '../../src/core/compaction-policy.ts'
import type { CompactionCandidate } from '../../src/core/compaction-policy.ts'
import { planReads, planUnits } from '../../src/core/read-plan.ts'
import { ReportDelta } from '../../src/core/report-delta.ts'
import { nextScrub, scrubRate } from '../../src/core/scrub-schedule.ts'
import { SparseBits } from '../../src/core/sparse-bits.ts'

const KiB = 1024
const MiB = 1024 * KiB

describe('a read', () => {
  test('takes from each record what the range wants of it, and all of the range', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(lengths, fc.nat(), fc.nat(), (parts, a, b) => {
        const lengthBytes = parts.reduce((sum, length) => sum + length, 0)
        const offset = a % lengthBytes
        const length = 1 + (b % (lengthBytes - offset))
        const extents = parts.map((part, i) => ({ fileOffset: i * 64_000, length: part }))
        const reads = planReads({ lengthBytes, whole: false, extents }, offset, length)
        let next = offset
        for (const read of reads) {
          expect(read.blockOffset + read.from).toBe(next)
          expect(read.to).toBeGreaterThan(read.from)
          expect(read.to).toBeLessThanOrEqual(read.extent.length)
          next = read.blockOffset + read.to
        }
        expect(next).toBe(offset + length)
      }),
    )
  })

  test.each<[string, number, [number, number], object]>([
    ['a small block: header and payload at once', 4096, [0, 4096], { from: 0, to: 4096, together: true }],
    [
      'a byte in the middle: its unit',
      MiB,
      [700 * KiB, 700 * KiB + 1],
      { from: 640 * KiB, to: 704 * KiB, together: false },
    ],
    ['near the start: one read', MiB, [200 * KiB, 210 * KiB], { from: 192 * KiB, to: 256 * KiB, together: true }],
    ['over a unit edge', MiB, [64 * KiB - 1, 64 * KiB + 1], { from: 0, to: 128 * KiB, together: true }],
    ['the short last unit', 100 * KiB, [90 * KiB, 100 * KiB], { from: 64 * KiB, to: 100 * KiB, together: true }],
    ['an empty block', 0, [0, 0], { from: 0, to: 0, together: true }],
  ])('%s', (_, length, [from, to], expected) => {
    expect(planUnits({ extent: { fileOffset: 0, length }, blockOffset: 0, from, to })).toMatchObject(expected)
  })
})

describe('compaction', () => {
  const limits = { compactGarbageShare: 0.3, compactGarbageBytes: 1000 }
  const candidate = (container: number, facts: Partial<CompactionCandidate>): CompactionCandidate => ({
    container,
    sealed: true,
    damaged: false,
    usedBytes: 10_000,
    liveBytes: 5_000,
    ...facts,
  })

  test.each([
    ['half garbage', {}, true],
    ['open', { sealed: false }, false],
    ['damaged', { damaged: true }, false],
    ['little garbage', { liveBytes: 8_000 }, false],
    ['a large share of a small file', { usedBytes: 1_500, liveBytes: 700 }, false],
    ['nothing but a seal', { usedBytes: 64, liveBytes: 0 }, false],
    ['all dead', { usedBytes: 4_160, liveBytes: 0 }, true],
  ])('of a container that is %s', (_, facts, wanted) => {
    expect(planCompaction([candidate(1, facts)], limits)).toEqual(wanted ? [1] : [])
  })

  test('begins where it copies least for what it gains', () => {
    const candidates = [candidate(1, {}), candidate(2, { liveBytes: 0 }), candidate(3, { liveBytes: 1_000 })]
    expect(planCompaction(candidates, limits)).toEqual([2, 3, 1])
  })
})

describe('the scrubber', () => {
  const when = { nowMs: 1_000_000, deadlineMs: 100_000 }

  test.each([
    ['nothing to do', [], undefined],
    ['never read', [{ container: 1, scrubbedMs: undefined }], { container: 1, waitMs: 0 }],
    ['read just now', [{ container: 1, scrubbedMs: 1_000_000 }], { container: 1, waitMs: 50_000 }],
    ['read long ago', [{ container: 1, scrubbedMs: 900_000 }], { container: 1, waitMs: 0 }],
    ['a stamp from the future', [{ container: 1, scrubbedMs: 2_000_000 }], { container: 1, waitMs: 0 }],
    [
      'the oldest first',
      [
        { container: 1, scrubbedMs: 940_000 },
        { container: 2, scrubbedMs: 930_000 },
      ],
      { container: 2, waitMs: 0 },
    ],
  ])('%s', (_, candidates, turn) => {
    expect(nextScrub(candidates, when)).toEqual(turn)
  })

  test('reads all in half of the deadline, and never slower than 256 KiB/s', () => {
    expect(scrubRate(7_000_000_000, 2_000_000)).toBe(7_000_000)
    expect(scrubRate(0, 1_000)).toBe(256 * KiB)
  })
})

describe('a heartbeat', () => {
  const report = (id: number, usedBytes: number) =>
    ({ id, state: 'OPEN', generation: 1, usedBytes, liveBytes: 0, blockCount: 0 }) as const
  const [first, second] = [report(1, 10), report(2, 10)]

  test('carries all until one was answered, then what changed since', () => {
    const delta = new ReportDelta()
    const all = { full: true, containers: [first, second] }
    expect(delta.news([first, second])).toEqual(all)
    expect(delta.news([first, second])).toEqual(all) // nobody answered
    delta.noteAnswered([first, second])
    expect(delta.news([first, second])).toEqual({ full: false, containers: [] })
    const [grown, added] = [report(2, 20), report(3, 1)]
    expect(delta.news([first, grown, added])).toEqual({ full: false, containers: [grown, added] })
  })

  test('carries all when a container is gone, or the member may have missed one', () => {
    const delta = new ReportDelta()
    delta.noteAnswered([first, second])
    expect(delta.news([second])).toEqual({ full: true, containers: [second] })
    expect(delta.news([report(3, 1), second])).toEqual({ full: true, containers: [report(3, 1), second] })
    expect(delta.news([first, second])).toEqual({ full: false, containers: [] })
    delta.noteUncertain()
    expect(delta.news([first, second])).toEqual({ full: true, containers: [first, second] })
  })
})

test('sparse bits are a set of numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 20_000 }))), (steps) => {
      const bits = new SparseBits()
      const model = new Set<number>()
      for (const [adds, value] of steps) {
        if (adds) bits.add(value)
        else bits.delete(value)
        if (adds) model.add(value)
        else model.delete(value)
      }
      for (const [, value] of steps) expect(bits.has(value)).toBe(model.has(value))
    }),
  )
})
