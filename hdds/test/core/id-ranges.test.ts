import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeIdRanges, encodeIdRanges, IdRanges } from '../../src/core/id-ranges.ts'

const ids = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 })

test('holds what was added, in as few runs as there are gaps', () => {
  fc.assert(
    fc.property(ids, (added) => {
      const ranges = new IdRanges()
      for (const id of added) ranges.add(id)
      const set = new Set(added)
      for (let id = 0; id <= 61; id++) expect(ranges.has(id)).toBe(set.has(id))
      expect(ranges.all.length).toBe([...set].filter((id) => !set.has(id - 1)).length)
    }),
  )
})

test('holds no more what was removed', () => {
  fc.assert(
    fc.property(ids, ids, (added, removed) => {
      const ranges = new IdRanges()
      for (const id of added) ranges.add(id)
      for (const id of removed) ranges.remove(id)
      const set = new Set(added.filter((id) => !removed.includes(id)))
      for (let id = 0; id <= 61; id++) expect(ranges.has(id)).toBe(set.has(id))
      expect(ranges.all.length).toBe([...set].filter((id) => !set.has(id - 1)).length)
    }),
  )
})

test('comes back from its bytes', () => {
  fc.assert(
    fc.property(ids, (added) => {
      const ranges = new IdRanges()
      for (const id of added) ranges.add(id)
      expect(decodeIdRanges(encodeIdRanges(ranges)).all).toEqual(ranges.all)
    }),
  )
})

test('has fixed bytes, and refuses those of another version', () => {
  const ranges = new IdRanges([
    { first: 3, last: 5 },
    { first: 9, last: 9 },
  ])
  const bytes = encodeIdRanges(ranges)
  expect([...bytes]).toEqual([1, 2, 3, 2, 4, 0])
  bytes[0] = 2
  expect(() => decodeIdRanges(bytes)).toThrow('version 2')
})

test('made coarse, holds all that it held, in at most so many runs, and nothing above the lowest of them that it had not', () => {
  fc.assert(
    fc.property(ids, fc.integer({ min: 1, max: 20 }), (added, most) => {
      const ranges = new IdRanges()
      for (const id of added) ranges.add(id)
      const before = [...ranges.all]
      ranges.coarsen(most)
      expect(ranges.all.length).toBe(Math.min(most, before.length))
      expect(ranges.all.slice(1)).toEqual(before.slice(before.length - ranges.all.length + 1))
      for (const id of added) expect(ranges.has(id)).toBe(true)
    }),
  )
})
