/** The commands of pipelines, replicas, encodings and of the deletions that follow them. */

import { PureStore } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import type { NodeOperationalState, PipelineState } from '../src/api/api.ts'
import type { Replicas, ScmCommand, ScmReply } from '../src/core/command.ts'
import { operationalSteps } from '../src/core/commands/set-operational.ts'
import { pipelineSteps } from '../src/core/commands/transition-pipeline.ts'
import { scmRules } from '../src/core/rules.ts'
import { containers, counters, deletions, encodedDeletions, nodes, pipelines } from '../src/core/tables.ts'

class Rules extends PureStore<ScmCommand, ScmReply> {
  constructor() {
    super(scmRules)
    for (const id of ['a', 'b', 'c', 'd', 'e'])
      this.execute({ kind: 'register-node', id, address: `${id}:1`, rack: '/r' })
  }

  pipeline(members = ['a', 'b', 'c']): string {
    const reply = this.execute({ kind: 'create-pipeline', replicas: 'THREE', members })
    if (reply.kind !== 'pipeline') throw new Error(reply.kind)
    this.execute({ kind: 'transition-pipeline', pipeline: reply.pipeline, to: 'OPEN' })
    return reply.pipeline
  }

  /** A closed one of three replicas. */
  closed(): number {
    const pipeline = this.pipeline()
    const datanodes = ['a', 'b', 'c']
    const reply = this.execute({ kind: 'create-container', replication: 'RATIS/THREE', pipeline, datanodes })
    if (reply.kind !== 'container') throw new Error(reply.kind)
    for (const to of ['CLOSING', 'CLOSED'] as const) {
      this.execute({ kind: 'transition-container', container: reply.container, to })
    }
    return reply.container
  }

  /** `abc+d`: at a, b and c, and on its way to d. */
  replicas(container: number, was: string, becomes: string): ReturnType<Rules['try']> {
    return this.try({ kind: 'set-replicas', container, was: replicasOf(was), becomes: replicasOf(becomes) })
  }

  delete(container: number, firstLocal: number): void {
    this.execute({ kind: 'delete-blocks', blocks: [{ container, firstLocal, count: 2 }] })
  }

  acknowledge(datanode: string, ...transactions: readonly number[]): void {
    this.execute({ kind: 'acknowledge-deletions', datanode, transactions })
  }
}

function replicasOf(word: string): Replicas {
  const [datanodes = '', incoming = ''] = word.split('+')
  return { datanodes: datanodes.split('').filter(Boolean), incoming: incoming.split('').filter(Boolean) }
}

describe('datanodes', () => {
  test('a rack is kept by who does not name one, and changed by who does', () => {
    const rules = new Rules()
    rules.execute({ kind: 'register-node', id: 'a', address: 'moved:1' })
    expect(rules.get(nodes, 'a')).toMatchObject({ address: 'moved:1', rack: '/r' })
    rules.execute({ kind: 'register-node', id: 'a', address: 'moved:1', rack: '/s' })
    expect(rules.get(nodes, 'a')).toMatchObject({ rack: '/s' })
  })

  const states = Object.keys(operationalSteps) as NodeOperationalState[]
  const pathTo: Readonly<Record<NodeOperationalState, readonly NodeOperationalState[]>> = {
    IN_SERVICE: [],
    DECOMMISSIONING: ['DECOMMISSIONING'],
    DECOMMISSIONED: ['DECOMMISSIONING', 'DECOMMISSIONED'],
    ENTERING_MAINTENANCE: ['ENTERING_MAINTENANCE'],
    IN_MAINTENANCE: ['ENTERING_MAINTENANCE', 'IN_MAINTENANCE'],
  }
  test.each(states.flatMap((from) => states.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const rules = new Rules()
    for (const step of pathTo[from]) {
      rules.execute({ kind: 'set-operational', datanode: 'a', to: step, untilMs: undefined })
    }
    const outcome = rules.try({ kind: 'set-operational', datanode: 'a', to, untilMs: 7 })
    const isAgreed = from === to || operationalSteps[from].includes(to)
    expect(outcome.kind).toBe(isAgreed ? 'decision' : 'refusal')
    if (!isAgreed) return
    // Only maintenance ends.
    expect(rules.get(nodes, 'a')?.maintenanceUntilMs).toBe(to.endsWith('MAINTENANCE') ? 7 : undefined)
  })

  test('the end of maintenance outlives the step into it; an unknown datanode is refused', () => {
    const rules = new Rules()
    rules.execute({ kind: 'set-operational', datanode: 'a', to: 'ENTERING_MAINTENANCE', untilMs: 7 })
    rules.execute({ kind: 'set-operational', datanode: 'a', to: 'IN_MAINTENANCE', untilMs: undefined })
    expect(rules.get(nodes, 'a')).toMatchObject({ operational: 'IN_MAINTENANCE', maintenanceUntilMs: 7 })
    const ghost = { kind: 'set-operational', datanode: 'ghost', to: 'IN_SERVICE', untilMs: undefined } as const
    expect(rules.try(ghost)).toMatchObject({ code: 'InvalidArgument' })
  })
})

describe('pipelines', () => {
  test('ids are never given twice', () => {
    const rules = new Rules()
    const first = rules.pipeline()
    rules.execute({ kind: 'transition-pipeline', pipeline: first, to: 'CLOSED' })
    rules.execute({ kind: 'transition-pipeline', pipeline: first, to: 'GONE' })
    expect(rules.get(pipelines, first)).toBeUndefined()
    expect([first, rules.pipeline()]).toEqual(['pipeline-1', 'pipeline-2'])
  })

  test.each([
    [['a', 'b'], 'InvalidArgument'],
    [['a', 'b', 'b'], 'InvalidArgument'],
    [['a', 'b', 'ghost'], 'Unavailable'],
    [['a', 'b', 'd'], 'Unavailable'],
  ])('one of %j is refused', (members, code) => {
    const rules = new Rules()
    rules.execute({ kind: 'set-operational', datanode: 'd', to: 'DECOMMISSIONING', untilMs: undefined })
    expect(rules.try({ kind: 'create-pipeline', replicas: 'THREE', members })).toMatchObject({ code })
  })

  const states: readonly PipelineState[] = ['ALLOCATED', 'OPEN', 'CLOSED']
  const steps = ['OPEN', 'CLOSED', 'GONE'] as const
  test.each(states.flatMap((from) => steps.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const rules = new Rules()
    const members = ['a', 'b', 'c']
    rules.execute({ kind: 'create-pipeline', replicas: 'THREE', members })
    const pipeline = 'pipeline-1'
    if (from !== 'ALLOCATED') rules.execute({ kind: 'transition-pipeline', pipeline, to: from })
    const isAgreed = (from as string) === to || pipelineSteps[from].includes(to)
    expect(rules.try({ kind: 'transition-pipeline', pipeline, to }).kind).toBe(isAgreed ? 'decision' : 'refusal')
  })

  test('of one that is gone only that is agreed to', () => {
    const rules = new Rules()
    expect(rules.try({ kind: 'transition-pipeline', pipeline: 'p', to: 'GONE' }).kind).toBe('decision')
    expect(rules.try({ kind: 'transition-pipeline', pipeline: 'p', to: 'CLOSED' })).toMatchObject({
      code: 'InvalidArgument',
    })
  })

  test('one that is closed gets no containers, and its containers give out no blocks', () => {
    const rules = new Rules()
    const pipeline = rules.pipeline()
    const create = {
      kind: 'create-container',
      replication: 'RATIS/THREE',
      pipeline,
      datanodes: ['a', 'b', 'c'],
    } as const
    rules.execute(create)
    expect(rules.try({ ...create, datanodes: ['a', 'b', 'd'] })).toMatchObject({ code: 'InvalidArgument' })
    expect(rules.try({ kind: 'allocate-blocks', container: 1, count: 1 }).kind).toBe('decision')
    rules.execute({ kind: 'transition-pipeline', pipeline, to: 'CLOSED' })
    expect(rules.try(create)).toMatchObject({ code: 'ConcurrentChange' })
    expect(rules.try({ kind: 'allocate-blocks', container: 1, count: 1 })).toMatchObject({ code: 'ConcurrentChange' })
  })

  test('a container of three without one is refused', () => {
    const command = {
      kind: 'create-container',
      replication: 'RATIS/THREE',
      pipeline: undefined,
      datanodes: ['a'],
    } as const
    expect(new Rules().try(command)).toMatchObject({ code: 'InvalidArgument' })
  })

  test('a container names its pipeline until it is at rest', () => {
    const rules = new Rules()
    const id = rules.closed()
    expect(rules.get(containers, id)).toMatchObject({
      state: 'CLOSED',
      pipeline: undefined,
      datanodes: ['a', 'b', 'c'],
      origins: ['a', 'b', 'c'],
    })
  })
})

describe('replicas', () => {
  test.each([
    ['abc', 'abc+d', 'decision', 1],
    ['abc', 'ab', 'decision', 0],
    ['abc', 'abd', 'decision', 1],
    ['abc', 'ab+de', 'decision', 2],
    ['ab', 'abc', 'ConcurrentChange', 0],
    ['abc+d', 'abcd', 'ConcurrentChange', 0],
    ['abc', 'abcc', 'InvalidArgument', 0],
    ['abc', 'abc+c', 'InvalidArgument', 0],
  ])('%s → %s of a container at abc: %s', (was, becomes, outcome, copies) => {
    const rules = new Rules()
    const id = rules.closed()
    const found = rules.replicas(id, was, becomes)
    expect(found.kind === 'refusal' ? found.code : found.kind).toBe(outcome)
    expect(rules.get(containers, id)?.copies).toBe(copies)
  })

  test('a copy that arrives is none that begins', () => {
    const rules = new Rules()
    const id = rules.closed()
    rules.replicas(id, 'abc', 'abc+d')
    rules.replicas(id, 'abc+d', 'abcd')
    expect(rules.get(containers, id)).toMatchObject({ datanodes: ['a', 'b', 'c', 'd'], incoming: [], copies: 1 })
  })

  test('of no container', () => {
    expect(new Rules().replicas(9, 'a', 'b')).toMatchObject({ code: 'ContainerNotFound' })
  })
})

describe('deletions', () => {
  test('are done when every replica has said so, whichever there are by then', () => {
    const rules = new Rules()
    const id = rules.closed()
    rules.delete(id, 1)
    rules.acknowledge('a', 1)
    rules.acknowledge('b', 1)
    // A stranger says nothing of a replica that it may have later.
    rules.acknowledge('d', 1)
    expect(rules.get(deletions, 1)?.done).toEqual(['a', 'b'])
    rules.acknowledge('c', 1)
    expect(rules.get(deletions, 1)).toBeUndefined()
  })

  test('what was said before a copy began does not count', () => {
    const rules = new Rules()
    const id = rules.closed()
    rules.delete(id, 1)
    for (const each of ['a', 'b']) rules.acknowledge(each, 1)
    rules.replicas(id, 'abc', 'abc+d')
    // All that there were have said so, but the copy may have come from one that had not.
    rules.acknowledge('c', 1)
    expect(rules.get(deletions, 1)).toMatchObject({ done: ['c'], copies: 1 })
    for (const each of ['a', 'b', 'c']) rules.acknowledge(each, 1)
    expect(rules.get(deletions, 1)?.done).toEqual(['c', 'a', 'b'])
    rules.replicas(id, 'abc+d', 'abcd')
    rules.acknowledge('d', 1)
    expect(rules.get(deletions, 1)).toBeUndefined()
  })

  test('a datanode that lost its replica and gets another is asked again', () => {
    const rules = new Rules()
    const id = rules.closed()
    rules.delete(id, 1)
    rules.acknowledge('c', 1)
    rules.replicas(id, 'abc', 'ab')
    rules.replicas(id, 'ab', 'ab+c')
    rules.replicas(id, 'ab+c', 'abc')
    for (const each of ['a', 'b']) rules.acknowledge(each, 1)
    expect(rules.get(deletions, 1)).toBeDefined()
    rules.acknowledge('c', 1)
    expect(rules.get(deletions, 1)).toBeUndefined()
  })

  test('that wait for nobody are settled, the others stay', () => {
    const rules = new Rules()
    const [one, two] = [rules.closed(), rules.closed()]
    rules.delete(one, 1)
    rules.delete(two, 1)
    rules.acknowledge('a', 1)
    rules.acknowledge('b', 1)
    rules.replicas(one, 'abc', 'ab')
    rules.execute({ kind: 'settle-deletions', transactions: [1, 2, 2, 99] })
    expect([rules.get(deletions, 1), rules.get(deletions, 2)?.done]).toEqual([undefined, []])
  })

  test('go with their container', () => {
    const rules = new Rules()
    const id = rules.closed()
    rules.delete(id, 1)
    for (const to of ['DELETING', 'DELETED'] as const)
      rules.execute({ kind: 'transition-container', container: id, to })
    rules.execute({ kind: 'settle-deletions', transactions: [1] })
    expect(rules.get(deletions, 1)).toBeUndefined()
  })
})

describe('encoding', () => {
  const policy = 'rs-3-2-1024k'
  const targets = ['a', 'b', 'c', 'd', 'e']

  function begun(): { rules: Rules; id: number; shards: readonly number[] } {
    const rules = new Rules()
    const id = rules.closed()
    const reply = rules.execute({ kind: 'begin-encoding', container: id, policy, targets })
    if (reply.kind !== 'shards') throw new Error(reply.kind)
    return { rules, id, shards: reply.shards }
  }

  function close(rules: Rules, shards: readonly number[]): void {
    for (const container of shards) {
      for (const to of ['CLOSING', 'CLOSED'] as const) rules.execute({ kind: 'transition-container', container, to })
    }
  }

  test('makes rows for the shards, and the replicas go on being read', () => {
    const { rules, id, shards } = begun()
    expect(shards).toEqual([2, 3, 4, 5, 6])
    expect(rules.get(counters, 'container')).toBe(6)
    expect(rules.get(containers, 3)).toMatchObject({
      state: 'OPEN',
      datanodes: ['b'],
      shardOf: { container: id, index: 1 },
    })
    expect(rules.get(containers, id)).toMatchObject({
      datanodes: ['a', 'b', 'c'],
      encoding: { policy, shards },
      ec: undefined,
    })
    expect(rules.try({ kind: 'allocate-blocks', container: 3, count: 1 })).toMatchObject({ code: 'ConcurrentChange' })
  })

  test('cannot be begun twice, on what is not closed, of a shard, or while a copy is under way', () => {
    const { rules, id, shards } = begun()
    const begin = (container: number) => rules.try({ kind: 'begin-encoding', container, policy, targets })
    expect(begin(id)).toMatchObject({ code: 'ConcurrentChange' })
    close(rules, shards)
    expect(begin(2)).toMatchObject({ code: 'ConcurrentChange' })
    expect(begin(99)).toMatchObject({ code: 'ContainerNotFound' })
    const other = rules.closed()
    rules.replicas(other, 'abc', 'abc+d')
    expect(begin(other)).toMatchObject({ code: 'ConcurrentChange' })
    const pipeline = rules.pipeline()
    rules.execute({ kind: 'create-container', replication: 'RATIS/THREE', pipeline, datanodes: ['a', 'b', 'c'] })
    expect(begin(other + 1)).toMatchObject({ code: 'ConcurrentChange' })
  })

  test('ends when all shards are closed, in one step', () => {
    const { rules, id, shards } = begun()
    close(rules, shards.slice(1))
    const finish = { kind: 'finish-encoding', container: id, blocks: 9 } as const
    expect(rules.try(finish)).toMatchObject({ code: 'ConcurrentChange' })
    close(rules, shards.slice(0, 1))
    rules.execute(finish)
    const ec = { policy, shards, blocks: 9 }
    expect(rules.get(containers, id)).toMatchObject({ state: 'CLOSED', encoding: undefined, ec })
    expect(rules.try(finish)).toMatchObject({ code: 'ConcurrentChange' })
  })

  test('that is given up leaves the replicas, and its shards go', () => {
    const { rules, id, shards } = begun()
    for (let times = 0; times < 2; times++) rules.execute({ kind: 'abandon-encoding', container: id })
    expect(rules.get(containers, id)).toMatchObject({ encoding: undefined, ec: undefined, datanodes: ['a', 'b', 'c'] })
    for (const shard of shards) expect(rules.get(containers, shard)?.state).toBe('DELETING')
  })

  test('a container that is being encoded is not deleted; one that is encoded takes its shards along', () => {
    const { rules, id, shards } = begun()
    const gone = { kind: 'transition-container', container: id, to: 'DELETING' } as const
    expect(rules.try(gone)).toMatchObject({ code: 'ConcurrentChange' })
    close(rules, shards)
    rules.execute({ kind: 'finish-encoding', container: id, blocks: 9 })
    rules.execute(gone)
    for (const each of [id, ...shards]) expect(rules.get(containers, each)?.state).toBe('DELETING')
  })

  /** Encoded, with three deletions recorded of which the first was asked for while it was being encoded. */
  function recorded(): { rules: Rules; id: number; old: readonly number[] } {
    const { rules, id, shards } = begun()
    // It stays in the queue, and is moved when nobody can carry it out any more.
    rules.delete(id, 1)
    close(rules, shards)
    rules.execute({ kind: 'finish-encoding', container: id, blocks: 9 })
    rules.delete(id, 3)
    rules.execute({ kind: 'settle-deletions', transactions: [1] })
    rules.delete(id, 5)
    return { rules, id, old: shards }
  }

  const records = (rules: Rules) =>
    rules.rows(encodedDeletions).map(({ key, value }) => [key.transaction, value[0]?.firstLocal])

  function anew(rules: Rules, container: number, leaveOut: { upTo: number; blocks: number }): readonly number[] {
    const again = rules.execute({ kind: 'begin-encoding', container, policy, targets, leaveOut })
    if (again.kind !== 'shards') throw new Error(again.kind)
    return again.shards
  }

  test('deletions of an encoded container are recorded, numbered in the order in which they are', () => {
    const { rules, id } = recorded()
    expect(rules.rows(deletions)).toEqual([])
    // What came out of the queue is behind what was recorded before: a set of records up to one never grows.
    expect(records(rules)).toEqual([
      [2, 3],
      [3, 1],
      [4, 5],
    ])
    expect(rules.get(containers, id)?.deletedBlocks).toBe(6)
  })

  test('an encoding anew drops the records that it left out, and no other', () => {
    const { rules, id, old } = recorded()
    const shards = anew(rules, id, { upTo: 3, blocks: 4 })
    rules.delete(id, 7)
    expect(rules.get(containers, id)).toMatchObject({ deletedBlocks: 8, ec: { shards: old }, encoding: { shards } })
    rules.execute({ kind: 'drop-records', container: id, transactions: [2, 3, 4, 5] })
    expect(records(rules)).toHaveLength(4)
    close(rules, shards)
    rules.execute({ kind: 'finish-encoding', container: id, blocks: 5 })
    expect(rules.get(containers, id)).toMatchObject({
      deletedBlocks: 4,
      ec: { shards, blocks: 5 },
      encoding: undefined,
    })
    for (const shard of old) expect(rules.get(containers, shard)?.state).toBe('DELETING')
    const begin = { kind: 'begin-encoding', container: id, policy, targets, leaveOut: { upTo: 5, blocks: 4 } } as const
    expect(rules.try(begin)).toMatchObject({ code: 'ConcurrentChange' })
    for (let times = 0; times < 2; times++) {
      rules.execute({ kind: 'drop-records', container: id, transactions: [2] })
      expect(rules.get(containers, id)?.ec?.leaveOut).toEqual({ upTo: 3, blocks: 2 })
    }
    rules.execute({ kind: 'drop-records', container: id, transactions: [2, 3, 4, 5] })
    expect(records(rules)).toEqual([
      [4, 5],
      [5, 7],
    ])
    expect(rules.get(containers, id)).toMatchObject({ deletedBlocks: 4, ec: { leaveOut: undefined } })
    rules.execute(begin)
  })

  test('one that is given up leaves the old shards and the records', () => {
    const { rules, id, old } = recorded()
    const shards = anew(rules, id, { upTo: 3, blocks: 4 })
    rules.execute({ kind: 'abandon-encoding', container: id })
    expect(rules.get(containers, id)).toMatchObject({ deletedBlocks: 6, ec: { shards: old }, encoding: undefined })
    expect(records(rules)).toHaveLength(3)
    for (const shard of old) expect(rules.get(containers, shard)?.state).toBe('CLOSED')
    for (const shard of shards) expect(rules.get(containers, shard)?.state).toBe('DELETING')
  })

  test('what is encoded is encoded again only to leave something out, and nothing else leaves anything out', () => {
    const { rules, id } = recorded()
    const other = rules.closed()
    const leaveOut = { upTo: 3, blocks: 4 }
    const refused = { code: 'ConcurrentChange' }
    expect(rules.try({ kind: 'begin-encoding', container: id, policy, targets })).toMatchObject(refused)
    expect(rules.try({ kind: 'begin-encoding', container: other, policy, targets, leaveOut })).toMatchObject(refused)
  })

  test('records of a container that goes are dropped, and none is made any more', () => {
    const { rules, id } = recorded()
    rules.execute({ kind: 'transition-container', container: id, to: 'DELETING' })
    rules.delete(id, 7)
    expect(records(rules)).toHaveLength(3)
    rules.execute({ kind: 'drop-records', container: id, transactions: [2, 3] })
    expect(rules.get(containers, id)).toMatchObject({ deletedBlocks: 2, state: 'DELETING' })
    rules.execute({ kind: 'drop-records', container: id, transactions: [4, 5] })
    expect([records(rules), rules.get(containers, id)?.deletedBlocks]).toEqual([[], 0])
  })
})
