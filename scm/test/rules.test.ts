import { PureStore } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import type { ContainerState } from '../src/api/api.ts'
import type { ScmCommand, ScmReply } from '../src/core/command.ts'
import { transitions } from '../src/core/commands/transition-container.ts'
import { scmRules } from '../src/core/rules.ts'
import { containers, counters, deletions, encodedDeletions, nodes, pipelines, untouched } from '../src/core/tables.ts'

function store(): PureStore<ScmCommand, ScmReply> {
  const made = new PureStore<ScmCommand, ScmReply>(scmRules)
  made.execute({ kind: 'register-node', id: 'dn', address: 'here' })
  return made
}

function createContainer(rules: PureStore<ScmCommand, ScmReply>): ScmReply {
  return rules.execute({ kind: 'create-container', replication: 'RATIS/ONE', pipeline: undefined, datanodes: ['dn'] })
}

describe('nodes', () => {
  test('a node that comes back keeps its state and may have moved', () => {
    const rules = store()
    rules.execute({ kind: 'register-node', id: 'dn', address: 'there' })
    expect(rules.get(nodes, 'dn')).toMatchObject({ address: 'there', operational: 'IN_SERVICE' })
  })

  test('one without an address is known all the same', () => {
    const rules = store()
    rules.execute({ kind: 'register-node', id: 'here', address: undefined })
    expect(rules.get(nodes, 'here')).toMatchObject({ address: undefined, operational: 'IN_SERVICE' })
  })
})

describe('containers', () => {
  test('ids count up and are never given twice', () => {
    const rules = store()
    expect([createContainer(rules), createContainer(rules)]).toEqual([
      { kind: 'container', container: 1 },
      { kind: 'container', container: 2 },
    ])
    for (const to of ['CLOSING', 'CLOSED', 'DELETING', 'DELETED'] as const) {
      rules.execute({ kind: 'transition-container', container: 2, to })
    }
    expect(rules.get(containers, 2)).toBeUndefined()
    expect(createContainer(rules)).toEqual({ kind: 'container', container: 3 })
  })

  test('one on a node that is not known is refused', () => {
    const rules = store()
    const command = {
      kind: 'create-container',
      replication: 'RATIS/ONE',
      pipeline: undefined,
      datanodes: ['ghost'],
    } as const
    expect(rules.try(command)).toMatchObject({ kind: 'refusal', code: 'Unavailable' })
  })

  test('local ids follow one another over several allocations', () => {
    const rules = store()
    createContainer(rules)
    const first = rules.execute({ kind: 'allocate-blocks', container: 1, count: 10 })
    const second = rules.execute({ kind: 'allocate-blocks', container: 1, count: 5 })
    expect([first, second]).toEqual([
      { kind: 'blocks', range: { container: 1, firstLocal: 1, count: 10 } },
      { kind: 'blocks', range: { container: 1, firstLocal: 11, count: 5 } },
    ])
  })

  test('a closing container gives out no more blocks', () => {
    const rules = store()
    createContainer(rules)
    rules.execute({ kind: 'transition-container', container: 1, to: 'CLOSING' })
    const refusal = rules.try({ kind: 'allocate-blocks', container: 1, count: 1 })
    expect(refusal).toMatchObject({ kind: 'refusal', code: 'ConcurrentChange' })
  })

  test('local ids end where their number does', () => {
    const rules = store()
    createContainer(rules)
    rules.execute({ kind: 'allocate-blocks', container: 1, count: 0xffff_fffe - 1 })
    const refusal = rules.try({ kind: 'allocate-blocks', container: 1, count: 2 })
    expect(refusal).toMatchObject({ kind: 'refusal', code: 'ConcurrentChange' })
  })

  test.each(['allocate-blocks', 'transition-container'] as const)('%s of an unknown container', (kind) => {
    const command =
      kind === 'allocate-blocks'
        ? ({ kind, container: 9, count: 1 } as const)
        : ({ kind, container: 9, to: 'CLOSING' } as const)
    expect(store().try(command)).toMatchObject({ kind: 'refusal', code: 'ContainerNotFound' })
  })

  const states: readonly ContainerState[] = ['OPEN', 'CLOSING', 'QUASI_CLOSED', 'CLOSED', 'DELETING', 'DELETED']
  const pairs = states.slice(0, -1).flatMap((from) => states.map((to) => [from, to] as const))

  test.each(pairs)('%s → %s happens exactly when the table says so', (from, to) => {
    const rules = store()
    createContainer(rules)
    for (const step of pathTo(from)) rules.execute({ kind: 'transition-container', container: 1, to: step })
    const outcome = rules.try({ kind: 'transition-container', container: 1, to })
    const agreed = from === to || transitions[from].includes(to)
    expect(outcome.kind).toBe(agreed ? 'decision' : 'refusal')
  })

  function pathTo(state: ContainerState): readonly ContainerState[] {
    if (state === 'OPEN') return []
    if (state === 'QUASI_CLOSED') return ['CLOSING', 'QUASI_CLOSED']
    const line = ['CLOSING', 'CLOSED', 'DELETING'] as const
    return line.slice(0, line.findIndex((each) => each === state) + 1)
  }
})

describe('deletions', () => {
  test('one transaction per container; each goes when its datanode has carried it out', () => {
    const rules = store()
    createContainer(rules)
    createContainer(rules)
    rules.execute({
      kind: 'delete-blocks',
      blocks: [
        { container: 1, firstLocal: 1, count: 2 },
        { container: 2, firstLocal: 7, count: 1 },
        { container: 1, firstLocal: 9, count: 1 },
        { container: 99, firstLocal: 1, count: 1 },
      ],
    })
    expect(rules.get(deletions, 1)).toEqual({
      blocks: [
        { container: 1, firstLocal: 1, count: 2 },
        { container: 1, firstLocal: 9, count: 1 },
      ],
      done: [],
      copies: 0,
    })
    expect(rules.get(counters, 'deletion')).toBe(2)
    rules.execute({ kind: 'acknowledge-deletions', datanode: 'stranger', transactions: [1] })
    expect(rules.get(deletions, 1)).toBeDefined()
    rules.execute({ kind: 'acknowledge-deletions', datanode: 'dn', transactions: [1, 1, 77] })
    expect([rules.get(deletions, 1), rules.get(deletions, 2)?.done]).toEqual([undefined, []])
  })
})

const container = {
  ...untouched,
  state: 'CLOSED',
  replication: 'RATIS/ONE',
  datanodes: ['d'],
  origins: ['d'],
  createdMs: 300,
  nextLocal: 2,
} as const
const node = {
  address: 'a:1',
  rack: '/r',
  operational: 'IN_SERVICE',
  maintenanceUntilMs: undefined,
  registeredMs: 5,
} as const

describe('persisted forms', () => {
  test.each<readonly [string, unknown, unknown, string]>([
    ['node', nodes, node, '03' + '0103613a31' + '00' + '05' + '022f72' + '00'],
    ['node of this process', nodes, { ...node, address: undefined }, '03' + '00' + '00' + '05' + '022f72' + '00'],
    [
      'node in maintenance',
      nodes,
      { ...node, operational: 'IN_MAINTENANCE', maintenanceUntilMs: 300 },
      '03' + '0103613a31' + '04' + '05' + '022f72' + '01ac02',
    ],
    [
      'pipeline',
      pipelines,
      { kind: 'THREE', state: 'OPEN', members: ['d', 'e', 'f'], createdMs: 300 },
      '01' + '01' + '01' + '03016401650166' + 'ac02',
    ],
    [
      'container',
      containers,
      container,
      '03' + '0300' + '00' + '010164' + '00' + '00' + '010164' + 'ac02' + '02' + '00000000',
    ],
    [
      'container with everything',
      containers,
      {
        ...container,
        replication: 'RATIS/THREE',
        pipeline: 'p',
        incoming: ['e'],
        copies: 3,
        encoding: { policy: 'rs-6-3-1024k', shards: [7, 8], leaveOut: { upTo: 10, blocks: 11 } },
        ec: { policy: 'rs-3-2-1024k', shards: [9], blocks: 12 },
        shardOf: { container: 4, index: 1 },
        deletedBlocks: 6,
      },
      '03' +
        '0301' +
        '010170' +
        '010164' +
        '010165' +
        '03' +
        '010164' +
        'ac02' +
        '02' +
        '0101020708' +
        '00' +
        '010a0b' +
        '01000109' +
        '010c' +
        '00' +
        '010401' +
        '06',
    ],
    [
      'deletion',
      deletions,
      { blocks: [{ container: 1, firstLocal: 2, count: 3 }], done: ['d'], copies: 4 },
      '02' + '01010203' + '010164' + '04',
    ],
    ['encoded deletion', encodedDeletions, [{ container: 1, firstLocal: 2, count: 3 }], '01' + '01010203'],
    ['counter', counters, 7, '0107'],
  ])('a %s row keeps its bytes', (_, table, value, hex) => {
    const { encode, decode } = table as { encode(value: unknown): Uint8Array; decode(bytes: Uint8Array): unknown }
    expect(Buffer.from(encode(value)).toString('hex')).toBe(hex)
    expect(decode(Buffer.from(hex, 'hex'))).toEqual(value)
  })

  test.each<readonly [string, unknown, string, unknown]>([
    ['node, version 1', nodes, '0103613a310005', { ...node, rack: '/default' }],
    ['node of this process, version 1', nodes, '01056c6f63616c0005', { ...node, address: undefined, rack: '/default' }],
    ['node, version 2', nodes, '020103613a310005', { ...node, rack: '/default' }],
    ['node of this process, version 2', nodes, '02000005', { ...node, address: undefined, rack: '/default' }],
    [
      'encoded container, version 2',
      containers,
      '02' +
        '0300' +
        '00' +
        '010164' +
        '00' +
        '00' +
        '010164' +
        'ac02' +
        '02' +
        '0101020708' +
        '01000109' +
        '00' +
        '06',
      {
        ...container,
        encoding: { policy: 'rs-6-3-1024k', shards: [7, 8] },
        ec: { policy: 'rs-3-2-1024k', shards: [9] },
        deletedBlocks: 6,
      },
    ],
    ['container, version 1', containers, '010300017001' + '0164' + 'ac02' + '02', container],
    [
      'deletion, version 1',
      deletions,
      '0101010203010164',
      { blocks: [{ container: 1, firstLocal: 2, count: 3 }], done: [], copies: 0 },
    ],
  ])('a row of an earlier release opens: %s', (_, table, hex, value) => {
    const { decode, encode } = table as { encode(value: unknown): Uint8Array; decode(bytes: Uint8Array): unknown }
    expect(decode(Buffer.from(hex, 'hex'))).toEqual(value)
    expect(decode(encode(value))).toEqual(value)
  })

  test.each<readonly [string, unknown, number]>([
    ['counter', counters, 2],
    ['node', nodes, 4],
    ['container', containers, 4],
    ['deletion', deletions, 3],
    ['pipeline', pipelines, 2],
  ])('a %s row of a later version is refused', (_, table, version) => {
    const { decode } = table as { decode(bytes: Uint8Array): unknown }
    expect(() => decode(Uint8Array.of(version, 0, 0, 5))).toThrow(`version ${version}`)
  })

  test('keys of recorded deletions are in the order of their containers', () => {
    const key = { container: 2 ** 40, transaction: 7 }
    expect(encodedDeletions.decodeKey(encodedDeletions.encodeKey(key))).toEqual(key)
  })
})
