import { describe, expect, test } from 'vitest'
import { dueKey, earlyKey, expiredKeys, refreshMsOf, signingKey } from '../../src/core/secret-key.ts'
import type { KeyTimes } from '../../src/core/secret-key.ts'

const schedule = { secretKeyPeriodMs: 1000, secretKeyLeadMs: 100 }
const key = (id: number, activeFromMs: number): KeyTimes => ({ id, activeFromMs, expiresMs: activeFromMs + 3000 })

describe('the next key', () => {
  test.each<[string, readonly KeyTimes[], number, KeyTimes | undefined]>([
    ['the first signs at once', [], 50, key(1, 50)],
    ['is not due before the lead', [key(1, 0)], 899, undefined],
    ['is made a lead before it signs', [key(1, 0)], 900, key(2, 1000)],
    ['is due once', [key(1, 0), key(2, 1000)], 950, undefined],
    ['signs a lead after it is made late', [key(1, 0)], 1500, key(2, 1600)],
    ['signs at once where the last one is over', [key(1, 0)], 2_950, key(2, 2_950)],
    ['goes by the newest', [key(5, 4000), key(4, 3000)], 4_900, key(6, 5000)],
  ])('%s', (_, keys, nowMs, due) => expect(dueKey(keys, nowMs, schedule)).toEqual(due))

  test('comes early when an administrator asks', () => {
    expect(earlyKey([key(1, 0)], 200, schedule)).toEqual(key(2, 300))
    expect(earlyKey([], 200, schedule)).toEqual(key(1, 200))
  })
})

describe('the key that signs', () => {
  test.each<[string, readonly KeyTimes[], number, number | undefined]>([
    ['is the newest that may', [key(1, 0), key(2, 1000), key(3, 2000)], 1999, 2],
    ['whatever their order', [key(3, 2000), key(1, 0), key(2, 1000)], 2000, 3],
    ['is none that is over', [key(1, 0)], 3000, undefined],
    ['is none where there is none', [], 0, undefined],
    ['is the first for a clock that is behind', [key(1, 1000)], 0, 1],
  ])('%s', (_, keys, nowMs, id) => expect(signingKey(keys, nowMs)?.id).toBe(id))
})

test('over is what is not believed any more', () => {
  expect(expiredKeys([key(1, 0), key(2, 1)], 3000).map(({ id }) => id)).toEqual([1])
})

test('whoever has the keys asks several times within the lead', () => {
  expect(4 * refreshMsOf(schedule)).toBeLessThanOrEqual(schedule.secretKeyLeadMs)
})
