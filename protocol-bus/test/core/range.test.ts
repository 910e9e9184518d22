import { describe, expect, test } from 'vitest'
import type { RangeRequest } from '../../src/api/api.ts'
import { resolveRange } from '../../src/core/range.ts'

const fromTo = (start: number, end?: number): RangeRequest =>
  end === undefined ? { kind: 'from-to', start } : { kind: 'from-to', start, end }
const last = (length: number): RangeRequest => ({ kind: 'suffix', length })
const part = (number: number): RangeRequest => ({ kind: 'part', number })

const parts = [
  { number: 1, size: 5 },
  { number: 3, size: 0 },
  { number: 4, size: 2 },
]

describe('a range that leaves something', () => {
  test.each<[RangeRequest | undefined, number, readonly [number, number]]>([
    [undefined, 10, [0, 10]],
    [undefined, 0, [0, 0]],
    [fromTo(0), 10, [0, 10]],
    [fromTo(9), 10, [9, 10]],
    [fromTo(0, 1), 10, [0, 1]],
    [fromTo(3, 7), 10, [3, 7]],
    [fromTo(3, 700), 10, [3, 10]],
    [last(1), 10, [9, 10]],
    [last(10), 10, [0, 10]],
    [last(11), 10, [0, 10]],
    [part(1), 10, [0, 10]],
    [part(1), 0, [0, 0]],
  ])('%j of %d bytes', (request, size, [start, end]) => {
    expect(resolveRange(request, { size })).toEqual({ start, end })
  })

  test.each([
    [1, [0, 5]],
    [3, [5, 5]],
    [4, [5, 7]],
  ])('part %d of three', (number, [start, end]) => {
    expect(resolveRange(part(number), { size: 7, parts })).toEqual({ start, end })
  })
})

describe('a range that leaves nothing is refused', () => {
  test.each<[RangeRequest, number]>([
    [fromTo(10), 10],
    [fromTo(11, 12), 10],
    [fromTo(5, 5), 10],
    [fromTo(5, 4), 10],
    [fromTo(0), 0],
    [fromTo(0, 1), 0],
    [fromTo(-1, 5), 10],
    [fromTo(Number.NaN), 10],
    [fromTo(0, Number.NaN), 10],
    [last(0), 10],
    [last(1), 0],
    [last(-1), 10],
    [last(Number.NaN), 10],
    [part(0), 10],
    [part(2), 10],
  ])('%j of %d bytes', (request, size) => {
    expect(resolveRange(request, { size })).toMatchObject({ code: 'InvalidRange', details: { size } })
  })

  test('a part between those that there are', () => {
    expect(resolveRange(part(2), { size: 7, parts })).toMatchObject({ code: 'InvalidRange', details: { parts: 3 } })
  })
})
