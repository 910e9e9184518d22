import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import { choosePlaces } from '../../src/core/planners/placement.ts'
import type { PlacementRequest } from '../../src/core/planners/placement.ts'
import { maxPerRack, misplacement, topologyOf } from '../../src/core/planners/topology.ts'
import { GiB, cluster, disk, node } from './facts.ts'

const drawing = (seed: string): (() => number) => {
  const random = new SimRandom(seed)
  return () => random.fraction()
}

const three: PlacementRequest = { count: 3, total: 3, bytes: GiB, existing: [] }
const one: PlacementRequest = { ...three, count: 1 }

describe('racks', () => {
  // Where the replicas may come to lie: the sorted letters of their racks, in all draws.
  test.each<[string, Partial<PlacementRequest>, readonly string[], boolean]>([
    // cluster                 asked                                      racks of all   misplaced
    ['a1 a2 a3 a4', {}, ['aaa'], false],
    ['a1 a2 b1 b2', {}, ['aab', 'abb'], false],
    ['a1 a2 b1 c1 c2', {}, ['abc'], false],
    ['a1 b1 c1 d1 d2', { existing: ['a1'], count: 2 }, ['abc', 'abd', 'acd'], false],
    ['a1 a2 a3 b1', { existing: ['a1', 'b1'], count: 1 }, ['aab'], false],
    // The only datanode of another rack is full: better than none, and to be repaired one day.
    ['a1 a2 a3 b1!', {}, ['aaa'], true],
    ['a1 a2 b1 b2 c1!', { existing: ['a1', 'b1'], count: 1 }, ['aab', 'abb'], true],
    // A rack whose datanodes are dead or leave is none.
    ['a1 a2 a3 b1+ c1d', {}, ['aaa'], false],
    ['a1 a2 b1 b2 c1', { count: 5, total: 5 }, ['aabbc'], false],
    ['a1 a2 a3 a4 b1 b2 b3', { count: 5, total: 5 }, ['aaabb', 'aabbb'], false],
    ['a1 a2 a3 a4 b1 b2', { count: 6, total: 6 }, ['aaaabb'], true],
  ])('in %s asking %j: %j, misplaced %s', (nodes, asked, allowed, misplaced) => {
    const topology = cluster(nodes)
    const request = { ...three, ...asked }
    for (let seed = 0; seed < 50; seed++) {
      const placement = choosePlaces(request, topology, drawing(`racks/${seed}`))
      if (placement.kind === 'refused') throw new Error(placement.message)
      expect(new Set(placement.places).size).toBe(request.count)
      const racks = [...request.existing, ...placement.places].map((id) => id.charAt(0)).toSorted()
      expect(allowed).toContain(racks.join(''))
      expect(placement.misplaced).toBe(misplaced)
    }
  })

  test.each([
    [3, 1, 3],
    [3, 2, 2],
    [3, 3, 1],
    [3, 9, 1],
    [5, 3, 2],
    [9, 4, 3],
    [14, 14, 1],
    [1, 0, 1],
  ])('%i replicas over %i racks: at most %i in one', (total, racks, most) => {
    expect(maxPerRack(total, racks)).toBe(most)
  })

  test.each<[string, readonly string[], number, number]>([
    ['a1 a2 b1 c1', ['a1', 'b1', 'c1'], 3, 0],
    ['a1 a2 b1 c1', ['a1', 'a2', 'c1'], 3, 1],
    ['a1 a2 a3 b1', ['a1', 'a2', 'a3'], 3, 1],
    ['a1 a2 a3 b1 c1', ['a1', 'a2', 'a3'], 3, 2],
    // Two on one datanode are worse than any number in one rack.
    ['a1 b1 c1 d1 e1', ['a1', 'a1', 'b1', 'c1', 'd1'], 5, 6],
    // Of a datanode that nobody knows nothing can be said.
    ['a1 b1 c1', ['a1', 'b1', 'gone'], 3, 0],
  ])('in %s, %j of %i lie by %i wrong', (nodes, holders, total, wrong) => {
    expect(misplacement(holders, total, cluster(nodes))).toBe(wrong)
  })
})

describe('why not', () => {
  test.each<[string, Partial<PlacementRequest>, string, string]>([
    ['a1 a2', {}, 'too-few-datanodes', 'of 2 datanodes: 2 usable'],
    ['a1 a2+ a3? a4d a5m', {}, 'too-few-datanodes', 'of 5 datanodes: 1 dead, 2 not in service, 1 suspected, 1 usable'],
    ['a1 a2! a3!', {}, 'no-room', 'of 3 datanodes: 2 too full, 1 usable'],
    [
      'a1 a2 a3',
      { count: 1, existing: ['a1'], excluded: ['a2', 'a3'] },
      'too-few-datanodes',
      'no place for 1024 MiB; of 3 datanodes: 2 with a bad replica, or where it failed lately, 1 with a replica',
    ],
    ['a1 a2 a3', { bytes: 60 * GiB }, 'no-room', '3 too full'],
    ['a1 a2 a3', { maxIncoming: 0 }, 'busy', '3 busy'],
    ['a1 a2 a3', { maxUsedShare: 0.4 }, 'no-room', '3 too full'],
  ])('%s asking %j: %s', (nodes, asked, refusal, message) => {
    const placement = choosePlaces({ ...three, ...asked }, cluster(nodes), drawing('why not'))
    expect(placement).toMatchObject({ kind: 'refused', refusal, message: expect.stringContaining(message) as string })
  })

  test('no datanode at all', () => {
    const placement = choosePlaces(one, topologyOf([]), drawing('none'))
    expect(placement).toMatchObject({
      refusal: 'too-few-datanodes',
      message: expect.stringMatching('no datanodes') as string,
    })
  })

  test('a better rack that is busy is waited for, not replaced by a worse one', () => {
    const topology = topologyOf([
      node('a1', { rack: '/a' }),
      node('a2', { rack: '/a' }),
      node('b1', { rack: '/b', incoming: 4 }),
    ])
    const request = { ...one, total: 2, existing: ['a1'], maxIncoming: 4 }
    expect(choosePlaces(request, topology, drawing('wait'))).toMatchObject({ kind: 'refused', refusal: 'busy' })
  })
})

describe('space', () => {
  test('a container lies on one disk: two halves are no room', () => {
    const halves = node('h', { disks: [disk({ availableBytes: GiB / 2 }), disk({ availableBytes: GiB / 2 })] })
    const whole = node('w', { disks: [disk({ availableBytes: GiB }), disk({ state: 'failed' })] })
    for (let seed = 0; seed < 10; seed++) {
      const placement = choosePlaces(one, topologyOf([halves, whole]), drawing(`disks/${seed}`))
      expect(placement).toMatchObject({ kind: 'placed', places: ['w'] })
    }
  })

  test('what is promised to other copies is gone already', () => {
    const promised = node('p', { disks: [disk({ availableBytes: 2 * GiB })], reservedBytes: 1.5 * GiB })
    expect(choosePlaces(one, topologyOf([promised]), drawing('promised'))).toMatchObject({ refusal: 'no-room' })
  })

  test('emptier datanodes get more, and nobody gets all', () => {
    const free = [10, 30, 50, 70, 90]
    const topology = topologyOf(
      free.map((share) => node(`n${share}`, { disks: [disk({ availableBytes: share * GiB })] })),
    )
    const draw = drawing('two choices')
    const chosen = new Map<string, number>()
    for (let i = 0; i < 2_000; i++) {
      const placement = choosePlaces(one, topology, draw)
      if (placement.kind === 'refused') throw new Error(placement.message)
      for (const place of placement.places) chosen.set(place, (chosen.get(place) ?? 0) + 1)
    }
    const counts = free.map((share) => chosen.get(`n${share}`) ?? 0)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    // Two of five are drawn: the fullest is never the better one, the emptiest in two fifths of the cases.
    expect(counts[0]).toBe(0)
    expect(counts[4]).toBeGreaterThan(700)
    expect(counts[4]).toBeLessThan(900)
  })

  test('of equally empty ones the idle one', () => {
    const topology = topologyOf([node('busy', { incoming: 2 }), node('idle')])
    for (let seed = 0; seed < 10; seed++) {
      expect(choosePlaces(one, topology, drawing(`idle/${seed}`))).toMatchObject({ places: ['idle'] })
    }
  })
})
