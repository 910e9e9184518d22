import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { parseCopySource } from '../../src/core/request/copy-source.ts'
import { parseDecimal } from '../../src/core/request/decimal.ts'
import { parseEntityTags } from '../../src/core/request/entity-tags.ts'
import { headerOfText, textOfHeader, userMetadata } from '../../src/core/request/header-text.ts'
import {
  formatBasicDate,
  formatHttpDate,
  formatIsoDate,
  parseBasicDate,
  parseHttpDate,
} from '../../src/core/request/http-date.ts'
import { decodePercent, encodePart, encodePath, isCanonical } from '../../src/core/request/percent.ts'
import { parseCopyRange, parseRange } from '../../src/core/request/range.ts'

describe('decimals', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['007', 7],
    ['10000', 10_000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    ['99999999999999999999', undefined],
    ['', undefined],
    [' 5', undefined],
    ['5 ', undefined],
    ['-0', undefined],
    ['+5', undefined],
    ['1e9', undefined],
    ['0x10', undefined],
    ['1.0', undefined],
    ['1_000', undefined],
    ['٣', undefined],
    ['Infinity', undefined],
  ])('%j', (text, expected) => {
    expect(parseDecimal(text)).toBe(expected)
  })

  test('have a bound', () => {
    expect(parseDecimal('1000', 1000)).toBe(1000)
    expect(parseDecimal('1001', 1000)).toBeUndefined()
  })
})

describe('ranges', () => {
  test.each([
    ['bytes=0-0', { kind: 'from-to', start: 0, end: 1 }],
    ['bytes=5-9', { kind: 'from-to', start: 5, end: 10 }],
    ['Bytes=5-', { kind: 'from-to', start: 5 }],
    ['bytes=-5', { kind: 'suffix', length: 5 }],
    ['bytes=-0', { kind: 'suffix', length: 0 }],
    ['bytes= 1-2 ', { kind: 'from-to', start: 1, end: 3 }],
    ['bytes=0-99999999999999999999999', { kind: 'from-to', start: 0, end: Number.MAX_SAFE_INTEGER }],
    ['bytes=99999999999999999999999-', { kind: 'from-to', start: Number.MAX_SAFE_INTEGER - 1 }],
    ['bytes=9-5', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=a-b', undefined],
    ['bytes=1 - 2', undefined],
    ['bytes', undefined],
    ['lines=0-1', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (value, expected) => {
    expect(parseRange(value)).toEqual(expected)
  })

  test.each([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=5-9', { start: 5, end: 10 }],
  ])('to copy: %s', (value, expected) => {
    expect(parseCopyRange(value)).toEqual(expected)
  })

  test.each(['bytes=9-5', 'bytes=5-', 'bytes=-5', 'bytes=0-1,2-3', '0-5', 'bytes=a-b', ''])(
    'to copy: %j is refused',
    (value) => {
      expect(parseCopyRange(value)).toMatchObject({ code: 'InvalidArgument' })
    },
  )
})

test.each([
  ['*', '*'],
  [' * ', '*'],
  ['"a"', ['a']],
  ['a', ['a']],
  ['W/"a"', ['a']],
  ['"a", "b" ,c', ['a', 'b', 'c']],
  ['"a,b"', ['a,b']],
  ['"*"', ['*']],
  ['"a""b"', ['a', 'b']],
  ['"open', ['open']],
  ['', []],
  [',,', []],
])('entity tags %j', (value, expected) => {
  expect(parseEntityTags(value)).toEqual(expected)
})

describe('dates', () => {
  const example = Date.UTC(1994, 10, 6, 8, 49, 37)

  test.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', example],
    ['Sun, 6 Nov 1994 08:49:37 +0000', example],
    ['Sunday, 06-Nov-94 08:49:37 GMT', example],
    ['Sun Nov  6 08:49:37 1994', example],
    ['Thu, 29 Feb 2024 23:59:60 GMT', Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['Thu, 29 Feb 2023 00:00:00 GMT', undefined],
    ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
    ['Sun, 06 Foo 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 08:49:37 PST', undefined],
    ['1994-11-06T08:49:37Z', undefined],
    ['784111777', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(parseHttpDate(text)).toBe(expected)
  })

  test.each([
    ['20130524T000000Z', Date.UTC(2013, 4, 24)],
    ['20000229T235959Z', Date.UTC(2000, 1, 29, 23, 59, 59)],
    ['19000229T000000Z', undefined],
    ['20130524T000000', undefined],
    ['20130524 000000Z', undefined],
    ['2013052aT000000Z', undefined],
    ['20131301T000000Z', undefined],
    ['20130500T000000Z', undefined],
    ['20130524T006000Z', undefined],
    ['-0130524T000000Z', undefined],
  ])('%j', (text, expected) => {
    expect(parseBasicDate(text)).toBe(expected)
  })

  test('are those of the calendar, and are read as they are written', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
        (date) => {
          const seconds = new Date(Math.floor(date.getTime() / 1000) * 1000)
          expect(formatHttpDate(date.getTime())).toBe(seconds.toUTCString())
          expect(formatIsoDate(date.getTime())).toBe(seconds.toISOString())
          expect(parseHttpDate(formatHttpDate(date.getTime()))).toBe(seconds.getTime())
          expect(parseBasicDate(formatBasicDate(date.getTime()))).toBe(seconds.getTime())
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('percent-encoding', () => {
  test('leaves the unreserved, and comes back', () => {
    expect(encodePart("AZaz09-._~ !'()*/+%é")).toBe('AZaz09-._~%20%21%27%28%29%2A%2F%2B%25%C3%A9')
    expect(encodePath('a/b c')).toBe('a/b%20c')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodePercent(encodePart(text))).toBe(text)
        expect(decodePercent(encodePath(text))).toBe(text)
      }),
    )
  })

  test('is canonical exactly when it is what the encoder writes', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', '~', '/', '%', '%2F', '%2f', '%41', '%C3%A9', '%20', ' ', '+', '!', '2'),
    })
    fc.assert(
      fc.property(part, (raw) => {
        const decoded = decodePercent(raw)
        const isSame = (encode: (text: string) => string): boolean => decoded !== undefined && encode(decoded) === raw
        expect(isCanonical(raw, 'escaped')).toBe(isSame(encodePart))
        // In a path an escaped slash is one that decoding would lose, so it is not canonical there.
        expect(isCanonical(raw, 'plain')).toBe(isSame(encodePath))
      }),
      { numRuns: 800 },
    )
  })

  test.each([
    ['a%2', 0, 3, false],
    ['a%20b', 0, 3, false],
    ['a%20b', 0, 4, true],
    ['a b', 2, 3, true],
  ])('is judged within its bounds: %j from %i to %i', (raw, from, to, expected) => {
    expect(isCanonical(raw, 'plain', from, to)).toBe(expected)
  })
})

describe('texts in headers', () => {
  test('are UTF-8, and come back', () => {
    const printable = fc.string({ unit: 'binary' }).filter((text) => headerOfText(text) !== undefined)
    fc.assert(
      fc.property(printable, (text) => {
        const header = headerOfText(text) ?? ''
        expect(Buffer.from(header, 'latin1').toString()).toBe(text)
        expect(textOfHeader(header)).toBe(text)
      }),
    )
  })

  test.each(['a\r\nb', 'a\nb', '\0', '\x7f', '\x1b', '\ud800'])('%j cannot be one', (text) => {
    expect(headerOfText(text)).toBeUndefined()
  })

  test('are ISO-8859-1 where they are not UTF-8', () => {
    expect(textOfHeader('caf\u00e9')).toBe('café')
    expect(textOfHeader('100%\u00c3\u00a9')).toBe('100%é')
  })

  test('user metadata is every header of its prefix', () => {
    const headers = new Map([
      ['host', 'x'],
      ['x-amz-meta-a', '1'],
      ['x-amz-meta-__proto__', '2'],
      ['x-amz-meta-', '3'],
      ['x-amz-meta-e', '\u00c3\u00a9'],
    ])
    expect(Object.entries(userMetadata(headers))).toEqual([
      ['a', '1'],
      ['__proto__', '2'],
      ['', '3'],
      ['e', 'é'],
    ])
  })
})

describe('copy sources', () => {
  test.each([
    ['bucket/key', { bucket: 'bucket', key: 'key' }],
    ['/bucket/key', { bucket: 'bucket', key: 'key' }],
    ['/bucket/a%2Fb%20c+d', { bucket: 'bucket', key: 'a/b c+d' }],
    ['/bucket//a/../b', { bucket: 'bucket', key: '/a/../b' }],
    ['bucket/a?b', { bucket: 'bucket', key: 'a?b' }],
    ['bucket/key?versionId=v1', { bucket: 'bucket', key: 'key', versionId: 'v1' }],
    ['bucket/key?versionId=', { bucket: 'bucket', key: 'key', versionId: '' }],
    ['bucket/a?versionId=b?versionId=c', { bucket: 'bucket', key: 'a?versionId=b', versionId: 'c' }],
    ['bucket/\u00c3\u00a9', { bucket: 'bucket', key: 'é' }],
  ])('%j', (value, expected) => {
    expect(parseCopySource(value)).toEqual(expected)
  })

  test.each(['', '/', 'bucket', '/bucket/', '//key', '/bucket/%zz', '/bucket/%ff', '?versionId=1'])(
    '%j is none',
    (value) => {
      const source = parseCopySource(value)
      expect(source instanceof S3Error && source.code).toBe('InvalidArgument')
    },
  )
})
