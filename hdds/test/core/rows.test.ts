import { isStoreError } from '@o3/common/errors'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeRow, encodeRow, storedBytes } from '../../src/core/block-row.ts'
import { checksumOfCommit, commitPayload } from '../../src/core/commit.ts'
import { decodeDamageList, encodeDamageList } from '../../src/core/damage-list.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/core/checkpoint-row.ts'
import { decodeRewrittenBytes, encodeRewrittenBytes } from '../../src/core/rewritten-bytes.ts'
import { decodeScrubStamp, encodeScrubStamp } from '../../src/core/scrub-schedule.ts'
import { decodeTombstone, encodeTombstone, runsOf } from '../../src/core/tombstone.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const hash = { high: 0x0102_0304, low: 0xfffe_fdfc }
const sums = {
  end: 5000,
  liveBytes: 300,
  blockCount: 2,
  seal: 'agreed',
  hash: undefined,
  damaged: [{ from: 64, to: 128 }],
} as const
const streamed = {
  lengthBytes: 200_000,
  whole: false,
  extents: [
    { fileOffset: 64, length: 100_000 },
    { fileOffset: undefined, length: 100_000 },
  ],
}
const damages = [
  { container: 300, generation: 3, kind: 'damaged-chunk', local: 7, fileOffset: 4096, message: 'x' },
  { container: 1, generation: 1, kind: 'index-mismatch', local: undefined, fileOffset: 0, message: 'y' },
] as const
const rewritten = { name: { container: 300, generation: 3 }, from: 4096, bytes: Uint8Array.of(1, 2, 3) }
const tombstone = { runs: [{ first: 7, count: 300 }], blocks: 300, freedBytes: 70_000 }

describe('version 1 is these bytes', () => {
  test.each([
    [
      'a small block',
      encodeRow({ lengthBytes: 5, whole: true, extents: [{ fileOffset: 0, length: 5 }] }),
      '0101010105',
    ],
    ['a streamed block with a lost part', encodeRow(streamed), '01000202a08d0600a08d06'],
    ['a tombstone', encodeTombstone(tombstone), '01ac02f0a2040107ac02'],
    ['a scrub stamp', encodeScrubStamp(1000.5), '01e807'],
    ['bytes that are written again', encodeRewrittenBytes(rewritten), '01ac0203' + '8020' + '03010203'],
    ['a list of damage', encodeDamageList(damages), '0102ac020300010780200178' + '0101020000' + '0179'],
  ])('%s', (_, bytes, expected) => {
    expect(hex(bytes)).toBe(expected)
  })

  test.each([
    [0, 'none'],
    [1, 'agreed'],
  ])('a checkpoint that is sealed: %i', (sealed, seal) => {
    const bytes = Buffer.from(`010380208827ac02020${sealed}01408001`, 'hex')
    expect(decodeCheckpoint(bytes)).toEqual({ generation: 3, scanFrom: 4096, sums: { ...sums, seal } })
  })
})

describe('version 2 is these bytes', () => {
  const checksum = 0xe306_9283
  const whole = { lengthBytes: 5, whole: true, extents: [{ fileOffset: 0, length: 5 }], checksum }
  const alone = { generation: 3, scanFrom: 4096, sums: { ...sums, hash, seal: 'alone' } } as const
  test.each([
    ['a small block', encodeRow(whole), '0201' + '839206e3' + '010105'],
    ['a tombstone', encodeTombstone({ ...tombstone, hash }), '02ac02f0a20404030201fcfdfeff0107ac02'],
    [
      'a checkpoint without a hash',
      encodeCheckpoint({ generation: 3, scanFrom: 4096, sums }),
      '020380208827ac0202' + '01' + '00' + '01408001',
    ],
    [
      'a checkpoint with one',
      encodeCheckpoint(alone),
      '020380208827ac0202' + '02' + '01' + '04030201fcfdfeff' + '01408001',
    ],
    [
      'a checkpoint of an origin',
      encodeCheckpoint({ ...alone, sums: { ...alone.sums, seal: 'origin' } }),
      '020380208827ac0202' + '03' + '01' + '04030201fcfdfeff' + '01408001',
    ],
    ['the payload of a commit', commitPayload(checksum), '839206e3'],
  ])('%s', (_, bytes, expected) => {
    expect(hex(bytes)).toBe(expected)
  })

  test('and comes back', () => {
    expect(decodeRow(encodeRow(whole))).toEqual(whole)
    expect(decodeTombstone(encodeTombstone({ ...tombstone, hash }))).toEqual({ ...tombstone, hash })
    expect(decodeCheckpoint(encodeCheckpoint(alone))).toEqual(alone)
    const origin = { ...alone, sums: { ...alone.sums, seal: 'origin' } } as const
    expect(decodeCheckpoint(encodeCheckpoint(origin))).toEqual(origin)
    expect(checksumOfCommit(commitPayload(checksum))).toBe(checksum)
    expect(checksumOfCommit(new Uint8Array(0))).toBeUndefined()
  })
})

describe('rows come back as they were', () => {
  const extents = fc.array(
    fc.record({
      fileOffset: fc.option(
        fc.integer({ min: 0, max: 2 ** 34 }).map((slot) => slot * 64),
        { nil: undefined },
      ),
      length: fc.integer({ min: 0, max: 1 << 20 }),
    }),
    { maxLength: 40 },
  )

  test('blocks', () => {
    fc.assert(
      fc.property(extents, fc.boolean(), (list, whole) => {
        const lengthBytes = list.reduce((sum, { length }) => sum + length, 0)
        const row = { lengthBytes, whole, extents: list }
        expect(decodeRow(encodeRow(row))).toEqual(row)
      }),
    )
  })

  test('tombstones', () => {
    expect(decodeTombstone(encodeTombstone(tombstone))).toEqual(tombstone)
  })

  test('checkpoints', () => {
    const checkpoint = { generation: 3, scanFrom: 4096, sums }
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint)
  })

  test('lists of damage', () => {
    expect(decodeDamageList(encodeDamageList(damages))).toEqual(damages)
    expect(() => decodeDamageList(Uint8Array.of(99, 0))).toThrowError(/version 99/)
  })

  test('bytes that are written again', () => {
    expect(decodeRewrittenBytes(encodeRewrittenBytes(rewritten))).toEqual(rewritten)
    expect(() => decodeRewrittenBytes(Uint8Array.of(99, 0))).toThrowError(/version 99/)
  })

  test('scrub stamps', () => {
    expect(decodeScrubStamp(encodeScrubStamp(1_795_000_000_000))).toBe(1_795_000_000_000)
  })
})

describe('an unknown version is refused', () => {
  test.each([
    ['block', decodeRow],
    ['tombstone', decodeTombstone],
    ['checkpoint', decodeCheckpoint],
    ['scrub stamp', decodeScrubStamp],
  ])('%s', (_, decode: (bytes: Uint8Array) => unknown) => {
    expect(() => decode(Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0))).toThrowError(
      expect.toSatisfy((error: unknown) => isStoreError(error, 'Damaged')),
    )
  })
})

test.each([
  ['one record', { lengthBytes: 4096, whole: true, extents: [{ fileOffset: 0, length: 4096 }] }, 4160],
  ['an empty block', { lengthBytes: 0, whole: true, extents: [{ fileOffset: 0, length: 0 }] }, 64],
  ['two records and a commit', streamed, 2 * 100_096 + 64],
])('%s takes its records with headers and padding', (_, row, bytes) => {
  expect(storedBytes(row)).toBe(bytes)
})

test.each([
  [[], []],
  [[5], [{ first: 5, count: 1 }]],
  [
    [1, 2, 3, 7, 8, 10],
    [
      { first: 1, count: 3 },
      { first: 7, count: 2 },
      { first: 10, count: 1 },
    ],
  ],
])('runs of %j', (locals, runs) => {
  expect(runsOf(locals)).toEqual(runs)
})
