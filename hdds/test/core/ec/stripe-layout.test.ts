import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shapeOf, shardCount } from '../../../src/core/ec/ec-shape.ts'
import {
  cellsOf,
  storedCellBytes,
  storedShardBytes,
  stripeAt,
  stripeCount,
} from '../../../src/core/ec/stripe-layout.ts'
import type { EcStream } from '../../../src/core/ec/stripe-layout.ts'

const KiB = 1024
const MiB = 1024 * KiB
const streamOf = (streamBytes: number): EcStream => ({ ...shapeOf('rs-6-3-1024k'), streamBytes })

/** What each shard stores, stripe by stripe. */
const stored = (stream: EcStream): number[][] =>
  Array.from({ length: stripeCount(stream) }, (_, i) =>
    Array.from({ length: shardCount(stream) }, (__, shard) => storedCellBytes(stream, stripeAt(stream, i), shard)),
  )

test.each([
  [0, []],
  [1, [[1, 0, 0, 0, 0, 0, 1, 1, 1]]],
  [64 * KiB, [[64, 0, 0, 0, 0, 0, 64, 64, 64].map((k) => k * KiB)]],
  [130 * KiB, [[64, 64, 2, 0, 0, 0, 64, 64, 64].map((k) => k * KiB)]],
  [384 * KiB + 1, [[128, 128, 128, 0, 0, 0, 128, 128, 128].map((k) => k * KiB).with(3, 1)]],
  [6 * MiB, [Array.from({ length: 9 }, () => MiB)]],
  [6 * MiB + 5, [Array.from({ length: 9 }, () => MiB), [5, 0, 0, 0, 0, 0, 5, 5, 5]]],
])('a stream of %i bytes', (streamBytes, expected) => {
  expect(stored(streamOf(streamBytes))).toEqual(expected)
})

describe('any stream', () => {
  const streams = fc.record({
    dataShards: fc.integer({ min: 1, max: 10 }),
    parityShards: fc.integer({ min: 1, max: 4 }),
    cellBytes: fc.constantFrom(1, 7, 4096, 64 * KiB, 100 * KiB, MiB),
    streamBytes: fc.integer({ min: 0, max: 3 * MiB }),
  })
  const few = streams.filter((stream) => stripeCount(stream) < 2_000)

  test('is held by the data shards once, and parity is never longer than a data cell', () => {
    fc.assert(
      fc.property(few, (stream) => {
        const cells = stored(stream)
        const data = cells.flatMap((stripe) => stripe.slice(0, stream.dataShards))
        expect(data.reduce((sum, bytes) => sum + bytes, 0)).toBe(stream.streamBytes)
        for (const stripe of cells) {
          expect(Math.max(...stripe)).toBe(stripe[0])
          expect(stripe[0]).toBeLessThanOrEqual(stream.cellBytes)
        }
        for (let shard = 0; shard < shardCount(stream); shard++) {
          const sum = cells.reduce((total, stripe) => total + stripe[shard]!, 0)
          expect(storedShardBytes(stream, shard)).toBe(sum)
        }
      }),
    )
  })

  test('has each byte of a range in one cell, in order, at its place', () => {
    fc.assert(
      fc.property(few, fc.nat(), fc.nat(), (stream, a, b) => {
        const offset = a % (stream.streamBytes + 1)
        const length = Math.min(b % (64 * KiB), stream.streamBytes - offset)
        let at = offset
        for (const { stripe, shard, from, to } of cellsOf(stream, offset, length)) {
          expect(stripe.firstByte + shard * stripe.codedBytes + from).toBe(at)
          expect(to).toBeGreaterThan(from)
          expect(to).toBeLessThanOrEqual(storedCellBytes(stream, stripe, shard))
          at += to - from
        }
        expect(at).toBe(offset + length)
      }),
    )
  })
})
