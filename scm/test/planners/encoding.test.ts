import { describe, expect, test } from 'vitest'
import { planEncoding, shardBytesOf, wantsEncodingAnew } from '../../src/core/planners/encoding.ts'
import type { EncodingFacts } from '../../src/core/planners/encoding.ts'
import { assess } from '../../src/core/planners/replication-health.ts'
import { cluster, container } from './facts.ts'

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
  test.each([
    [100, 0, false],
    [100, 49, false],
    [100, 50, true],
    [0, 0, false],
    [1, 1, true],
  ])('of %i blocks %i are deleted: %s', (blocks, deletedBlocks, expected) => {
    expect(wantsEncodingAnew({ blocks, deletedBlocks })).toBe(expected)
  })
})
