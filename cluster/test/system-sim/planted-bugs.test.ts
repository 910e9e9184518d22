import { expect, test } from 'vitest'
import { planOf, type SystemPlan } from './plan.ts'
import { plants } from './plants.ts'
import { runSeed } from './run-seed.ts'

type Bug = keyof typeof plants

interface Hunt {
  /** Who may find it. */
  readonly checkers: readonly string[]
  /** Where to look, and in so many seeds at most it is found. */
  readonly from?: number
  readonly budget?: number
  /** Other faults than those of the plan. */
  readonly perMinute?: SystemPlan['perMinute']
}

/** `O3_SYSTEM_FIRST` looks elsewhere, and with ten times the budget. */
const elsewhere = process.env['O3_SYSTEM_FIRST']

const hunts: Readonly<Record<Bug, Hunt>> = {
  'a reply before the commit': { checkers: ['start', 'equal-rows', 'linearizable', 'exactly-once', 'audit'], from: 5 },
  'reads without a barrier': { checkers: ['linearizable', 'content'], from: 2 },
  'a snapshot without the ledger': { checkers: ['exactly-once'] },
  'a snapshot without some rows': { checkers: ['equal-rows', 'linearizable', 'content', 'exactly-once', 'audit'] },
  'a checkpoint that is not durable': { checkers: ['start'] },
  'entries acknowledged before they are durable': { checkers: ['durable'] },
  'terms and votes that are forgotten': {
    checkers: ['progress', 'one-leader', 'start'],
    from: 5,
    perMinute: { 'power-cut': 30 },
  },
  'repetitions that are done again': { checkers: ['exactly-once'] },
  'leases that are granted twice': {
    checkers: ['leases-once', 'content'],
    from: 18,
    perMinute: { transfer: 30, isolate: 20 },
  },
  'an old leader of SCM that hands out blocks': {
    checkers: ['blocks-once'],
    from: 2,
    perMinute: { transfer: 30, partial: 10, 'one-way': 10, isolate: 10 },
  },
}

test.each(Object.entries(hunts) as [Bug, Hunt][])('finds %s', { timeout: 300_000 }, async (bug, hunt) => {
  const { checkers, perMinute } = hunt
  const from = elsewhere === undefined ? (hunt.from ?? 1) : Number(elsewhere)
  const budget = (hunt.budget ?? 8) * (elsewhere === undefined ? 1 : 10)
  const found: string[] = []
  for (let seed = from; seed < from + budget && found.length === 0; seed++) {
    const { violation } = await runSeed(seed, { plants: plants[bug], plan: planWith(seed, perMinute) })
    if (violation !== undefined) found.push(violation.checker)
  }
  expect(found).toHaveLength(1)
  expect(checkers).toContain(found[0])
})

/** Little stock that keeps long, so that it is used by leader after leader. */
function planWith(seed: number, perMinute: SystemPlan['perMinute'] | undefined): SystemPlan {
  const plan = planOf(seed)
  if (perMinute === undefined) return plan
  return { ...plan, perMinute, om: { ...plan.om, stockBlocks: 4, stockMaxAgeMs: 60_000 } }
}
