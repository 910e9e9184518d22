import { expect, test } from 'vitest'
import { SigningKeys } from '../../src/auth/signing-key.ts'

const scoped = { accessKeyId: 'a', date: '20130524', region: 'us-east-1', service: 's3', terminal: 'aws4_request' }

test('a key is derived once for a credential and a secret', () => {
  const keys = new SigningKeys()
  const first = keys.keyFor('a/…', scoped, 'secret')
  expect(keys.keyFor('a/…', scoped, 'secret')).toBe(first)
  expect(keys.scopeOf('a/…')).toBe(scoped)
  expect(keys.keyFor('a/…', scoped, 'another').sign('')).not.toBe(first.sign(''))
})

test('a full cache forgets the oldest', () => {
  const keys = new SigningKeys(2)
  for (const name of ['a', 'b', 'c']) keys.keyFor(name, scoped, 'secret')
  expect(['a', 'b', 'c'].map((name) => keys.scopeOf(name) !== undefined)).toEqual([false, true, true])
})

test('strangers share one key, and it is nobody’s', () => {
  const keys = new SigningKeys()
  const key = keys.keyForStranger(scoped)
  expect(keys.keyForStranger({ ...scoped, accessKeyId: 'b' })).toBe(key)
  expect(keys.keyForStranger({ ...scoped, date: '20130525' }).sign('')).not.toBe(key.sign(''))
  expect(keys.scopeOf('a')).toBeUndefined()
})
