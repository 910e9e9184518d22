import { describe, expect, test } from 'vitest'
import {
  AssertionError,
  StoreError,
  assert,
  categoryOf,
  isStoreError,
  refuse,
  retryOf,
  storeErrorCodes,
} from '../../src/errors.ts'

describe('StoreError', () => {
  test.each(storeErrorCodes)('%s survives the trip over a wire', (code) => {
    const error = new StoreError(code, 'why', { details: { bucket: 'b', size: 3, hard: true } })
    const back = StoreError.fromRecord(JSON.parse(JSON.stringify(error.toRecord())))
    expect(back).toMatchObject({ code, message: 'why', details: { bucket: 'b', size: 3, hard: true } })
    expect([back.category, back.retry]).toEqual([categoryOf(code), retryOf(code)])
  })

  test('a stranger becomes Internal, keeps its cause, and says nothing of it in public', () => {
    const stranger = new Error('password is 1234')
    const error = StoreError.from(stranger)
    expect(error).toMatchObject({ code: 'Internal', cause: stranger })
    expect(JSON.stringify(error.toRecord())).not.toContain('1234')
    expect(StoreError.from(error)).toBe(error)
  })

  test('what may have happened is retried as the same request only', () => {
    const unknown = storeErrorCodes.filter((code) => categoryOf(code) === 'unknown-outcome')
    expect(unknown).toEqual(['DeadlineExceeded', 'OutcomeUnknown'])
    expect(unknown.map(retryOf)).toEqual(['same-request', 'same-request'])
  })

  test.each([
    [new StoreError('Busy', ''), [], true],
    [new StoreError('Busy', ''), ['Busy', 'Closed'], true],
    [new StoreError('Busy', ''), ['Closed'], false],
    [new Error('Busy'), [], false],
  ] as const)('isStoreError %#', (thrown, codes, expected) => {
    expect(isStoreError(thrown, ...codes)).toBe(expected)
  })
})

test('a refusal is a value, with details only where there are some', () => {
  expect(refuse('BucketNotEmpty', 'why')).toEqual({ kind: 'refusal', code: 'BucketNotEmpty', message: 'why' })
  expect(refuse('TooLarge', 'why', { bytes: 1 })).toMatchObject({ details: { bytes: 1 } })
})

test('an assertion that fails says what was assumed', () => {
  expect(() => assert(false, 'the sky is blue')).toThrow(new AssertionError('the sky is blue'))
  expect(() => assert(0, 'zero is nothing')).toThrow(AssertionError)
  expect(() => assert('x', 'a text is something')).not.toThrow()
})
