/** Containers of `RATIS/ONE`. */

import { expect, test } from 'vitest'
import type { ContainerReport, ContainerState } from '../../src/api/api.ts'
import { defaultScmConfig } from '../../src/config.ts'
import { planContainer } from '../../src/core/life/container-life.ts'
import { modelCluster } from '../fixtures/model-cluster.ts'
import type { ModelContainer, ModelNode } from '../fixtures/model-cluster.ts'

const limits = { ...defaultScmConfig, containerBytes: 1000, garbageShare: 0.5, garbageFloorBytes: 100 }
const full = { state: 'OPEN', used: 1000, live: 1000, blocks: 9 } as const
const small = { state: 'OPEN', used: 999, live: 999, blocks: 9 } as const
const rotten = { state: 'UNHEALTHY', used: 10, live: 10, blocks: 1 } as const
const rotting = { ...rotten, open: true } as const
const garbage = { state: 'OPEN', used: 200, live: 100, blocks: 1 } as const
const littleGarbage = { state: 'OPEN', used: 199, live: 100, blocks: 1 } as const
const closed = { state: 'CLOSED', used: 500, live: 10, blocks: 1 } as const
const empty = { state: 'CLOSED', used: 500, live: 0, blocks: 0 } as const

type Report = {
  readonly state: ContainerReport['state']
  readonly used: number
  readonly live: number
  readonly blocks: number
  readonly open?: boolean
}
type Facts = Partial<ModelContainer> & { readonly node?: ModelNode }
const deleting = { pendingDeletions: 1 }
const suspected = { node: { health: 'STALE' } } as const
const unheard = { node: { health: 'STALE', unheard: true } } as const
const leaving = { node: { operational: 'DECOMMISSIONING' } } as const
const dead = { node: { health: 'DEAD' } } as const
const encoding = { row: { encoding: { policy: 'rs-3-2-1024k', shards: [2] } } } as const
const copied = { row: { incoming: ['b'] } }

test.each<[ContainerState, Report | undefined, Facts, ContainerState | undefined, string]>([
  // state    report         facts       next          due
  ['OPEN', undefined, {}, undefined, ''],
  ['OPEN', small, {}, undefined, ''],
  ['OPEN', full, {}, 'CLOSING', ''],
  ['OPEN', rotten, {}, 'CLOSING', ''],
  ['OPEN', garbage, {}, 'CLOSING', ''],
  ['OPEN', littleGarbage, {}, undefined, ''],
  ['OPEN', small, { pendingDeletions: 5_000 }, undefined, ''],
  ['OPEN', small, leaving, 'CLOSING', ''],
  ['OPEN', small, dead, undefined, ''],
  ['CLOSING', undefined, {}, undefined, 'create-container'],
  ['CLOSING', full, {}, undefined, 'close-container'],
  ['CLOSING', closed, {}, 'CLOSED', ''],
  ['CLOSING', rotting, {}, undefined, 'close-container'],
  ['CLOSING', rotten, {}, 'CLOSED', ''],
  ['CLOSED', rotten, {}, undefined, ''],
  ['CLOSED', closed, {}, undefined, ''],
  ['CLOSED', empty, {}, 'DELETING', ''],
  ['CLOSED', empty, deleting, undefined, ''],
  ['CLOSED', empty, encoding, undefined, ''],
  ['CLOSED', empty, copied, undefined, ''],
  // Its only replica is gone: that is for people to see, and its row stays.
  ['CLOSED', undefined, {}, undefined, ''],
  ['CLOSED', undefined, unheard, undefined, ''],
  ['DELETING', empty, {}, undefined, 'delete-container full-report'],
  ['DELETING', empty, suspected, undefined, ''],
  ['DELETING', undefined, {}, 'DELETED', ''],
  ['DELETING', undefined, suspected, undefined, ''],
  ['DELETING', undefined, unheard, undefined, ''],
  ['DELETING', empty, dead, 'DELETED', ''],
])('%s with %j and %j becomes %s', (state, report, { row, node = {}, ...facts }, next, due) => {
  const reports: Record<string, ContainerReport> = {}
  if (report !== undefined) {
    const { state: reported, open, used: usedBytes, live: liveBytes, blocks: blockCount } = report
    const said = { id: 1, state: reported, generation: 1, usedBytes, liveBytes, blockCount }
    reports['a'] = open === undefined ? said : { ...said, open }
  }
  const view = modelCluster({
    nodes: { a: node, b: {} },
    containers: { 1: { row: { ...row, state }, reports, ...facts } },
  })
  const plan = planContainer(view.container(1)!, view, limits)
  expect(plan.change).toEqual(next === undefined ? undefined : { kind: 'transition-container', container: 1, to: next })
  expect(plan.due.map(({ command }) => command.kind).join(' ')).toBe(due)
  expect(plan.due.every(({ datanode }) => datanode === 'a')).toBe(true)
})
