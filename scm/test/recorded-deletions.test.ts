import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import { OmissionBuilder, merged, spentBlocks } from '../src/core/recorded-deletions.ts'
import type { Omission } from '../src/core/recorded-deletions.ts'
import type { ContainerRow } from '../src/core/tables.ts'
import { anyRow } from './fixtures/model-cluster.ts'

/** `3+2`: two from 3 on. */
function rangesOf(text: string): readonly { readonly container: number; firstLocal: number; count: number }[] {
  return text.split(' ').map((word) => {
    const [firstLocal = 0, count = 1] = word.split('+').map(Number)
    return { container: 1, firstLocal, count }
  })
}

const textOf = (ranges: readonly { firstLocal: number; count: number }[]): string =>
  ranges.map(({ firstLocal, count }) => `${firstLocal}+${count}`).join(' ')

describe('ranges', () => {
  test.each([
    ['5+1', '5+1'],
    ['7+1 5+1', '5+1 7+1'],
    ['5+2 7+1', '5+3'],
    ['5+4 6+1', '5+4'],
    ['5+1 5+1', '5+1'],
    ['9+1 1+3 4+4', '1+7 9+1'],
  ])('%s become %s', (given, expected) => {
    expect(textOf(merged(rangesOf(given)))).toBe(expected)
  })

  test('are the same ids, rising and apart', () => {
    const random = new SimRandom('merged')
    for (let round = 0; round < 200; round++) {
      const given = Array.from({ length: random.below(30) }, () => ({
        firstLocal: 1 + random.below(60),
        count: 1 + random.below(4),
      }))
      const found = merged(given)
      const ids = (of: typeof given) =>
        new Set(of.flatMap(({ firstLocal, count }) => Array.from({ length: count }, (_, n) => firstLocal + n)))
      expect([...ids(found)].toSorted((a, b) => a - b)).toEqual([...ids(given)].toSorted((a, b) => a - b))
      for (const [n, range] of found.entries()) {
        const next = found[n + 1]
        if (next !== undefined) expect(next.firstLocal).toBeGreaterThan(range.firstLocal + range.count)
      }
    }
  })
})

describe('an omission', () => {
  const records = ['5+1', '7+1 9+1', '11+1', '6+1 8+1', '20+1'].map((text, n) => ({
    transaction: 10 + n,
    blocks: rangesOf(text),
  }))

  function omissionOf(mostRanges: number, upTo?: number): Omission | undefined {
    const builder = new OmissionBuilder({ mostRanges, upTo })
    records.every((record) => builder.add(record) === 'taken')
    return builder.finish()
  }

  test.each<readonly [number, number | undefined, number, number, string]>([
    [100, undefined, 14, 7, '5+5 11+1 20+1'],
    // Those that touch make room for others.
    [6, undefined, 14, 7, '5+5 11+1 20+1'],
    [4, undefined, 12, 4, '5+1 7+1 9+1 11+1'],
    [3, undefined, 11, 3, '5+1 7+1 9+1'],
    // A bound that is too small for anything does not end all.
    [0, undefined, 10, 1, '5+1'],
    // One that was begun is the same for every leader, whatever the bound is by then.
    [1, 12, 12, 4, '5+1 7+1 9+1 11+1'],
    [100, 12, 12, 4, '5+1 7+1 9+1 11+1'],
  ])('of at most %i ranges, up to %s', (mostRanges, upTo, last, blocks, ranges) => {
    const found = omissionOf(mostRanges, upTo)
    expect(found?.leaveOut).toEqual({ upTo: last, blocks })
    expect(textOf(found?.ranges ?? [])).toBe(ranges)
  })

  test('there is none without records', () => {
    expect(new OmissionBuilder({ mostRanges: 5 }).finish()).toBeUndefined()
  })
})

test.each<readonly [string, Partial<ContainerRow>, number]>([
  ['not encoded', { deletedBlocks: 3 }, 0],
  ['nothing was left out', { ec: { policy: 'rs-3-2-1024k', shards: [] }, deletedBlocks: 3 }, 0],
  [
    'an encoding has left some out',
    { ec: { policy: 'rs-3-2-1024k', shards: [], leaveOut: { upTo: 9, blocks: 4 } }, deletedBlocks: 3 },
    4,
  ],
  [
    'it goes',
    {
      state: 'DELETING',
      ec: { policy: 'rs-3-2-1024k', shards: [], leaveOut: { upTo: 9, blocks: 4 } },
      deletedBlocks: 3,
    },
    7,
  ],
])('spent records: %s', (_, row, blocks) => {
  expect(spentBlocks({ ...anyRow, ...row })).toBe(blocks)
})
