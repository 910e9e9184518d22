import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import { planBalance } from '../../src/core/planners/balance.ts'
import type { BalanceFacts, BalanceLimits, Movable } from '../../src/core/planners/balance.ts'
import { topologyOf } from '../../src/core/planners/topology.ts'
import { GiB, disk, node } from './facts.ts'

const limits: BalanceLimits = { threshold: 0.1, maxMoves: 4, maxIncoming: 2, maxOutgoing: 2, maxExamined: 100 }

/** `a1=80 b1=20`: used per cent of 100 GiB, in racks named by the first letter. */
function facts(text: string, overrides: Partial<BalanceFacts> = {}, size = GiB): BalanceFacts {
  const nodes = text.split(' ').map((word) => {
    const [id = '', used = '0'] = word.split('=')
    return node(id, { rack: `/${id.charAt(0)}`, disks: [disk({ availableBytes: (100 - Number(used)) * GiB })] })
  })
  return {
    topology: topologyOf(nodes),
    active: false,
    moving: [],
    budgetBytes: 1_000 * GiB,
    movable: (id) =>
      Array.from({ length: 20 }, (_, n): Movable => {
        return { container: nodes.findIndex((each) => each.id === id) * 100 + n, bytes: size, total: 1, holders: [id] }
      }),
    ...overrides,
  }
}

const wordsOf = (plan: ReturnType<typeof planBalance>): string =>
  plan.moves.map(({ from, to }) => `${from}>${to}`).join(' ')

describe('when', () => {
  test.each<readonly [string, Partial<BalanceFacts>, string, boolean]>([
    // used             before                 moves                        active
    ['a1=50 b1=50', {}, '', false],
    ['a1=59 b1=41', {}, '', false],
    ['a1=61 b1=39', {}, 'a1>b1 a1>b1', true],
    // Once it has begun, it goes on until all are within half of the threshold.
    ['a1=59 b1=41', { active: true }, 'a1>b1 a1>b1', true],
    ['a1=55 b1=45', { active: true }, '', false],
    // A new datanode among many that are about even: nobody is far above the mean.
    ['a1=50 b1=50 c1=50 d1=50 e1=50 f1=0', {}, 'a1>f1 b1>f1', true],
    ['a1=90 b1=50 c1=50 d1=50', {}, 'a1>b1 a1>c1', true],
    ['a1=61 b1=39', { budgetBytes: 0 }, '', true],
    // What is on its way counts as if it were there.
    ['a1=61 b1=39', { moving: [{ from: 'a1', bytes: 12 * GiB }] }, '', false],
  ])('%s, %j: %s, active: %s', (text, overrides, moves, active) => {
    const plan = planBalance(facts(text, overrides), limits)
    expect([wordsOf(plan), plan.active]).toEqual([moves, active])
  })
})

describe('what is not moved', () => {
  const uneven = 'a1=80 b1=20 c1=50'
  const only = (movable: Partial<Movable>): Partial<BalanceFacts> => ({
    movable: (id) => (id === 'a1' ? [{ container: 1, bytes: GiB, total: 1, holders: ['a1'], ...movable }] : []),
  })
  test.each<readonly [string, Partial<Movable>, string]>([
    ['it fits', {}, 'a1>b1'],
    // 80 and 20 with 40 GiB moved are 40 and 60.
    ['it would only change sides', { bytes: 40 * GiB }, ''],
    ['the target has one', { total: 2, holders: ['a1', 'b1'] }, ''],
    ['it is empty', { bytes: 0 }, ''],
    ['it would lie worse', { total: 3, holders: ['a1', 'b2', 'c1'] }, ''],
  ])('%s', (_, movable, moves) => {
    const plan = planBalance(facts(`${uneven} b2=50`, only(movable)), limits)
    expect(wordsOf(plan)).toBe(moves)
  })

  test('more than a datanode may have under way', () => {
    const busy = facts('a1=90 b1=10 c1=50')
    const nodes = [...busy.topology.nodes.values()].map((each) => (each.id === 'b1' ? { ...each, incoming: 2 } : each))
    const plan = planBalance({ ...busy, topology: topologyOf(nodes) }, limits)
    expect(wordsOf(plan)).toBe('')
  })
})

test.each([1, 2, 3, 4, 5])('every move makes it more even, program %i', (seed) => {
  const random = new SimRandom(`balance/${seed}`)
  const used = Array.from({ length: 8 }, () => random.below(95))
  const sizes = Array.from({ length: 8 }, () => 60 + random.below(200))
  let active = false
  let before = Infinity
  for (let round = 0; round < 2_000; round++) {
    const nodes = used.map((share, n) => {
      const totalBytes = (sizes[n] ?? 0) * GiB
      return node(`n${n}`, { disks: [disk({ totalBytes, availableBytes: totalBytes * (1 - share / 100) })] })
    })
    const movable = (id: string): readonly Movable[] =>
      [1, 2, 3].map((n) => ({ container: n, bytes: n * 0.5 * GiB, total: 1, holders: [id] }))
    const plan = planBalance(
      { topology: topologyOf(nodes), active, moving: [], budgetBytes: GiB, movable },
      { ...limits, maxMoves: 1 },
    )
    active = plan.active
    for (const { from, to, bytes } of plan.moves) {
      const [source, target] = [Number(from.slice(1)), Number(to.slice(1))]
      used[source] = (used[source] ?? 0) - (bytes / GiB / (sizes[source] ?? 1)) * 100
      used[target] = (used[target] ?? 0) + (bytes / GiB / (sizes[target] ?? 1)) * 100
    }
    const mean = used.reduce((sum, share, n) => sum + share * (sizes[n] ?? 0), 0) / sizes.reduce((a, b) => a + b)
    const unevenness = used.reduce((sum, share, n) => sum + (sizes[n] ?? 0) * (share - mean) ** 2, 0)
    if (plan.moves.length > 0) expect(unevenness).toBeLessThan(before)
    before = unevenness
    if (!active) {
      expect(plan.largestDeviation).toBeLessThanOrEqual(0.1)
      return
    }
  }
  expect.fail('it does not end')
})
