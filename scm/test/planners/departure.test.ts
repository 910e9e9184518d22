import { describe, expect, test } from 'vitest'
import type { NodeOperationalState } from '../../src/api/api.ts'
import type { EcGroupFacts } from '../../src/core/planners/container-facts.ts'
import { groupNeeds, needs, planDeparture, whyNotLeave } from '../../src/core/planners/departure.ts'
import type { DepartureFacts, DepartureRequest } from '../../src/core/planners/departure.ts'
import { assessGroup } from '../../src/core/planners/erasure-plan.ts'
import { assess } from '../../src/core/planners/replication-health.ts'
import { GiB, cluster, container, replicas } from './facts.ts'

describe('who is needed', () => {
  test.each<readonly [string, string, object, string, boolean]>([
    // datanodes       replicas       facts                             datanode   is needed
    ['a1 b1 c1d d1', 'a1 b1 c1', {}, 'c1', true],
    ['a1 b1 c1d d1', 'a1 b1 c1 d1', {}, 'c1', false],
    // A copy that is on its way is not there.
    ['a1 b1 c1d d1', 'a1 b1 c1', { arriving: ['d1'] }, 'c1', true],
    ['a1d b1', 'a1', { replication: 'RATIS/ONE' }, 'a1', true],
    ['a1d b1', 'a1 b1', { replication: 'RATIS/ONE' }, 'a1', false],
    ['a1 b1 c1m d1', 'a1 b1 c1', {}, 'c1', false],
    ['a1 b1m c1m d1', 'a1 b1 c1', {}, 'c1', true],
    ['a1 b1 c1m d1+', 'a1 d1 c1', {}, 'c1', true],
    // The only thing that is left is not left behind, however bad it is.
    ['a1d b1', 'a1!', { replication: 'RATIS/ONE' }, 'a1', true],
    ['a1d b1 c1 d1', 'a1! b1 c1 d1', {}, 'a1', false],
  ])('datanodes %s, replicas %s, %j: %s is needed: %s', (nodes, text, facts, datanode, expected) => {
    const subject = container(text, facts)
    expect(needs(subject, assess(subject, cluster(nodes)), datanode)).toBe(expected)
  })

  test.each<readonly [string, boolean]>([
    ['a1 b1 c1 d1 e1d', true],
    ['a1 b1 c1 d1 e1m', false],
    // Three are needed to read; until a fourth is made elsewhere nobody goes.
    ['a1 b1 c1 d1m e1m', true],
    ['a1 b1 c1m d1m e1m', true],
    ['a1 b1 c1 d1+ e1m', true],
  ])('with shards on %s, e1 is needed: %s', (nodes, expected) => {
    const shards = ['a1', 'b1', 'c1', 'd1', 'e1'].map((text, n) => {
      return { container: 10 + n, replicas: replicas(text), arriving: [], leaving: [] }
    })
    const group: EcGroupFacts = { id: 7, policy: 'rs-3-2-1024k', shards, shardBytes: GiB }
    expect(groupNeeds(group, assessGroup(group, cluster(nodes)), 'e1')).toBe(expected)
  })
})

describe('steps', () => {
  const free: DepartureFacts = {
    operational: 'DECOMMISSIONING',
    maintenanceUntilMs: undefined,
    wallMs: 1_000,
    pipelines: 0,
    unclosed: 0,
    needed: 0,
    neededBytes: 0,
    bytesPerSecond: 0,
  }
  test.each<readonly [NodeOperationalState, Partial<DepartureFacts>, NodeOperationalState | undefined]>([
    ['IN_SERVICE', {}, undefined],
    ['DECOMMISSIONING', {}, 'DECOMMISSIONED'],
    ['DECOMMISSIONING', { needed: 1 }, undefined],
    ['DECOMMISSIONING', { unclosed: 1 }, undefined],
    ['DECOMMISSIONING', { pipelines: 1 }, undefined],
    ['DECOMMISSIONED', {}, undefined],
    ['ENTERING_MAINTENANCE', {}, 'IN_MAINTENANCE'],
    ['ENTERING_MAINTENANCE', { needed: 3 }, undefined],
    ['ENTERING_MAINTENANCE', { needed: 3, maintenanceUntilMs: 1_000 }, 'IN_SERVICE'],
    ['IN_MAINTENANCE', { maintenanceUntilMs: 1_001 }, undefined],
    ['IN_MAINTENANCE', { maintenanceUntilMs: 1_000 }, 'IN_SERVICE'],
    ['IN_MAINTENANCE', {}, undefined],
  ])('%s with %j goes to %s', (operational, facts, to) => {
    expect(planDeparture({ ...free, operational, ...facts }).to).toBe(to)
  })

  test('how far it is', () => {
    const facts = { ...free, needed: 3, unclosed: 2, neededBytes: 1_000 }
    expect(planDeparture(facts).progress).toEqual({ containersLeft: 5, bytesLeft: 1_000 })
    expect(planDeparture({ ...facts, bytesPerSecond: 300 }).progress).toMatchObject({ estimatedSeconds: 4 })
  })
})

describe('without force', () => {
  const request: DepartureRequest = { datanode: 'a1', to: 'DECOMMISSIONED', inUse: { three: true, ec: [] }, bytes: GiB }
  test.each<readonly [string, Partial<DepartureRequest>, string | undefined]>([
    ['a1 b1 c1 d1', {}, undefined],
    ['a1 b1 c1', {}, 'containers of RATIS/THREE need 3 datanodes in service, and without a1 there are 2'],
    ['a1 b1 c1 d1+', {}, 'need 3 datanodes'],
    ['a1 b1 c1 d1m', {}, 'need 3 datanodes'],
    ['a1 b1', { inUse: { three: false, ec: [] } }, undefined],
    ['a1', { inUse: { three: false, ec: [] } }, 'containers need 1 datanodes'],
    ['a1 b1 c1', { to: 'IN_MAINTENANCE' }, undefined],
    ['a1 b1', { to: 'IN_MAINTENANCE' }, 'need 2 datanodes'],
    ['a1 b1 c1 d1 e1', { inUse: { three: true, ec: ['rs-3-2-1024k'] } }, 'containers of EC/rs-3-2-1024k need 5'],
    ['a1 b1 c1 d1 e1', { to: 'IN_MAINTENANCE', inUse: { three: true, ec: ['rs-3-2-1024k'] } }, undefined],
    ['a1 b1 c1! d1!', { bytes: 51 * GiB }, 'the other datanodes have room for'],
  ])('in %s, %j: %s', (nodes, asked, expected) => {
    const why = whyNotLeave({ ...request, ...asked }, cluster(nodes))
    if (expected === undefined) expect(why).toBeUndefined()
    else expect(why).toContain(expected)
  })
})
