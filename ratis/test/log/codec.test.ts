import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { segmentSeed } from '../../src/log/checksum.ts'
import { decodeHardState, encodeHardState, type HardState } from '../../src/log/hard-state.ts'
import {
  blockBytes,
  recordBytes,
  recordFloorAt,
  recordHeaderBytes,
  recordIndexAt,
  recordTermAt,
  sightRecord,
  writeRecord,
} from '../../src/log/record.ts'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  segmentName,
  segmentNameIndex,
  type SegmentHeader,
} from '../../src/log/segment-header.ts'

const group = '00112233445566778899aabbccddeeff'
const seed = segmentSeed(group, 7)
const large = 2 ** 53 - 1
const index = fc.integer({ min: 1, max: large })

function encoded(entry: { index: number; term: number; payload: Uint8Array }, floor: number) {
  const bytes = new Uint8Array(recordBytes(entry.payload.length))
  const view = new DataView(bytes.buffer)
  writeRecord({ bytes, view }, 0, entry, { seed, floor })
  return { bytes, view }
}

const sight = (bytes: Uint8Array, from = seed, at = 0) =>
  sightRecord({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }, at, from)

describe('a record', () => {
  test('is laid out as the format says', () => {
    const { bytes } = encoded({ index: 0x0102, term: 3, payload: Buffer.from('abc') }, 0x0101)
    expect(Buffer.from(bytes).toString('hex')).toMatchInlineSnapshot(
      `"23000000c37cbda50300000000000000020100000000000001010000000000006162630000000000"`,
    )
  })

  test('comes back as it was', () => {
    fc.assert(
      fc.property(index, index, index, fc.uint8Array({ maxLength: 300 }), (at, term, floor, payload) => {
        const { bytes, view } = encoded({ index: at, term, payload }, floor)
        expect(sight(bytes)).toBe('record')
        expect([recordIndexAt(view, 0), recordTermAt(view, 0), recordFloorAt(view, 0)]).toEqual([at, term, floor])
        expect(bytes.subarray(recordHeaderBytes, recordHeaderBytes + payload.length)).toEqual(payload)
      }),
    )
  })

  test('does not survive any flipped bit', () => {
    const { bytes } = encoded({ index: 5, term: 2, payload: Buffer.from('some payload') }, 4)
    for (let bit = 0; bit < (recordHeaderBytes + 12) * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >>> 3]! ^= 1 << (bit & 7)
      expect(sight(flipped)).not.toBe('record')
    }
  })

  test.each([
    ['another log', segmentSeed('ffffffffffffffffffffffffffffffff', 7)],
    ['another segment of the same log', segmentSeed(group, 8)],
  ])('does not verify in %s', (_, otherSeed) => {
    const { bytes } = encoded({ index: 5, term: 2, payload: Buffer.from('x') }, 4)
    expect(sight(bytes, otherSeed)).toBe('invalid')
  })

  test.each([
    ['zeros', new Uint8Array(64), 'nothing'],
    ['less than a header', new Uint8Array(31), 'beyond'],
    ['a length below the header', Uint8Array.of(31, ...new Uint8Array(63)), 'invalid'],
    ['a length behind the window', Uint8Array.of(65, ...new Uint8Array(63)), 'beyond'],
  ])('%s are no record', (_, bytes, expected) => {
    expect(sight(bytes)).toBe(expected)
  })
})

describe('a segment header', () => {
  const header: SegmentHeader = {
    groupId: group,
    sequence: 7,
    firstIndex: large,
    previousTerm: 9,
    isReused: true,
    previousSequence: 4,
    previousFirstIndex: 12,
  }

  test('comes back as it was, in one block', () => {
    const bytes = encodeSegmentHeader(header)
    expect(bytes.length).toBe(blockBytes)
    expect(decodeSegmentHeader(bytes, 'x')).toEqual(header)
  })

  test('is laid out as the format says', () => {
    const bytes = encodeSegmentHeader({ ...header, firstIndex: 0x0102 })
    expect(Buffer.from(bytes.subarray(0, 80)).toString('hex')).toMatchInlineSnapshot(
      `"4f335241544c4f47020000009e9a007300112233445566778899aabbccddeeff070000000000000002010000000000000900000000000000010000000000000004000000000000000c00000000000000"`,
    )
    expect(bytes.subarray(80).every((byte) => byte === 0)).toBe(true)
  })

  test.each([0, 5, 8, 12, 16, 32, 40, 48, 56, 63, 64, 72, 79])('refuses a flip at byte %i', (at) => {
    const bytes = encodeSegmentHeader(header)
    bytes[at]! ^= 1
    expect(() => decodeSegmentHeader(bytes, 'x')).toThrow(/^x/)
  })

  test.each([
    [1, '0000000000000001.segment'],
    [0xabc, '0000000000000abc.segment'],
    [large, '001fffffffffffff.segment'],
  ])('the segment that starts with %i is named %s', (firstIndex, name) => {
    expect(segmentName(firstIndex)).toBe(name)
    expect(segmentNameIndex(name)).toBe(firstIndex)
  })

  test.each(['spare', 'spare.new', 'hard-state', '1.segment', '000000000000000G.segment'])(
    '%s is no segment',
    (name) => {
      expect(segmentNameIndex(name)).toBeUndefined()
    },
  )
})

describe('hard state', () => {
  const state: HardState = {
    groupId: group,
    term: 3,
    vote: 'member-1',
    mayVote: false,
    catchUpIndex: 77,
    commitFloor: large,
    checkpointIndex: 12,
    firstIndex: 4,
    lastSequence: 2,
    lastFirstIndex: 5,
  }

  test('comes back as it was', () => {
    expect(decodeHardState(encodeHardState(state, 9), 'x')).toEqual({ state, generation: 9 })
  })

  test('is laid out as the format says', () => {
    const bytes = encodeHardState({ ...state, commitFloor: 0x0102 }, 9)
    expect(Buffer.from(bytes.subarray(0, 192)).toString('hex')).toMatchInlineSnapshot(
      `"4f33485302000000465c3c9600000000090000000000000000112233445566778899aabbccddeeff030000000000000002010000000000000c0000000000000004000000000000000200000000000000080000006d656d6265722d3100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004d00000000000000050000000000000000000000000000000000000000000000"`,
    )
    expect(bytes.subarray(192).every((byte) => byte === 0)).toBe(true)
  })

  test('a vote has at most 64 bytes', () => {
    expect(() => encodeHardState({ ...state, vote: 'x'.repeat(65) }, 1)).toThrow('a vote')
    expect(decodeHardState(encodeHardState({ ...state, vote: 'x'.repeat(64) }, 1), 'x')?.state.vote).toHaveLength(64)
  })

  test('a flipped bit makes the copy worthless', () => {
    for (let at = 8; at < 192; at++) {
      const bytes = encodeHardState(state, 9)
      bytes[at]! ^= 0x10
      expect(decodeHardState(bytes, 'x')).toBeUndefined()
    }
  })

  test('another version is refused by name', () => {
    const bytes = encodeHardState(state, 9)
    bytes[4] = 3
    expect(() => decodeHardState(bytes, 'log/hard-state')).toThrow('log/hard-state: hard state of version 3')
  })
})
