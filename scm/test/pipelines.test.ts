import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planPipeline, planUnknownPipelines } from '../src/core/pipelines/pipeline-life.ts'
import { planNewPipelines } from '../src/core/pipelines/pipeline-placement.ts'
import { modelCluster } from './fixtures/model-cluster.ts'
import type { Model, ModelNode, ModelPipeline } from './fixtures/model-cluster.ts'

const limits = { pipelinesPerNode: 2, pipelineGraceMs: 5_000, pipelineTimeoutMs: 60_000 }
const nowMs = 1_000_000

describe('the life of a pipeline of a, b and c', () => {
  const nodes: Record<string, ModelNode> = {
    fine: {},
    leads: { pipelines: { p: 'leads' } },
    failed: { pipelines: { p: 'failed' } },
    without: { pipelines: {} },
    silent: { health: 'STALE' },
    dead: { health: 'DEAD' },
    leaving: { operational: 'DECOMMISSIONING' },
    serviced: { operational: 'ENTERING_MAINTENANCE' },
    unheard: { health: 'STALE', unheard: true },
  }
  const rows: readonly (readonly [ModelPipeline['state'], ageMs: number, members: string, plan: string])[] = [
    ['ALLOCATED', 0, 'without without without', 'a create, b create, c create'],
    ['ALLOCATED', 0, 'fine fine fine', ''],
    ['ALLOCATED', 0, 'leads fine without', 'c create'],
    ['ALLOCATED', 0, 'leads fine fine', 'OPEN'],
    ['ALLOCATED', 5_000, 'leads fine without', 'OPEN'],
    ['ALLOCATED', 5_000, 'fine fine without', 'c create'],
    ['ALLOCATED', 5_000, 'leads without without', 'b create, c create'],
    ['ALLOCATED', 60_000, 'leads without without', 'CLOSED: its members did not take it up'],
    ['ALLOCATED', 0, 'leads fine dead', 'CLOSED: datanode c is dead'],
    ['OPEN', 0, 'leads fine fine', ''],
    ['OPEN', 0, 'leads fine silent', ''],
    ['OPEN', 0, 'leads silent unheard', ''],
    ['OPEN', 0, 'leads fine dead', 'CLOSED: datanode c is dead'],
    ['OPEN', 0, 'leads failed fine', 'CLOSED: its log at datanode b has failed'],
    ['OPEN', 0, 'leads fine leaving', 'CLOSED: datanode c is DECOMMISSIONING'],
    ['OPEN', 0, 'serviced fine leads', 'CLOSED: datanode a is ENTERING_MAINTENANCE'],
    // It is never told to begin again: it may have voted.
    ['OPEN', 59_999, 'leads fine without', ''],
    ['OPEN', 60_000, 'leads fine without', 'CLOSED: datanode c has not got it'],
    ['CLOSED', 0, 'leads fine fine', 'a close, b close, c close'],
    ['CLOSED', 0, 'leads fine dead', 'a close, b close, c close'],
    ['CLOSED', 0, 'without without silent', 'c close'],
    ['CLOSED', 0, 'without without unheard', ''],
    ['CLOSED', 0, 'without without without', 'GONE'],
    ['CLOSED', 0, 'without without dead', 'GONE'],
  ]
  test.each(rows)('%s for %i ms, %s: %s', (state, ageMs, members, plan) => {
    const [a = {}, b = {}, c = {}] = members.split(' ').map((word) => nodes[word] ?? {})
    const pipeline = { members: ['a', 'b', 'c'], createdMs: nowMs - ageMs, ...(state === undefined ? {} : { state }) }
    expect(planned({ nodes: { a, b, c }, pipelines: { p: pipeline } })).toBe(plan)
  })

  test('its members leave it only when its containers are sealed', () => {
    const model = {
      nodes: { a: {}, b: {}, c: {} },
      pipelines: { p: { members: ['a', 'b', 'c'], state: 'CLOSED' } },
    } as const
    const row = { replication: 'RATIS/THREE', state: 'CLOSING', pipeline: 'p', datanodes: ['a', 'b', 'c'] } as const
    expect(planned({ ...model, containers: { 1: { row } } })).toBe('')
    expect(planned({ ...model, containers: { 1: { row: { ...row, state: 'CLOSED', pipeline: undefined } } } })).toBe(
      'a close, b close, c close',
    )
  })

  function planned(model: Model): string {
    const view = modelCluster({ nowMs, ...model })
    const { change, why, due } = planPipeline(view.pipelines.get('p')!, view, limits)
    if (change !== undefined) return why === undefined ? change.to : `${change.to}: ${why}`
    return due.map(({ datanode, command }) => `${datanode} ${command.kind.replace('-pipeline', '')}`).join(', ')
  }

  test('a member is told where the others are', () => {
    const without = { pipelines: {} } as const
    const model = {
      nodes: { a: without, b: without, c: without },
      pipelines: { p: { members: ['a', 'b', 'c'], state: 'ALLOCATED' } },
    } as const
    const view = modelCluster({ nowMs: 0, ...model })
    expect(planPipeline(view.pipelines.get('p')!, view, limits).due[0]?.command).toEqual({
      kind: 'create-pipeline',
      pipeline: 'p',
      members: ['a', 'b', 'c'].map((datanode) => ({ datanode, address: `${datanode}:1` })),
    })
  })
})

test.each([
  // It was away when the pipeline was closed.
  ['pipeline-7', true],
  ['pipeline-100', true],
  // Ours, and known; never given out; none of ours.
  ['pipeline-1', false],
  ['pipeline-101', false],
  ['somebody', false],
])('a datanode that reports %s is told to leave it: %s', (id, isTold) => {
  const view = modelCluster({
    nodes: { a: { pipelines: { [id]: 'open' } }, b: {}, c: {} },
    pipelines: { 'pipeline-1': { members: ['a', 'b', 'c'] } },
  })
  expect(planUnknownPipelines('a', view).map(({ command }) => command)).toEqual(
    isTold ? [{ kind: 'close-pipeline', pipeline: id }] : [],
  )
})

describe('new pipelines', () => {
  const racks = (...of: readonly string[]): Record<string, ModelNode> =>
    Object.fromEntries(of.map((rack, n) => ['abcdefghi'.charAt(n), { rack: `/${rack}` }]))

  /** a, b and c have what they may have. */
  const withTwo = (others: Record<string, ModelNode>): Model => ({
    nodes: { a: { rack: '/1' }, b: { rack: '/2' }, c: { rack: '/3' }, ...others },
    pipelines: { p: { members: ['a', 'b', 'c'] }, q: { members: ['b', 'c', 'a'] } },
  })

  test.each<readonly [string, Model, readonly string[]]>([
    ['too few datanodes', { nodes: racks('1', '1') }, []],
    ['three have two, each with another to lead it', { nodes: racks('1', '1', '1') }, ['abc', 'bca']],
    [
      'one that is there already counts',
      { nodes: racks('1', '1', '1'), pipelines: { p: { members: ['a', 'b', 'c'] } } },
      ['bca'],
    ],
    [
      'one that is closed does not',
      { nodes: racks('1', '1', '1'), pipelines: { p: { members: ['a', 'b', 'c'], state: 'CLOSED' } } },
      ['abc', 'bca'],
    ],
    ['members that are not together already', { nodes: racks('1', '1', '1', '1') }, ['abc', 'bda']],
    ['a fourth that comes late gets one', withTwo({ d: {} }), ['dab']],
    ['so do two that come late, together', withTwo({ d: { rack: '/2' }, e: { rack: '/3' } }), ['dea']],
    ['nobody is without one', withTwo({}), []],
    ['two racks', { nodes: racks('1', '1', '1', '1', '2', '2') }, ['abe', 'cdf', 'bfa', 'dec']],
    ['three racks', { nodes: racks('1', '1', '1', '2', '3') }, ['ade', 'bde', 'cde']],
    [
      'none with one that is silent, full, leaving, without an address, or that does not speak of pipelines',
      {
        nodes: {
          a: {},
          b: {},
          c: { health: 'STALE' },
          d: { disk: 'full' },
          e: { operational: 'DECOMMISSIONING' },
          f: { address: undefined },
          g: { pipelines: 'silent' },
        },
      },
      [],
    ],
  ])('%s', (_, model, expected) => {
    expect(planNewPipelines(modelCluster(model), limits, 'allowed').map((members) => members.join(''))).toEqual(
      expected,
    )
  })

  test('while datanodes are joining, none with the members of another', () => {
    const planned = (nodes: Model['nodes']) =>
      planNewPipelines(modelCluster({ nodes }), limits, 'refused').map((members) => members.join(''))
    expect(planned(racks('1', '1', '1'))).toEqual(['abc'])
    expect(planned(racks('1', '1', '1', '1'))).toEqual(['abc', 'bda'])
  })

  test('no datanode has more than it may and one, nobody has none, racks are used, and leaders are spread', () => {
    const node = fc.record({ rack: fc.constantFrom('/1', '/2', '/3', '/4') })
    fc.assert(
      fc.property(fc.array(node, { minLength: 3, maxLength: 24 }), fc.integer({ min: 1, max: 4 }), (found, each) => {
        const nodes = Object.fromEntries(found.map((it, n) => [`dn-${n}`, it]))
        const planned = planNewPipelines(modelCluster({ nodes }), { pipelinesPerNode: each }, 'allowed')
        const uses = new Map<string, number>()
        const leads = new Map<string, number>()
        for (const members of planned) {
          expect(new Set(members).size).toBe(3)
          for (const id of members) uses.set(id, (uses.get(id) ?? 0) + 1)
          leads.set(members[0]!, (leads.get(members[0]!) ?? 0) + 1)
        }
        for (const count of uses.values()) expect(count).toBeLessThanOrEqual(each + 1)
        // Nothing is left that would make another, but for those in one rack that is not the only one.
        const left = found.filter((_, n) => (uses.get(`dn-${n}`) ?? 0) < each)
        const isOneRack =
          new Set(found.map(({ rack }) => rack)).size > 1 && new Set(left.map(({ rack }) => rack)).size === 1
        expect(left.length < 3 || isOneRack).toBe(true)
        if (!isOneRack) expect(uses.size).toBe(found.length)
        expect(Math.max(0, ...leads.values())).toBeLessThanOrEqual(Math.ceil(each / 2) + 1)
        // The first has all to choose from.
        const racks = new Set(found.map(({ rack }) => rack)).size
        const first = new Set(planned[0]?.map((id) => nodes[id]?.rack))
        expect(first.size).toBe(Math.min(3, racks))
      }),
    )
  })
})
