import { describe, expect, test } from 'vitest'
import { exitCodeOf } from '../src/command-line.ts'
import { StoreError } from '@o3/common/errors'
import type { ErrorDetails, StoreErrorCode } from '@o3/common/errors'
import { hintOf, sentenceOf } from '../src/hints.ts'
import { bytesText, secondsText, timeText } from '../src/output/quantities.ts'
import { addressText, bucketAddress, keyAddress, volumeAddress } from '../src/shell/address.ts'
import { quotaOf } from '../src/shell/flags.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [102_400, '100 KiB'],
  [1_048_575, '1.0 MiB'],
  [3_000_000, '2.9 MiB'],
  [2 ** 50, '1.0 PiB'],
  [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test.each([
  [0.4, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min 00 s'],
  [185, '3 min 05 s'],
  [7_800, '2 h 10 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(secondsText(seconds)).toBe(text)
})

test('times are to the second, in UTC', () => {
  expect(timeText(1_767_225_600_999)).toBe('2026-01-01T00:00:00Z')
})

describe('addresses', () => {
  test.each([
    ['/v/b/k', 'k'],
    ['v/b/k', 'k'],
    ['o3://v/b/k', 'k'],
    ['/v/b/dir/k', 'dir/k'],
    ['/v/b/dir/', 'dir/'],
    ['/v/b//k', '/k'],
    ['/v/b//', '/'],
    ['/v/b/a b\n', 'a b\n'],
  ])('%j is the key %j', (text, key) => {
    expect(keyAddress(text)).toEqual({ volume: 'v', bucket: 'b', key })
  })

  test.each(['/v', '/v/', 'v'])('%s is a volume', (text) => expect(volumeAddress(text)).toBe('v'))
  test.each(['/v/b', '/v/b/', 'v/b'])('%s is a bucket', (text) => {
    expect(bucketAddress(text)).toEqual({ volume: 'v', bucket: 'b' })
    expect(addressText(bucketAddress(text))).toBe('/v/b')
  })

  test.each([
    [volumeAddress, '/v/b'],
    [volumeAddress, '/'],
    [volumeAddress, ''],
    [bucketAddress, '/v'],
    [bucketAddress, '/v/b/k'],
    [keyAddress, '/v/b'],
    [keyAddress, '/v/b/'],
  ])('%o refuses %j', (parse, text) => {
    expect(() => parse(text)).toThrow('is no address of this kind')
  })
})

test('a quota changes where a flag says so, and is gone with none', () => {
  expect(quotaOf({}, { bytes: 5 })).toBeUndefined()
  expect(quotaOf({ quotaKeys: '3' }, { bytes: 5 })).toEqual({ bytes: 5, keys: 3 })
  expect(quotaOf({ quotaBytes: 'none' }, { bytes: 5, keys: 3 })).toEqual({ keys: 3 })
  expect(() => quotaOf({ quotaBytes: 'much' }, {})).toThrow('--quota-bytes is written like 10GiB')
  expect(() => quotaOf({ quotaKeys: '-1' }, {})).toThrow('--quota-keys is a whole number')
})

test.each([
  ['KeyNotFound', 3],
  ['AccessDenied', 4],
  ['InvalidArgument', 2],
  ['BucketNotEmpty', 1],
] as const)('%s ends with exit code %d', (code, exit) => {
  expect(exitCodeOf(new StoreError(code, 'x'))).toBe(exit)
})

test.each([
  ['ENOSPC', '/data/lock: no space is left on its file system (disk lock failed: ENOSPC)'],
  ['EROFS', '/data/lock: its file system is read-only (disk lock failed: EROFS)'],
  ['EWEIRD', '/data/lock: EWEIRD (disk lock failed: EWEIRD)'],
])('%s of a disk is said with its place', (errno, sentence) => {
  const details = { errno, operation: 'lock', path: '/data/lock' }
  expect(sentenceOf(new StoreError('OutOfSpace', `disk lock failed: ${errno}`, { details }))).toBe(sentence)
})

test.each<readonly [StoreErrorCode, ErrorDetails, RegExp | undefined]>([
  ['Busy', { pid: 7, path: '/data/lock' }, /^stop that process/],
  ['Busy', { errno: 'EADDRINUSE', address: '127.0.0.1:1' }, /^something listens there already/],
  ['Busy', {}, undefined],
  ['Unavailable', { try: 'this' }, /^this$/],
])('what to do about %s %j', (code, details, hint) => {
  const told = hintOf(new StoreError(code, 'it failed', { details }))
  if (hint === undefined) expect(told).toBeUndefined()
  else expect(told).toMatch(hint)
})
