import { expect, test } from 'vitest'
import { firstStateFor, whyNotLeave } from '../src/core/departure.ts'
import { safemodeOf } from '../src/core/safemode.ts'
import { modelCluster } from './fixtures/model-cluster.ts'
import type { ModelNode } from './fixtures/model-cluster.ts'

const limits = { safemodeGraceMs: 5_000, safemodeLimitMs: 60_000, repairAfterMs: 30_000 }
const words: Record<string, ModelNode> = {
  heard: {},
  silent: { health: 'STALE' },
  unheard: { health: 'STALE', unheard: true },
  dead: { health: 'DEAD' },
  buried: { health: 'DEAD', unheard: true },
  serviced: { health: 'STALE', unheard: true, operational: 'IN_MAINTENANCE' },
}

const viewOf = (nodes: string) => {
  const each = nodes.split(' ').map((word, n) => [`dn-${n}`, words[word] ?? {}] as const)
  return modelCluster({ nodes: nodes === '' ? {} : Object.fromEntries(each) })
}

test.each<readonly [string, number, 'hands out' | 'waits', 'repairs' | 'not yet']>([
  // datanodes, listening for, blocks, copies
  ['', 0, 'hands out', 'repairs'],
  ['heard', 0, 'hands out', 'repairs'],
  ['unheard', 0, 'waits', 'not yet'],
  ['unheard', 5_000, 'waits', 'not yet'],
  ['unheard', 60_000, 'hands out', 'repairs'],
  ['heard heard heard', 0, 'hands out', 'repairs'],
  ['heard heard heard unheard', 0, 'waits', 'not yet'],
  ['heard heard heard unheard', 5_000, 'hands out', 'not yet'],
  ['heard heard heard unheard', 30_000, 'hands out', 'repairs'],
  ['heard heard unheard', 5_000, 'waits', 'not yet'],
  // Suspected, but known to be there a moment ago.
  ['heard heard silent', 0, 'hands out', 'repairs'],
  // Long dead, as this member has heard itself: nothing to wait for.
  ['heard heard dead', 0, 'hands out', 'repairs'],
  ['heard heard buried', 0, 'hands out', 'repairs'],
  ['heard heard heard serviced', 0, 'hands out', 'repairs'],
])('with %s after %i ms it %s, and %s', (nodes, listeningMs, blocks, copies) => {
  const { on, repairs, reasons } = safemodeOf(
    { nodes: viewOf(nodes).nodes.values(), listeningMs, isExited: false },
    limits,
  )
  expect([on ? 'waits' : 'hands out', repairs ? 'repairs' : 'not yet']).toEqual([blocks, copies])
  expect(reasons.length).toBe(on ? 1 : 0)
})

test('it says what it waits for, and ends when an administrator says so', () => {
  const nodes = viewOf('heard unheard unheard').nodes
  expect(safemodeOf({ nodes: nodes.values(), listeningMs: 0, isExited: false }, limits).reasons).toEqual([
    '2 of 3 datanodes in service have not registered yet',
  ])
  expect(safemodeOf({ nodes: nodes.values(), listeningMs: 0, isExited: true }, limits)).toEqual({
    on: false,
    reasons: [],
    repairs: true,
  })
})

test.each([
  ['DECOMMISSIONED', 'IN_SERVICE', 'DECOMMISSIONING'],
  ['DECOMMISSIONED', 'DECOMMISSIONED', 'DECOMMISSIONED'],
  ['DECOMMISSIONED', 'IN_MAINTENANCE', 'DECOMMISSIONING'],
  ['IN_MAINTENANCE', 'IN_SERVICE', 'ENTERING_MAINTENANCE'],
  ['IN_MAINTENANCE', 'IN_MAINTENANCE', 'IN_MAINTENANCE'],
  ['IN_SERVICE', 'DECOMMISSIONING', 'IN_SERVICE'],
] as const)('who is wanted %s and is %s goes to %s first', (wanted, present, first) => {
  expect(firstStateFor(wanted, present)).toBe(first)
})

test.each([
  ['heard heard heard heard', true],
  ['heard heard heard dead', false],
  ['heard heard heard', false],
  ['heard heard', true],
  ['heard', false],
  // It is out of service already, or does not count any more.
  ['serviced heard heard heard', true],
  ['dead heard heard heard', true],
])('of %s the first may leave: %s', (nodes, may) => {
  const refusal = whyNotLeave({ datanode: 'dn-0', wanted: 'DECOMMISSIONED' }, viewOf(nodes))
  expect(refusal === undefined).toBe(may)
})
