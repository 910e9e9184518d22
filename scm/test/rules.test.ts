import { PureStore } from '@o3/ratis/testing'
import { describe, expect, test } from 'vitest'
import type { ContainerState } from '../src/api/api.ts'
import type { ScmCommand, ScmReply } from '../src/core/command.ts'
import { transitions } from '../src/core/commands/transition-container.ts'
import { scmRules } from '../src/core/rules.ts'
import { containers, counters, deletions, nodes } from '../src/core/tables.ts'

function store(): PureStore<ScmCommand, ScmReply> {
  const made = new PureStore<ScmCommand, ScmReply>(scmRules)
  made.execute({ kind: 'register-node', id: 'dn', address: 'here' })
  return made
}

function createContainer(rules: PureStore<ScmCommand, ScmReply>): ScmReply {
  return rules.execute({ kind: 'create-container', replication: 'RATIS/ONE', pipeline: 'one-dn', datanodes: ['dn'] })
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
    const command = { kind: 'create-container', replication: 'RATIS/ONE', pipeline: 'p', datanodes: ['ghost'] } as const
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
      waitingFor: ['dn'],
    })
    expect(rules.get(counters, 'deletion')).toBe(2)
    rules.execute({ kind: 'acknowledge-deletions', datanode: 'stranger', transactions: [1] })
    expect(rules.get(deletions, 1)).toBeDefined()
    rules.execute({ kind: 'acknowledge-deletions', datanode: 'dn', transactions: [1, 1, 77] })
    expect([rules.get(deletions, 1), rules.get(deletions, 2)?.waitingFor]).toEqual([undefined, ['dn']])
  })
})

describe('persisted forms', () => {
  test.each([
    ['node', nodes, { address: 'a:1', operational: 'IN_SERVICE', registeredMs: 5 }, '020103613a310005'],
    ['node of this process', nodes, { address: undefined, operational: 'IN_SERVICE', registeredMs: 5 }, '02000005'],
    [
      'container',
      containers,
      { state: 'CLOSED', replication: 'RATIS/ONE', pipeline: 'p', datanodes: ['d'], createdMs: 300, nextLocal: 2 },
      '010300017001' + '0164' + 'ac02' + '02',
    ],
    [
      'deletion',
      deletions,
      { blocks: [{ container: 1, firstLocal: 2, count: 3 }], waitingFor: ['d'] },
      '0101010203010164',
    ],
    ['counter', counters, 7, '0107'],
  ])('a %s row keeps its bytes', (_, table, value, hex) => {
    const { encode, decode } = table as { encode(value: unknown): Uint8Array; decode(bytes: Uint8Array): unknown }
    expect(Buffer.from(encode(value)).toString('hex')).toBe(hex)
    expect(decode(Buffer.from(hex, 'hex'))).toEqual(value)
  })

  test.each([
    ['an address', '0103613a310005', 'a:1'],
    ['the word of a datanode in the process', '01056c6f63616c0005', undefined],
  ])('a node row of version 1 with %s still opens', (_, hex, address) => {
    const row = nodes.decode(Buffer.from(hex, 'hex'))
    expect(row).toEqual({ address, operational: 'IN_SERVICE', registeredMs: 5 })
  })

  test('a row of a later version is refused', () => {
    expect(() => counters.decode(Uint8Array.of(2, 7))).toThrow('version 2')
    expect(() => nodes.decode(Uint8Array.of(3, 0, 0, 5))).toThrow('version 3')
  })
})
