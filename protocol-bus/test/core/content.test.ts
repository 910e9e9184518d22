import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Content, Segment } from '@o3/om/api'
import { newAccessKey } from '../../src/core/access-key.ts'
import { judgeKeyName } from '../../src/core/key-name.ts'
import { maxPageItems, pageLimit } from '../../src/core/page-limit.ts'
import { copiedPartEtag } from '../../src/core/part-etag.ts'
import { segmentsOf } from '../../src/core/segments.ts'
import { selectParts } from '../../src/core/select-parts.ts'

/** Each byte of a block is known by where it is: what a reader of the segments would get. */
const bytesOf = (segments: readonly Segment[]): string[] =>
  segments.flatMap((segment) =>
    segment.kind === 'inline'
      ? [...segment.bytes].map((byte) => `inline:${byte}`)
      : Array.from({ length: segment.length }, (_, i) => `${segment.block.local}:${segment.offset + i}`),
  )

const segment = fc.oneof(
  fc.record({
    kind: fc.constant('block' as const),
    block: fc.record({ container: fc.constant(1), local: fc.integer({ min: 1, max: 99 }) }),
    offset: fc.integer({ min: 0, max: 5 }),
    length: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('inline' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 5 }) }),
)

test('the segments of a range hold exactly its bytes', () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), fc.nat(60), fc.nat(60), (segments, a, b) => {
      const all = bytesOf(segments)
      const start = Math.min(a, b, all.length)
      const end = Math.min(Math.max(a, b), all.length)
      const content: Content = { kind: 'blocks', segments }
      expect(bytesOf(segmentsOf(content, { start, end }))).toEqual(all.slice(start, end))
    }),
  )
})

test('a whole segment is handed on as it is, an inline key is one segment', () => {
  const whole: Segment = { kind: 'block', block: { container: 1, local: 2 }, offset: 0, length: 4 }
  expect(segmentsOf({ kind: 'blocks', segments: [whole] }, { start: 0, end: 4 })[0]).toBe(whole)
  const content: Content = { kind: 'inline', bytes: Uint8Array.of(1, 2, 3) }
  expect(bytesOf(segmentsOf(content, { start: 1, end: 3 }))).toEqual(['inline:2', 'inline:3'])
})

describe('the parts that a completion names', () => {
  const stored = [
    { number: 1, size: 10, etag: 'a', checksum: { value: 'x' } },
    { number: 2, size: 5, etag: 'b' },
    { number: 7, size: 1, etag: 'c' },
  ]
  const numbers = (named: Parameters<typeof selectParts>[1], minPartBytes = 0): unknown => {
    const selected = selectParts(stored, named, minPartBytes)
    return 'kind' in selected ? selected.code : selected.map(({ number }) => number)
  }

  test.each<[string, Parameters<typeof selectParts>[1], unknown]>([
    ['all', stored.map(({ number, etag }) => ({ number, etag })), [1, 2, 7]],
    ['some', [{ number: 2, etag: 'b' }], [2]],
    ['with its checksum', [{ number: 1, etag: 'a', checksum: 'x' }], [1]],
    ['none', [], 'InvalidPart'],
    [
      'in another order',
      [
        { number: 2, etag: 'b' },
        { number: 1, etag: 'a' },
      ],
      'InvalidPartOrder',
    ],
    [
      'one twice',
      [
        { number: 2, etag: 'b' },
        { number: 2, etag: 'b' },
      ],
      'InvalidPartOrder',
    ],
    ['one that is not there', [{ number: 3, etag: 'b' }], 'InvalidPart'],
    ['one with another ETag', [{ number: 2, etag: 'x' }], 'InvalidPart'],
    ['one with another checksum', [{ number: 1, etag: 'a', checksum: 'y' }], 'InvalidPart'],
    ['one with a checksum that it has not', [{ number: 2, etag: 'b', checksum: 'y' }], 'InvalidPart'],
  ])('%s', (_, named, expected) => {
    expect(numbers(named)).toEqual(expected)
  })

  test('all but the last have a least size', () => {
    const named = stored.map(({ number, etag }) => ({ number, etag }))
    expect(numbers(named, 5)).toEqual([1, 2, 7])
    expect(numbers(named, 6)).toBe('PartTooSmall')
  })
})

describe('the ETag of a part copied by reference', () => {
  const md5 = (text: string): string => `md5(${text})`
  const simple = 'd41d8cd98f00b204e9800998ecf8427e'

  test.each([
    [{ etag: simple, size: 9 }, { start: 0, end: 9 }, simple],
    [{ etag: simple, size: 9 }, { start: 0, end: 8 }, `md5(${simple}:0-8)`],
    [{ etag: `${simple}-2`, size: 9 }, { start: 0, end: 9 }, `md5(${simple}-2:0-9)`],
  ])('%j %j', (source, range, expected) => {
    expect(copiedPartEtag(source, range, md5)).toBe(expected)
  })
})

describe('the name of a key', () => {
  test.each(['a', '/', 'a//b', '../x', 'a/', '\u0000', '😀'.repeat(256), 'x'.repeat(1024)])('%j may be', (name) => {
    expect(judgeKeyName(name)).toBeUndefined()
  })
  test.each([
    ['', 'InvalidName'],
    ['a\ud800b', 'InvalidName'],
    ['x'.repeat(1025), 'KeyTooLong'],
    ['ä'.repeat(513), 'KeyTooLong'],
    [`${'😀'.repeat(256)}x`, 'KeyTooLong'],
  ])('%j may not', (name, code) => {
    expect(judgeKeyName(name)).toMatchObject({ code })
  })
})

test.each([
  [0, 0],
  [1, 1],
  [maxPageItems, maxPageItems],
  [maxPageItems + 1, maxPageItems],
])('a page of %d has at most %d', (asked, limit) => {
  expect(pageLimit(asked)).toBe(limit)
})

test.each([-1, 0.5, Number.NaN, Infinity])('a page of %d is refused', (asked) => {
  expect(pageLimit(asked)).toMatchObject({ code: 'InvalidArgument' })
})

test('generated access keys look like access keys, and every bit of the random bytes that is used counts', () => {
  const made = Array.from({ length: 64 }, (_, i) => newAccessKey({ bytes: (length) => new Uint8Array(length).fill(i) }))
  for (const { id, secret } of made) {
    expect(id).toMatch(/^O3[A-Z2-7]{18}$/)
    // No dash anywhere: for a command line one in front is a flag.
    expect(secret).toMatch(/^[A-Za-z0-9._]{40}$/)
  }
  expect(new Set(made.map(({ id }) => id)).size).toBe(32)
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(64)
})
