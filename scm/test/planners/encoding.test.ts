import { describe, expect, test } from 'vitest'
import type { EcGroupFacts } from '../../src/core/planners/container-facts.ts'
import {
  encodedBlocks,
  planEncoding,
  planEncodingAnew,
  shardBytesOf,
  wantsEncodingAnew,
} from '../../src/core/planners/encoding.ts'
import type { AnewFacts, EncodingFacts } from '../../src/core/planners/encoding.ts'
import { assessGroup } from '../../src/core/planners/erasure-plan.ts'
import { assess } from '../../src/core/planners/replication-health.ts'
import { cluster, container, replicas } from './facts.ts'

const MiB = 1024 ** 2
const limits = { maxIncoming: 4, maxOutgoing: 4, maxSources: 3, spreadMargin: 0.1 }
const ec = { replication: 'EC/rs-3-2-1024k' } as const
const alike = 'a1#1 b1#1 c1#1'
const five = 'a1 b1 c1 d1 e1'

function planned(nodes: string, text: string, facts: object, rest: Partial<EncodingFacts> = {}) {
  const topology = cluster(nodes)
  const subject = container(text, { ...ec, ...facts })
  const found = assess(subject, topology)
  const asked = { container: subject, found, closedForMs: 1_000, liveBytes: 300 * MiB, ...rest }
  return planEncoding(asked, { encodeAfterMs: 1_000 }, { topology, limits, draw: () => 0 })
}

test.each<readonly [string, string, object, Partial<EncodingFacts>, string]>([
  [five, alike, {}, {}, 'encode'],
  [five, alike, { replication: 'RATIS/THREE' }, {}, 'not-erasure-coded'],
  [five, alike, {}, { closedForMs: 999 }, 'young'],
  [five, alike, { pendingDeletions: true }, {}, 'changing'],
  [five, alike, { arriving: ['d1'] }, {}, 'changing'],
  [five, alike, { state: 'QUASI_CLOSED' }, {}, 'changing'],
  [five, 'a1#1 b1#1', {}, {}, 'unhealthy'],
  [five, 'a1#1 b1#1 c1#2', {}, {}, 'unhealthy'],
  // A hash that is not known is no reason to repair, and one not to encode.
  [five, 'a1#1 b1#1 c1', {}, {}, 'unhealthy'],
  [five, alike, {}, { liveBytes: 0 }, 'empty'],
  ['a1 b1 c1 d1', alike, {}, {}, 'too-few-datanodes'],
  ['a1 b1 c1 d1 e1+ f1', alike, {}, {}, 'encode'],
])('datanodes %s, replicas %s, %j, %j: %s', (nodes, text, facts, rest, expected) => {
  const plan = planned(nodes, text, facts, rest)
  const word = plan.kind === 'encode' ? plan.kind : plan.kind === 'blocked' ? plan.refusal : plan.why
  expect(word).toBe(expected)
})

test('where to: each shard a datanode, spread over the racks; read where a replica is', () => {
  const plan = planned('a1 a2 b1 b2 c1 c2', 'a1#1 b1#1 c1#1', {})
  if (plan.kind !== 'encode') throw new Error(plan.kind)
  expect(plan.encoder).toBe('a1')
  expect(new Set(plan.targets).size).toBe(5)
  expect(
    plan.targets
      .map((id) => id.charAt(0))
      .toSorted()
      .join(''),
  ).toBe('aabbc')
  expect(plan.shardBytes).toBe(101 * MiB)
})

test.each([
  [0, 1],
  [1, 2],
  [3 * MiB, 2],
  [3 * MiB + 1, 3],
])('a shard of %i bytes takes %i cells, the directory among them', (liveBytes, cells) => {
  expect(shardBytesOf(liveBytes, 'rs-3-2-1024k')).toBe(cells * MiB)
})

describe('anew', () => {
  const anewLimits = { anewShare: 0.5, anewStep: 0.125 }

  test.each<readonly [number, number, number | undefined, boolean]>([
    [100, 0, undefined, false],
    [100, 49, undefined, false],
    [100, 50, undefined, true],
    [0, 0, undefined, false],
    [1, 1, undefined, true],
    // Counted twice, some of them.
    [10, 30, undefined, true],
    // Its datanode found the bytes too few: an eighth of the blocks more, and it is asked again.
    [100, 50, 50, false],
    [100, 62, 50, false],
    [100, 63, 50, true],
    [3, 2, 2, false],
    [3, 3, 2, true],
    [4, 67, 60, false],
    [4, 68, 60, true],
  ])('of %i blocks %i are deleted, declined at %s: %s', (blocks, deletedBlocks, declinedAt, expected) => {
    expect(wantsEncodingAnew({ blocks, deletedBlocks, declinedAt }, anewLimits)).toBe(expected)
  })

  test('without a count of an earlier release, blocks are as many as were handed out', () => {
    const ec = { policy: 'rs-3-2-1024k', shards: [] } as const
    expect(encodedBlocks({ ec: { ...ec, blocks: 7 }, nextLocal: 11 })).toBe(7)
    expect(encodedBlocks({ ec, nextLocal: 11 })).toBe(10)
  })

  const seven = 'a1 b1 c1 d1 e1 f1 g1'
  const atFive = 'a1 b1 c1 d1 e1'
  const busy = { maxIncoming: 4, maxOutgoing: 0, maxSources: 1, spreadMargin: 0.1 }

  function plannedAnew(nodes: string, at: string, rest: Partial<AnewFacts> = {}, bounds = limits) {
    const topology = cluster(nodes)
    const group = groupAt(at)
    const facts = { state: 'CLOSED', group, found: assessGroup(group, topology), stayingShare: 0.25, ...rest } as const
    return planEncodingAnew(facts, { topology, limits: bounds, draw: () => 0 })
  }

  test.each<readonly [string, string, Partial<AnewFacts>, typeof limits, string]>([
    [seven, atFive, {}, limits, 'encode'],
    // Two on one datanode are no reason to wait for a better place.
    [seven, 'a1 a1 c1 d1 e1', {}, limits, 'encode'],
    [seven, atFive, { state: 'DELETING' }, limits, 'changing'],
    [seven, 'a1 b1 c1 d1 -', {}, limits, 'unhealthy'],
    ['a1 b1 c1 d1 e1? f1 g1', atFive, {}, limits, 'unhealthy'],
    ['a1 b1 c1 d1 e1d f1 g1', atFive, {}, limits, 'unhealthy'],
    [seven, 'a1! b1 c1 d1 e1', {}, limits, 'unhealthy'],
    ['a1 b1 c1 d1', 'a1 b1 c1 d1 a1', {}, limits, 'too-few-datanodes'],
    [seven, atFive, {}, busy, 'busy'],
  ])('datanodes %s, shards %s, %j: %s', (nodes, at, rest, bounds, expected) => {
    const plan = plannedAnew(nodes, at, rest, bounds)
    const word = plan.kind === 'encode' ? plan.kind : plan.kind === 'blocked' ? plan.refusal : plan.why
    expect(word).toBe(expected)
  })

  test('reads as many shards as it takes, is carried out where one is, and each new shard has a datanode', () => {
    const plan = plannedAnew(seven, atFive)
    if (plan.kind !== 'encode') throw new Error(plan.kind)
    expect([plan.encoder, plan.sources]).toEqual(['a1', ['a1', 'b1', 'c1']])
    expect(new Set(plan.targets).size).toBe(5)
    expect(plan.shardBytes).toBe(26 * MiB)
  })
})

/** A shard at each, in their order; `-`: it is nowhere, `!`: it is damaged. */
function groupAt(text: string): EcGroupFacts {
  const shards = text.split(' ').map((word, n) => ({
    container: 10 + n,
    replicas: word === '-' ? [] : replicas(word),
    arriving: [],
    leaving: [],
  }))
  return { id: 7, policy: 'rs-3-2-1024k', shards, shardBytes: 100 * MiB }
}
