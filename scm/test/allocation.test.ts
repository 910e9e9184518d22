import { describe, expect, test } from 'vitest'
import type { ReplicationConfig } from '../src/api/api.ts'
import { lackingContainers, usableContainers, whyNoPlace } from '../src/core/allocation.ts'
import { placeOf } from '../src/core/place.ts'
import type { ContainerRow } from '../src/core/tables.ts'
import { anyRow, modelCluster } from './fixtures/model-cluster.ts'
import type { ModelNode } from './fixtures/model-cluster.ts'
import { reportOf } from './fixtures/scene.ts'

const limits = { openContainersPerNode: 2, openContainersPerPipeline: 2 }
const words: Record<string, ModelNode> = {
  fine: {},
  silent: { health: 'STALE' },
  dead: { health: 'DEAD' },
  full: { disk: 'full' },
  failed: { disk: 'failed' },
  leaving: { operational: 'DECOMMISSIONING' },
}
const nodesOf = (states: string): Record<string, ModelNode> =>
  states === '' ? {} : Object.fromEntries(states.split(' ').map((word, n) => ['abcdef'.charAt(n), words[word] ?? {}]))
const one = (datanode: string): ContainerRow => ({ ...anyRow, datanodes: [datanode], origins: [datanode] })
const through = (pipeline: string, members: string): ContainerRow => ({
  ...anyRow,
  replication: 'RATIS/THREE',
  pipeline,
  datanodes: members.split(''),
  origins: members.split(''),
})

describe('usable open containers', () => {
  const open = new Map([
    [1, through('p', 'abc')],
    [2, through('q', 'def')],
    [3, through('r', 'abd')],
  ])
  test.each([
    ['fine fine fine fine fine fine', 'OPEN', [1, 2, 3]],
    // One whole pipeline is better than one that has lost a member.
    ['silent fine fine fine fine fine', 'OPEN', [2]],
    ['fine leaving fine fine fine fine', 'OPEN', [2]],
    ['full fine fine fine fine fine', 'OPEN', [2]],
    // Nothing else is left: a majority will do.
    ['silent fine fine fine fine dead', 'OPEN', [1, 2, 3]],
    ['silent silent fine fine fine dead', 'OPEN', [2]],
    ['silent silent fine fine dead dead', 'OPEN', []],
    ['fine fine fine fine fine fine', 'CLOSED', [2, 3]],
  ] as const)('%s, p is %s: %j', (nodes, state, usable) => {
    const view = modelCluster({
      nodes: nodesOf(nodes),
      pipelines: {
        p: { members: ['a', 'b', 'c'], state },
        q: { members: ['d', 'e', 'f'] },
        r: { members: ['a', 'b', 'd'] },
      },
    })
    expect(usableContainers(open, view).ids).toEqual(usable)
  })

  test('of one replica: where its datanode takes writes', () => {
    const ones = new Map([
      [1, one('a')],
      [2, one('b')],
      [3, one('c')],
    ])
    const view = modelCluster({ nodes: nodesOf('fine silent leaving') })
    expect(usableContainers(ones, view)).toEqual({ ids: [1], areWhole: true })
  })
})

describe('containers that are to be opened', () => {
  test.each([
    ['fine fine', [], ['a', 'a', 'b', 'b']],
    ['fine fine', ['a', 'b', 'b'], ['a']],
    ['fine silent full leaving', ['a', 'a'], []],
  ] as const)('of one replica at %s, open at %j', (nodes, open, lacking) => {
    const found = lackingContainers(
      'RATIS/ONE',
      new Map(open.map((id, n) => [n, one(id)])),
      modelCluster({ nodes: nodesOf(nodes) }),
      limits,
    )
    expect(found.map(({ datanodes, pipeline }) => `${pipeline ?? ''}${datanodes.join('')}`)).toEqual(lacking)
  })

  test.each([
    ['fine fine fine fine', [], ['p abc', 'p abc', 'q bcd', 'q bcd']],
    ['fine fine fine fine', ['p', 'q', 'q'], ['p abc']],
    ['silent fine fine fine', [], ['q bcd', 'q bcd']],
    ['silent fine fine silent', [], ['p abc', 'p abc', 'q bcd', 'q bcd']],
  ] as const)('in pipelines over %s, open in %j', (nodes, open, lacking) => {
    const view = modelCluster({
      nodes: nodesOf(nodes),
      pipelines: {
        p: { members: ['a', 'b', 'c'] },
        q: { members: ['b', 'c', 'd'] },
        made: { members: ['a', 'b', 'c'], state: 'ALLOCATED' },
        gone: { members: ['a', 'b', 'c'], state: 'CLOSED' },
      },
    })
    const rows = new Map(open.map((id, n) => [n, through(id, id === 'p' ? 'abc' : 'bcd')]))
    const found = lackingContainers('EC/rs-3-2-1024k', rows, view, limits)
    expect(found.map(({ datanodes, pipeline }) => `${pipeline} ${datanodes.join('')}`)).toEqual(lacking)
  })
})

test.each<readonly [ReplicationConfig, string, string, RegExp]>([
  ['RATIS/ONE', '', 'Unavailable', /no datanode is alive/],
  ['RATIS/ONE', 'silent dead', 'Unavailable', /no datanode is alive/],
  ['RATIS/ONE', 'leaving', 'Unavailable', /no datanode is in service/],
  ['RATIS/ONE', 'full', 'OutOfSpace', /no datanode has space/],
  ['RATIS/ONE', 'failed', 'VolumeFailed', /every disk has failed/],
  ['RATIS/ONE', 'failed full', 'OutOfSpace', /no datanode has space/],
  ['RATIS/THREE', 'fine fine', 'Unavailable', /RATIS\/THREE needs three datanodes in service, there are 2/],
  [
    'EC/rs-6-3-1024k',
    'fine leaving fine',
    'Unavailable',
    /EC\/rs-6-3-1024k needs three datanodes in service, there are 2/,
  ],
  ['RATIS/THREE', 'fine fine full', 'OutOfSpace', /needs three datanodes with space/],
  ['RATIS/THREE', 'failed failed failed', 'VolumeFailed', /every disk/],
  ['RATIS/THREE', 'fine fine fine', 'Unavailable', /waits for its first pipeline/],
])('%s finds no place among %s: %s', (replication, nodes, code, message) => {
  const error = whyNoPlace(replication, modelCluster({ nodes: nodesOf(nodes) }))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
})

describe('where a container is', () => {
  const closed = { ...through('p', 'abc'), state: 'CLOSED', pipeline: undefined } as const
  test.each([
    ['fine fine fine', 'abc'],
    ['silent fine fine', 'bca'],
    ['dead silent fine', 'cba'],
    ['leaving fine fine', 'abc'],
  ])('with datanodes that are %s: %s', (nodes, order) => {
    const place = placeOf(1, closed, [], modelCluster({ nodes: nodesOf(nodes) }))
    expect(place.replicas.map(({ datanode }) => datanode).join('')).toBe(order)
    expect(place).toMatchObject({ state: 'CLOSED', pipeline: undefined, ec: undefined })
  })

  test('a damaged replica comes after a whole one, and before one that is suspected', () => {
    const reports = { a: reportOf('damaged')!, b: reportOf('closed')!, c: reportOf('closed')! }
    const view = modelCluster({ nodes: nodesOf('fine fine silent'), containers: { 1: { row: closed, reports } } })
    expect(
      placeOf(1, closed, [], view)
        .replicas.map(({ datanode }) => datanode)
        .join(''),
    ).toBe('bac')
  })

  test('while it is written, through its pipeline, whose leader comes first', () => {
    const nodes = { a: {}, b: { rack: '/r', pipelines: { p: 'leads' } }, c: {} } as const
    const view = modelCluster({ nodes, pipelines: { p: { members: ['a', 'b', 'c'] } } })
    for (const state of ['OPEN', 'CLOSING'] as const) {
      const place = placeOf(1, { ...through('p', 'abc'), state }, [], view)
      expect(place.pipeline).toBe('p')
      expect(place.replicas[0]).toEqual({ datanode: 'b', address: 'b:1', rack: '/r' })
      expect(place.replicas[1]).toEqual({ datanode: 'a', address: 'a:1' })
    }
  })

  test('once it is encoded, in its shards', () => {
    const row = { ...closed, ec: { policy: 'rs-3-2-1024k', shards: [7, 8] } } as const
    const view = modelCluster({ nodes: nodesOf('fine fine fine') })
    expect(placeOf(1, row, [one('b'), undefined], view)).toMatchObject({
      replicas: [],
      ec: {
        policy: 'rs-3-2-1024k',
        shards: [
          { container: 7, replicas: [{ datanode: 'b', address: 'b:1' }] },
          { container: 8, replicas: [] },
        ],
      },
    })
  })
})
