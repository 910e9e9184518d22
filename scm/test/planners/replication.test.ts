import { SimRandom } from '@o3/common/env/sim'
import { describe, expect, test } from 'vitest'
import type { ContainerFacts } from '../../src/core/planners/container-facts.ts'
import { assess } from '../../src/core/planners/replication-health.ts'
import type { ContainerHealth } from '../../src/api/api.ts'
import { planBookkeeping, planRepair } from '../../src/core/planners/replication-plan.ts'
import type { PlanContext } from '../../src/core/planners/replication-plan.ts'
import { disk, cluster, container, node, wordsOf } from './facts.ts'
import { topologyOf } from '../../src/core/planners/topology.ts'

const limits = { maxIncoming: 4, maxOutgoing: 4, maxSources: 3, spreadMargin: 0.1 }

function planned(nodes: string, facts: ContainerFacts, context: Partial<PlanContext> = {}) {
  const random = new SimRandom('replication')
  const topology = cluster(nodes)
  const found = assess(facts, topology)
  const plan = planRepair(facts, found, { topology, limits, draw: () => random.fraction(), ...context })
  return { found, plan, does: wordsOf(plan.actions) }
}

type Row = readonly [
  nodes: string,
  replicas: string,
  facts: Partial<ContainerFacts>,
  health: ContainerHealth,
  does: string,
]

function table(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    test.each(rows)('datanodes %s, replicas %s, %j: %s, %s', (nodes, replicas, facts, health, does) => {
      const result = planned(nodes, container(replicas, facts))
      expect([result.found.health, result.does]).toEqual([health, does])
    })
  })
}

const one = { replication: 'RATIS/ONE' } as const

table('how many', [
  // datanodes        replicas        facts                     health              does
  ['a1 b1 c1 d1', 'a1 b1 c1', {}, 'HEALTHY', ''],
  ['a1 b1 c1', 'a1 b1', {}, 'UNDER_REPLICATED', 'copy a1,b1>c1'],
  ['a1 b1 c1', 'a1', {}, 'UNDER_REPLICATED', 'copy a1>b1; copy a1>c1'],
  ['a1 b1', 'a1', {}, 'UNDER_REPLICATED', 'copy a1>b1'],
  ['a1', 'a1', {}, 'UNDER_REPLICATED', ''],
  ['a1 b1 c1 d1', '', {}, 'MISSING', ''],
  ['a1 b1 c1+ d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1,b1>d1'],
  ['a1+ b1+ c1+ d1', 'a1 b1 c1', {}, 'MISSING', ''],
  // What is on its way counts for what is missing, and forbids to delete.
  ['a1 b1 c1 d1', 'a1 b1', { arriving: ['d1'] }, 'UNDER_REPLICATED', ''],
  ['a1 b1 c1 d1', 'a1', { arriving: ['d1'] }, 'UNDER_REPLICATED', 'copy a1>b1'],
  ['a1 b1 c1 d1 e1', 'a1 b1 c1 d1', { arriving: ['e1'] }, 'HEALTHY', ''],
  // What was told to go is gone, and its datanode no place before it is.
  ['a1 b1 c1 d1', 'a1 b1 c1 d1', { leaving: ['d1'] }, 'HEALTHY', ''],
  ['a1 b1 c1 d1', 'a1 b1 d1', { leaving: ['d1'] }, 'UNDER_REPLICATED', 'copy a1,b1>c1'],
  ['a1 b1', 'a1', one, 'HEALTHY', ''],
  ['a1 b1', 'a1 b1', one, 'OVER_REPLICATED', 'delete a1'],
  ['a1+ b1', 'a1', one, 'MISSING', ''],
  ['a1 b1 c1 d1 e1', 'a1 b1 c1 d1 e1', {}, 'OVER_REPLICATED', 'delete a1; delete b1'],
  ['a1 a2 b1 c1', 'a1 a2 b1 c1', {}, 'OVER_REPLICATED', 'delete a1'],
  ['a1 b1 c1 d1', 'a1 b1 c1 d1', { moved: 'c1' }, 'OVER_REPLICATED', 'delete c1'],
  // Where it lies is more than that it has been moved.
  ['a1 a2 b1 c1', 'a1 a2 b1 c1', { moved: 'c1' }, 'OVER_REPLICATED', 'delete a1'],
])

table('suspected datanodes', [
  ['a1 b1 c1? d1', 'a1 b1 c1', {}, 'HEALTHY', ''],
  // The last copy that answers is copied at once, though the others will probably come back.
  ['a1 b1? c1? d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1>d1'],
  ['a1 b1? c1+ d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1>d1'],
  ['a1? b1? c1? d1', 'a1 b1 c1', {}, 'HEALTHY', ''],
  ['a1? b1', 'a1', one, 'HEALTHY', ''],
  // They count for nothing when it comes to deleting.
  ['a1 b1 c1? d1?', 'a1 b1 c1 d1', {}, 'HEALTHY', ''],
  ['a1 b1 c1 d1?', 'a1 b1 c1 d1', {}, 'HEALTHY', ''],
])

table('decommissioning and maintenance', [
  ['a1 b1 c1d d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1,b1,c1>d1'],
  ['a1d b1', 'a1', one, 'UNDER_REPLICATED', 'copy a1>b1'],
  ['a1d b1+ c1+ d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1>d1'],
  ['a1 b1 c1 d1d', 'a1 b1 c1 d1', {}, 'HEALTHY', ''],
  ['a1 b1 c1D+ d1', 'a1 b1 c1 d1', {}, 'HEALTHY', ''],
  // In maintenance they count half: two others must be there.
  ['a1 b1 c1m d1', 'a1 b1 c1', {}, 'HEALTHY', ''],
  ['a1 b1 c1M+ d1', 'a1 b1 c1', {}, 'HEALTHY', ''],
  ['a1 b1m c1m d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1,b1,c1>d1'],
  ['a1 b1M+ c1M+ d1', 'a1 b1 c1', {}, 'UNDER_REPLICATED', 'copy a1>d1'],
  ['a1m b1', 'a1', one, 'UNDER_REPLICATED', 'copy a1>b1'],
  ['a1M+ b1', 'a1', one, 'HEALTHY', ''],
  ['a1m+ b1', 'a1', one, 'MISSING', ''],
  // Back from maintenance there is one too many.
  ['a1 b1 c1M d1', 'a1 b1 c1 d1', {}, 'HEALTHY', ''],
  ['a1 b1 c1 d1', 'a1 b1 c1 d1', {}, 'OVER_REPLICATED', 'delete a1'],
])

table(
  'damaged replicas',
  [
    // First the copy, then the deletion.
    ['a1 b1 c1 d1', 'a1 b1 c1!', {}, 'UNDER_REPLICATED', 'copy a1,b1>d1'],
    ['a1 b1 c1 d1', 'a1 b1 c1! d1', {}, 'UNHEALTHY', 'delete c1'],
    ['a1 b1 c1? d1', 'a1 b1 c1! d1', {}, 'UNHEALTHY', ''],
    ['a1 b1 c1d d1', 'a1 b1 c1! d1', {}, 'HEALTHY', ''],
    // No fourth datanode: with two good ones the damaged one makes room.
    ['a1 b1 c1', 'a1 b1 c1!', {}, 'UNDER_REPLICATED', 'delete c1'],
    ['a1 b1 c1', 'a1 b1! c1!', {}, 'UNDER_REPLICATED', 'delete b1'],
    ['a1 b1 c1', 'a1 b1!', { leaving: ['c1'] }, 'UNDER_REPLICATED', ''],
    ['a1 b1', 'a1 b1!', {}, 'UNDER_REPLICATED', ''],
    // One that was sealed alone may lack what a damaged one has.
    ['a1 b1 c1', 'a1q b1! c1!', { state: 'QUASI_CLOSED' }, 'QUASI_CLOSED_STUCK', ''],
    ['a1 b1', 'a1!', one, 'UNHEALTHY', ''],
    ['a1 b1', 'a1! b1', one, 'UNHEALTHY', 'delete a1'],
    ['a1 b1 c1 d1', 'a1!', {}, 'UNHEALTHY', ''],
    // Two damaged ones have all blocks between them, with luck.
    ['a1 b1 c1', 'a1! b1!', {}, 'UNHEALTHY', 'copy a1,b1>c1'],
    ['a1 b1 c1 d1', 'a1! b1!', { arriving: ['c1'] }, 'UNHEALTHY', ''],
  ].map(withoutMarks),
)

table('replicas that were away', [
  ['a1 b1 c1 d1', 'a1 b1 c1q', {}, 'UNDER_REPLICATED', 'reconcile c1<a1,b1'],
  ['a1 b1 c1 d1 e1', 'a1 b1q', {}, 'UNDER_REPLICATED', 'reconcile b1<a1; copy a1>c1'],
  ['a1 b1 c1 d1', 'a1 b1 c1q d1', {}, 'OVER_REPLICATED', 'delete c1'],
  ['a1 b1 c1 d1', 'a1 b1 c1o d1', {}, 'OVER_REPLICATED', 'delete c1'],
  ['a1 b1 c1 d1', 'a1 b1 c1o', {}, 'UNDER_REPLICATED', 'copy a1,b1>d1'],
  ['a1 b1+ c1+ d1', 'a1q b1 c1', {}, 'QUASI_CLOSED_STUCK', ''],
])

/** Behind the actions: what is written down. */
describe('strays and losses', () => {
  test.each<readonly [string, string, Partial<ContainerFacts>, ContainerHealth, string, string]>([
    // datanodes      replicas              facts   health              does              is written down
    ['a1 b1 c1 d1', 'a1#1 b1#1 c1#1~', {}, 'UNDER_REPLICATED', '', 'adopt c1'],
    ['a1 b1 c1 d1', 'a1#1 b1#1 c1#1 d1#1~', {}, 'OVER_REPLICATED', 'delete d1', ''],
    // Other content: it has blocks that were deleted, or lacks some. A new copy is safe.
    ['a1 b1 c1 d1', 'a1#1 b1#1 c1#2~', {}, 'UNDER_REPLICATED', 'copy a1,b1>d1', ''],
    ['a1 b1 c1 d1', 'a1#1 b1#1 d1#1 c1#2~', {}, 'OVER_REPLICATED', 'delete c1', ''],
    ['a1 b1 c1', 'a1#1 b1#1 c1#2~', {}, 'UNDER_REPLICATED', 'delete c1', ''],
    ['a1 b1 c1', 'a1#1 c1#2~', {}, 'UNDER_REPLICATED', 'copy a1>b1', ''],
    // Nothing else is left.
    ['a1+ b1+ c1 d1', 'a1 b1 c1#2~', {}, 'UNDER_REPLICATED', '', 'adopt c1'],
    ['a1 b1+ c1+ d1', 'a1#1~ b1 c1', {}, 'UNDER_REPLICATED', '', 'adopt a1'],
    // The dead are a hope until there are enough without them.
    ['a1 b1 c1 d1+', 'a1 b1 d1', {}, 'UNDER_REPLICATED', 'copy a1,b1>c1', ''],
    ['a1 b1 c1 d1+', 'a1 b1 c1 d1', {}, 'HEALTHY', '', 'forget d1'],
    ['a1 b1 c1 d1M+', 'a1 b1 c1 d1', {}, 'HEALTHY', '', ''],
    ['a1+ b1+', 'a1 b1', {}, 'MISSING', '', ''],
    ['a1 b1 c1', 'a1 b1', { absent: ['c1'] }, 'UNDER_REPLICATED', 'copy a1,b1>c1', 'forget c1'],
    ['a1 b1 c1', '', { absent: ['a1', 'b1', 'c1'] }, 'MISSING', '', ''],
  ])('datanodes %s, replicas %s, %j: %s, %s, %s', (nodes, text, facts, health, does, written) => {
    const subject = container(text, facts)
    const result = planned(nodes, subject)
    const books = planBookkeeping(subject, result.found, cluster(nodes)).map(
      ({ kind, datanode }) => `${kind} ${datanode}`,
    )
    expect([result.found.health, result.does, books.join('; ')]).toEqual([health, does, written])
  })
})

const quasi = { state: 'QUASI_CLOSED', origins: ['a1', 'b1', 'c1'] } as const

table('sealed alone', [
  // One of three: it is copied, and waits.
  ['a1 b1+ c1+ d1 e1', 'a1q', quasi, 'QUASI_CLOSED_STUCK', 'copy a1>d1; copy a1>e1'],
  ['a1 b1+ c1+ d1 e1', 'a1q d1 e1', quasi, 'QUASI_CLOSED_STUCK', ''],
  // Two of three have everything between them.
  ['a1 b1 c1+ d1', 'a1v#1 b1v#2', quasi, 'DIFFERING', 'reconcile a1<b1'],
  ['a1 b1 c1+ d1', 'a1#3 b1v#2', quasi, 'DIFFERING', 'reconcile b1<a1'],
  ['a1 b1 c1+ d1', 'a1#3 b1v#2', { ...quasi, arriving: ['b1'] }, 'DIFFERING', ''],
  ['a1 b1 c1+ d1 e1', 'a1v#1 b1v#2 d1#1', quasi, 'DIFFERING', 'reconcile a1<b1,d1'],
  // Unless one of them has lost its disk, and has a copy of the other by now.
  ['a1 b1 c1+ d1', 'a1v#1 b1q#1', quasi, 'QUASI_CLOSED_STUCK', 'copy a1,b1>d1'],
  // A damaged one may be the only one that has a block: it makes no room before the container is closed.
  ['a1 b1 c1', 'a1v#1 b1q#1 c1!', quasi, 'QUASI_CLOSED_STUCK', ''],
])

table('different content', [
  ['a1 b1 c1', 'a1#1 b1#1 c1#1', {}, 'HEALTHY', ''],
  ['a1 b1 c1', 'a1#1 b1 c1#1', {}, 'HEALTHY', ''],
  ['a1 b1 c1', 'a1#1 b1#1 c1#2', {}, 'DIFFERING', 'reconcile c1<a1,b1'],
  ['a1 b1 c1', 'a1#1 b1#1 c1#2', { pendingDeletions: true }, 'HEALTHY', ''],
  ['a1 b1 c1', 'a1#1 b1#2 c1#3', {}, 'DIFFERING', 'reconcile a1<b1,c1'],
  // No deletion of any before they agree.
  ['a1 b1 c1 d1', 'a1#1 b1#1 c1#1 d1#2', {}, 'DIFFERING', 'reconcile d1<a1,b1,c1'],
])

table('racks', [
  ['a1 a2 a3 b1', 'a1 a2 a3', {}, 'MIS_REPLICATED', 'copy a1,a2,a3>b1'],
  ['a1 a2 a3 b1', 'a1 a2 a3 b1', {}, 'OVER_REPLICATED', 'delete a1'],
  ['a1 a2 b1 c1', 'a1 a2 b1', {}, 'HEALTHY', ''],
  ['a1 a2 a3 b1 c1', 'a1 a2 a3', {}, 'MIS_REPLICATED', 'copy a1,a2,a3>b1'],
  ['a1 a2 b1', 'a1 a2 b1', {}, 'HEALTHY', ''],
  ['a1 a2 a3 b1!', 'a1 a2 a3', {}, 'MIS_REPLICATED', ''],
  ['a1 a2 a3 a4', 'a1 a2 a3', {}, 'HEALTHY', ''],
  ['a1 a2 a3 b1+', 'a1 a2 a3', {}, 'HEALTHY', ''],
  ['a1 a2 a3? b1', 'a1 a2 a3', {}, 'MIS_REPLICATED', ''],
  ['a1 a2 a3 b1', 'a1 a2 a3', { arriving: ['b1'] }, 'MIS_REPLICATED', ''],
])

/** A damaged replica is no reason for its datanode to be full. */
function withoutMarks(row: readonly (string | object)[]): Row {
  const [nodes, ...rest] = row
  return [String(nodes).replaceAll('!', ''), ...rest] as unknown as Row
}

describe('limits', () => {
  const nodes = (outgoing: number, incoming: number) =>
    topologyOf([node('a1', { outgoing }), node('b1', { incoming }), node('c1', { incoming })])

  test('sources that have enough to do are waited for', () => {
    const { plan } = planned('a1', container('a1'), { topology: nodes(4, 0) })
    expect(plan).toMatchObject({ actions: [], blocked: { refusal: 'busy' } })
  })

  test('targets as well', () => {
    const { plan } = planned('a1', container('a1'), { topology: nodes(0, 4) })
    expect(plan).toMatchObject({ actions: [], blocked: { refusal: 'busy' } })
  })

  test('the least busy sources, and not more than allowed', () => {
    const topology = topologyOf([
      node('a1', { outgoing: 2 }),
      node('b1', { outgoing: 1 }),
      node('c1', { outgoing: 4 }),
      node('d1'),
      node('e1'),
    ])
    const facts = container('a1 b1 c1')
    const found = { ...assess(facts, topology), health: 'UNDER_REPLICATED' as const, missing: 1 }
    const context = { topology, limits: { ...limits, maxSources: 2 }, draw: () => 0 }
    expect(wordsOf(planRepair(facts, found, context).actions)).toBe('copy b1,a1>d1')
  })

  test('a datanode that failed lately is avoided; what cannot be reconciled is copied all the same', () => {
    const retried = planned('a1 b1 c1 d1', container('a1 b1'), { avoid: ['c1'] })
    expect(retried.does).toBe('copy a1,b1>d1')
    const differing = planned('a1 b1 c1 d1', container('a1#1 b1#2'), { avoid: ['a1', 'b1'] })
    expect(differing.does).toBe('copy a1>c1')
  })

  test('copies for the sake of racks do not fill a small rack', () => {
    const full = { disks: [disk({ availableBytes: 20 * 1024 ** 3 })] }
    const topology = topologyOf([
      ...['a1', 'a2', 'a3', 'a4', 'a5', 'a6'].map((id) => node(id, { rack: '/a' })),
      node('b1', { rack: '/b', ...full }),
    ])
    const facts = container('a1 a2 a3')
    const found = assess(facts, topology)
    const plan = planRepair(facts, found, { topology, limits, draw: () => 0 })
    expect(found.health).toBe('MIS_REPLICATED')
    // Another in the same rack would be no better.
    expect(plan.actions).toEqual([])
  })
})
