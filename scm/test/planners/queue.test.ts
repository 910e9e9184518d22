import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import { ByteBudget } from '../../src/core/planners/byte-budget.ts'
import { HealthTally } from '../../src/core/planners/health-report.ts'
import { assess } from '../../src/core/planners/replication-health.ts'
import { RepairQueue, backoffMs, urgencyOf } from '../../src/core/planners/repair-queue.ts'
import { cluster, container } from './facts.ts'

describe('the order of repairs', () => {
  test('the last copies first, then fewer copies, then the damaged, the surplus, the misplaced', () => {
    const topology = cluster('a1 b1 c1 d1 e1d f1 a2 a3')
    const cases = [
      container('a1', {}),
      container('e1', { replication: 'RATIS/ONE' }),
      container('a1 b1', {}),
      container('a1 b1 e1', {}),
      container('a1 b1 c1 d1!', {}),
      container('a1 b1 c1 d1', {}),
      container('a1 a2 a3', {}),
    ]
    const urgencies = cases.map((facts) => urgencyOf(assess(facts, topology)))
    expect(urgencies).toEqual([0, 1, 2, 5, 100, 101, 102])
  })

  test('of equally urgent ones the oldest', () => {
    const queue = new RepairQueue()
    queue.offer(1, { urgency: 2, sinceMs: 10 })
    queue.offer(2, { urgency: 2, sinceMs: 5 })
    queue.offer(3, { urgency: 0, sinceMs: 20 })
    queue.offer(4, { urgency: 2, sinceMs: 5 })
    expect([1, 2, 3, 4, 5].map(() => queue.take(100))).toEqual([3, 2, 4, 1, undefined])
  })

  test('a container is in it once, with its last rank and its first age', () => {
    const queue = new RepairQueue()
    queue.offer(1, { urgency: 9, sinceMs: 10 })
    queue.offer(1, { urgency: 1, sinceMs: 50 })
    queue.offer(2, { urgency: 1, sinceMs: 20 })
    expect(queue.size).toBe(2)
    expect([queue.take(100), queue.take(100), queue.take(100)]).toEqual([1, 2, undefined])
  })

  test('who backs off is not handed out before', () => {
    const queue = new RepairQueue()
    queue.offer(1, { urgency: 0, sinceMs: 0 }, 500)
    queue.offer(2, { urgency: 7, sinceMs: 0 })
    expect(queue.take(499)).toBe(2)
    expect(queue.take(499)).toBeUndefined()
    expect(queue.take(500)).toBe(1)
  })

  test('who is withdrawn does not come', () => {
    const queue = new RepairQueue()
    queue.offer(1, { urgency: 0, sinceMs: 0 })
    queue.withdraw(1)
    expect([queue.size, queue.take(1)]).toEqual([0, undefined])
  })

  test.each([1, 2, 3])('as a sorted list does it, program %i', (seed) => {
    const random = new SimRandom(`queue/${seed}`)
    const queue = new RepairQueue()
    const model = new Map<number, { readonly urgency: number; readonly sinceMs: number; readonly readyMs: number }>()
    for (let now = 0; now < 3_000; now++) {
      const id = random.below(40)
      switch (random.below(3)) {
        case 0: {
          const urgency = random.below(5)
          const readyMs = random.chance(0.3) ? now + random.below(50) : 0
          queue.offer(id, { urgency, sinceMs: now }, readyMs)
          model.set(id, { urgency, sinceMs: Math.min(now, model.get(id)?.sinceMs ?? now), readyMs })
          break
        }
        case 1:
          queue.withdraw(id)
          model.delete(id)
          break
        default: {
          const ready = [...model].filter(([, entry]) => entry.readyMs <= now)
          const [best] = ready.toSorted(([a, x], [b, y]) => x.urgency - y.urgency || x.sinceMs - y.sinceMs || a - b)
          expect(queue.take(now)).toBe(best?.[0])
          if (best !== undefined) model.delete(best[0])
        }
      }
      expect(queue.size).toBe(model.size)
    }
  })

  test.each([
    [0, 100],
    [1, 100],
    [2, 200],
    [4, 800],
    [5, 1_000],
    [1_000, 1_000],
  ])('after %i failures it waits for %i ms', (failures, ms) => {
    expect(backoffMs(failures, { firstMs: 100, mostMs: 1_000 })).toBe(ms)
  })
})

describe('bytes a second', () => {
  test('a large container passes, and the debt is paid before the next', () => {
    const budget = new ByteBudget({ bytesPerSecond: 100, reserveBytes: 50 })
    expect(budget.admits(0)).toBe(true)
    budget.charge(250)
    expect(budget.admits(1_000)).toBe(false)
    expect(budget.admits(2_000)).toBe(false)
    expect(budget.admits(2_010)).toBe(true)
  })

  test('over any time no more than the rate, the reserve and one container', () => {
    const random = new SimRandom('budget')
    const budget = new ByteBudget({ bytesPerSecond: 1_000, reserveBytes: 500 })
    let spent = 0
    for (let now = 0; now < 100_000; now += random.below(200)) {
      while (budget.admits(now)) {
        const bytes = 1 + random.below(3_000)
        budget.charge(bytes)
        spent += bytes
      }
      expect(spent).toBeLessThanOrEqual(now + 500 + 3_000)
    }
    expect(spent).toBeGreaterThan(95_000)
  })

  test('idle time does not pile up', () => {
    const budget = new ByteBudget({ bytesPerSecond: 100, reserveBytes: 50 })
    expect(budget.admits(0)).toBe(true)
    expect(budget.admits(1_000_000)).toBe(true)
    budget.charge(50)
    expect(budget.admits(1_000_000)).toBe(false)
  })
})

describe('the report', () => {
  test('counts, and at most a hundred to look at', () => {
    const tally = new HealthTally()
    for (let id = 1; id <= 150; id++) tally.note(id, 'HEALTHY')
    tally.note(7, 'MISSING')
    tally.note(8, 'MISSING')
    tally.note(8, undefined)
    tally.note(9, 'UNDER_REPLICATED')
    tally.note(9, 'HEALTHY')
    const counts = new Map(tally.report().map((count) => [count.health, count]))
    expect(counts.get('MISSING')).toEqual({ health: 'MISSING', containers: 1, sample: [7] })
    expect(counts.get('HEALTHY')?.containers).toBe(148)
    expect(counts.get('HEALTHY')?.sample).toHaveLength(100)
    expect(counts.get('UNDER_REPLICATED')).toMatchObject({ containers: 0, sample: [] })
    expect(tally.healthOf(7)).toBe('MISSING')
    expect(tally.healthOf(8)).toBeUndefined()
  })
})
