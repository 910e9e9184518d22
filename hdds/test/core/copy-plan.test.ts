import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planWindow } from '../../src/core/copy-plan.ts'
import type { ListedBlock, Listing, WantedBlock } from '../../src/core/copy-plan.ts'
import { CopyQueue } from '../../src/core/copy-queue.ts'
import type { Assignment } from '../../src/core/copy-queue.ts'
import { ListingPages } from '../../src/core/listing-window.ts'

const listed = (local: number, checksum: number | undefined = local, lengthBytes = 10): ListedBlock => {
  return { local, lengthBytes, checksum }
}
const list = (source: number, how: 'authority' | 'other', ...blocks: readonly ListedBlock[]): Listing => {
  return { source, isAuthority: how === 'authority', blocks }
}
const locals = (blocks: readonly { readonly local: number }[]): number[] => blocks.map(({ local }) => local)

describe('what a replica takes', () => {
  test.each([
    ['of an authority: what it has', [], [list(0, 'authority', listed(1), listed(2))], [1, 2], []],
    [
      'of two: what both have',
      [],
      [list(0, 'authority', listed(1)), list(1, 'authority', listed(1), listed(2))],
      [1],
      [],
    ],
    ['beside an authority nobody counts', [], [list(0, 'authority', listed(1)), list(1, 'other', listed(2))], [1], []],
    ['without one: what any has', [], [list(0, 'other', listed(3)), list(1, 'other', listed(1))], [1, 3], []],
    ['not what is here', [listed(1)], [list(0, 'authority', listed(1), listed(2))], [2], []],
    ['and what is nowhere else is extra', [listed(1), listed(5)], [list(0, 'authority', listed(1))], [], [5]],
    ['as is what an authority dropped', [listed(2)], [list(0, 'authority'), list(1, 'other', listed(2))], [], [2]],
  ])('%s', (_, own, listings, take, extra) => {
    const plan = planWindow(own, listings)
    expect(locals(plan.take)).toEqual(take)
    expect(plan.extra).toEqual(extra)
    expect(plan.conflicts).toEqual([])
  })

  test('comes from everybody who has the same', () => {
    const plan = planWindow(
      [],
      [list(0, 'authority', listed(1)), list(1, 'other', listed(1)), list(2, 'other', listed(1, 99))],
    )
    expect(plan.take).toEqual([{ local: 1, lengthBytes: 10, checksum: 1, holders: [0, 1] }])
  })

  test('is not decided where two say different things', () => {
    const among = planWindow([], [list(0, 'authority', listed(1)), list(1, 'authority', listed(1, 99))])
    expect(among.take).toEqual([])
    expect(among.conflicts).toMatchObject([
      { local: 1, own: undefined, versions: [{ holders: [0] }, { holders: [1] }] },
    ])
    const here = planWindow([listed(1, 99)], [list(0, 'authority', listed(1))])
    expect(here.conflicts).toMatchObject([{ local: 1, own: { checksum: 99 } }])
    expect(planWindow([listed(1, undefined)], [list(0, 'authority', listed(1))]).conflicts).toEqual([])
  })

  test('must be provable', () => {
    const without = { local: 1, lengthBytes: 10, checksum: undefined }
    const plan = planWindow([], [list(0, 'authority', without)])
    expect(plan).toMatchObject({ take: [], unprovable: [1] })
    expect(planWindow([], [list(0, 'authority', without), list(1, 'authority', listed(1))]).take).toMatchObject([
      { holders: [1] },
    ])
  })
})

describe('the queue', () => {
  const wanted = (local: number, holders: readonly number[], lengthBytes = 10): WantedBlock => {
    return { local, lengthBytes, checksum: local, holders }
  }

  test('gives each source what it has, within the bounds', () => {
    const queue = new CopyQueue([wanted(1, [0]), wanted(2, [1]), wanted(3, [0, 1], 500), wanted(4, [0])], {
      maxBytes: 100,
      maxBlocks: 2,
    })
    expect(locals(queue.take(0)!.blocks)).toEqual([1])
    expect(locals(queue.take(1)!.blocks)).toEqual([2])
    expect(locals(queue.take(1)!.blocks)).toEqual([3])
    expect(locals(queue.take(0)!.blocks)).toEqual([4])
  })

  test('lets a source that has nothing to do take over half of the rest of another', () => {
    const queue = new CopyQueue(
      Array.from({ length: 9 }, (_, i) => wanted(i + 1, [0, 1])),
      { maxBytes: 1000, maxBlocks: 100 },
    )
    const slow = queue.take(0)!
    queue.arrived(slow)
    const fast = queue.take(1)!
    expect(locals(fast.blocks)).toEqual([6, 7, 8, 9])
    expect(slow).toMatchObject({ next: 1, end: 5 })
    for (let i = 0; i < 4; i++) queue.arrived(fast)
    queue.ended(fast, 'complete')
    expect(locals(queue.take(1)!.blocks)).toEqual([4, 5])
  })

  test('loses nothing and gives nothing twice, whatever the sources do', () => {
    const action = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom('arrive', 'lack', 'fail', 'end', 'exclude'))
    const holders = fc.subarray([0, 1, 2], { minLength: 1 })
    fc.assert(
      fc.property(fc.array(holders, { maxLength: 40 }), fc.array(action, { maxLength: 300 }), (blocks, actions) => {
        const queue = new CopyQueue(
          blocks.map((each, i) => wanted(i + 1, each)),
          { maxBytes: 55, maxBlocks: 7 },
        )
        const running = new Map<number, Assignment>()
        const excluded = new Set<number>()
        const arrived: number[] = []
        const step = (source: number, what: string): void => {
          const assignment = running.get(source) ?? (excluded.has(source) ? undefined : queue.take(source))
          if (assignment === undefined) return
          running.set(source, assignment)
          const isAtEnd = assignment.next >= assignment.end
          if (what === 'arrive' && !isAtEnd) {
            arrived.push(assignment.blocks[assignment.next]!.local)
            queue.arrived(assignment)
          } else if (what === 'lack' && !isAtEnd) queue.lacks(assignment)
          else {
            queue.ended(assignment, what === 'end' ? 'complete' : 'failed')
            running.delete(source)
            if (what === 'exclude') {
              queue.exclude(source)
              excluded.add(source)
            }
          }
        }
        for (const [source, what] of actions) step(source, what)
        for (let i = 0; i < 1_000 && !queue.isDone; i++) {
          for (const source of [0, 1, 2]) {
            const at = running.get(source)
            step(source, at !== undefined && at.next >= at.end ? 'end' : 'arrive')
          }
        }
        expect(queue.isDone).toBe(true)
        expect([...arrived, ...queue.unavailable].toSorted((a, b) => a - b)).toEqual(blocks.map((_, i) => i + 1))
      }),
    )
  })
})

describe('pages of a list', () => {
  test('are cut where everything is known', () => {
    const pages = new ListingPages()
    expect(pages.wanted).toEqual({ after: 0 })
    pages.add([listed(1), listed(5)], false)
    expect(pages).toMatchObject({ knownUpTo: 5, wanted: undefined, isOver: false })
    expect(locals(pages.cut(3))).toEqual([1])
    expect(locals(pages.cut(5))).toEqual([5])
    expect(pages.wanted).toEqual({ after: 5 })
    pages.add([], true)
    expect(pages).toMatchObject({ knownUpTo: 0xffff_ffff, wanted: undefined, isOver: true })
  })

  test('that do not rise are refused', () => {
    const pages = new ListingPages()
    pages.add([listed(5)], false)
    expect(() => pages.add([listed(5)], true)).toThrow(RangeError)
  })
})
