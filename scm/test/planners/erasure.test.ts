import { describe, expect, test } from 'vitest'
import type { EcGroupFacts } from '../../src/core/planners/container-facts.ts'
import { assessGroup, planGroupRepair } from '../../src/core/planners/erasure-plan.ts'
import type { ContainerHealth } from '../../src/api/api.ts'
import { GiB, cluster, replicas, wordsOf } from './facts.ts'

const limits = { maxIncoming: 4, maxOutgoing: 4, maxSources: 3, spreadMargin: 0.1 }

/** `a1 | b1! | c1 | d1 e1 | ` : replicas of the shards 0 … 4; `>f1` one on its way, `-g1` one that was told to go. */
function group(text: string): EcGroupFacts {
  const shards = text.split('|').map((shard, index) => {
    const words = shard.trim().split(/\s+/)
    const marked = (mark: string) => words.flatMap((word) => (word.startsWith(mark) ? [word.slice(1)] : []))
    const there = words.filter((word) => !/^[>-]/.test(word)).join(' ')
    return { container: 10 + index, replicas: replicas(there), arriving: marked('>'), leaving: marked('-') }
  })
  return { id: 7, policy: 'rs-3-2-1024k', shards, shardBytes: GiB }
}

const whole = 'a1 | b1 | c1 | d1 | e1'

describe('three data and two parity shards', () => {
  test.each<readonly [string, string, ContainerHealth, number, string]>([
    // datanodes             shards                          health        redundancy   does
    ['a1 b1 c1 d1 e1', whole, 'HEALTHY', 2, ''],
    ['a1 b1 c1 d1 e1+ f1', whole, 'UNDER_REPLICATED', 1, 'reconstruct 4>f1'],
    ['a1 b1 c1 d1+ e1+ f1 g1', whole, 'UNDER_REPLICATED', 0, 'reconstruct 3>f1; reconstruct 4>g1'],
    ['a1 b1 c1+ d1+ e1+ f1 g1', whole, 'MISSING', -1, ''],
    ['a1 b1 c1? d1+ e1+ f1 g1', whole, 'HEALTHY', -1, ''],
    // What is on its way is not made twice; what failed to be there is.
    ['a1 b1 c1 d1 e1+ f1', 'a1 | b1 | c1 | d1 | >f1', 'UNDER_REPLICATED', 1, ''],
    ['a1 b1 c1 d1 f1 g1', 'a1 | b1 | c1 | >g1 | ', 'UNDER_REPLICATED', 0, 'reconstruct 4>d1'],
    // Suspected: waited for, as long as one more than needed is solid.
    ['a1 b1 c1 d1 e1? f1', whole, 'HEALTHY', 1, ''],
    ['a1 b1 c1 d1? e1? f1', whole, 'UNDER_REPLICATED', 0, 'reconstruct 3>f1'],
    ['a1 b1 c1 d1 e1M+ f1', whole, 'HEALTHY', 1, ''],
    ['a1 b1 c1 d1m e1m f1', whole, 'UNDER_REPLICATED', 2, 'copy d1>f1'],
    // A datanode that leaves still has its shard: a copy reads one, not three.
    ['a1 b1 c1 d1 e1d f1', whole, 'UNDER_REPLICATED', 2, 'copy e1>f1'],
    // Damage: made elsewhere first, then the bad one goes.
    ['a1 b1 c1 d1 e1 f1', 'a1 | b1 | c1 | d1 | e1!', 'UNDER_REPLICATED', 1, 'reconstruct 4>f1'],
    ['a1 b1 c1 d1 e1 f1', 'a1 | b1 | c1 | d1 | e1! f1', 'UNHEALTHY', 2, 'delete e1'],
    // One too many: the one that shares a datanode goes.
    ['a1 b1 c1 d1 e1', 'a1 | a1 b1 | c1 | d1 | e1', 'OVER_REPLICATED', 2, 'delete a1'],
    ['a1 b1 c1 d1 e1', 'a1 | b1 -c1 c1 | c1 | d1 | e1', 'HEALTHY', 2, ''],
    // Too few datanodes: two shards on one, until there is another.
    ['a1 b1 c1 d1', 'a1 | b1 | c1 | d1 | ', 'UNDER_REPLICATED', 1, 'reconstruct 4>a1'],
    ['a1 b1 c1 d1', 'a1 | b1 | c1 | d1 | a1', 'MIS_REPLICATED', 2, ''],
    ['a1 b1 c1 d1 e1', 'a1 | b1 | c1 | d1 | a1', 'MIS_REPLICATED', 2, 'copy a1>e1'],
    // Racks: three of five in one are too many when there are three racks.
    ['a1 a2 a3 b1 c1 c2', 'a1 | a2 | a3 | b1 | c1', 'MIS_REPLICATED', 2, 'copy a1>c2'],
    ['a1 a2 b1 b2 c1', 'a1 | a2 | b1 | b2 | c1', 'HEALTHY', 2, ''],
  ])('datanodes %s, shards %s: %s, %i, %s', (nodes, shards, health, redundancy, does) => {
    const topology = cluster(nodes)
    const facts = group(shards)
    const found = assessGroup(facts, topology)
    const plan = planGroupRepair(facts, found, { topology, limits, draw: () => 0 })
    expect([found.health, found.redundancy, wordsOf(plan.actions)]).toEqual([health, redundancy, does])
  })
})

test('a reconstruction waits until as many sources are free as it needs', () => {
  const busy = cluster('a1 b1 c1 d1 e1+ f1')
  const nodes = [...busy.nodes.values()].map((node) => (node.id < 'c' ? { ...node, outgoing: 4 } : node))
  const topology = { ...busy, nodes: new Map(nodes.map((node) => [node.id, node])) }
  const facts = group(whole)
  const plan = planGroupRepair(facts, assessGroup(facts, topology), { topology, limits, draw: () => 0 })
  expect(plan).toMatchObject({ actions: [], blocked: { refusal: 'busy' } })
})
