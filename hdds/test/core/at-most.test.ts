import { LRUCache } from 'lru-cache'
import { expect, test } from 'vitest'
import { atMost } from '../../src/core/at-most.ts'

test('what was not used for longest goes, beyond so many', () => {
  const cache = new LRUCache<number, string>(atMost(3))
  for (const key of [1, 2, 3]) cache.set(key, `value ${key}`)
  expect(cache.get(1)).toBe('value 1')
  cache.set(4, 'value 4')
  expect(cache.get(2)).toBeUndefined()
  expect([...cache.keys()].toSorted((one, other) => one - other)).toEqual([1, 3, 4])
  for (let key = 5; key < 1000; key++) cache.set(key, '')
  expect(cache.size).toBe(3)
})
