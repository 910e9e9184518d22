import { expect, test } from 'vitest'
import { isStoreError } from '@o3/common/errors'
import type { ExecuteOptions } from '../../src/api/api.ts'
import type { NodeId } from '../../src/core/entry.ts'
import { counters, padding, type CounterCommand, type CounterReply } from './counter-rules.ts'
import { RaftGroup } from './raft-group.ts'

const add = (name: string, amount = 1): CounterCommand => ({ kind: 'add', name, amount })

/** Tries again what is refused for want of a leader, or unknown: as a client does, which has named its request. */
async function insist<T>(group: RaftGroup, attempt: () => Promise<T | 'down'>): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    try {
      const answer = await attempt()
      if (answer !== 'down') return answer
    } catch (error) {
      if (!isStoreError(error, 'NotLeader', 'OutcomeUnknown', 'Busy', 'VolumeFailed', 'Closed')) throw error
    }
    await group.stores.simulation.clock.sleep(20)
  }
  throw new Error('nobody answers')
}

/** Whoever leads is asked. */
const ask = (group: RaftGroup, command: CounterCommand, options: ExecuteOptions): Promise<CounterReply> =>
  insist(group, async () => {
    const { leader } = group
    return leader === undefined ? 'down' : group.stores.execute(leader, command, options)
  })

const rowsOf = (group: RaftGroup, id: NodeId): Promise<readonly string[]> =>
  insist(group, () =>
    group.stores.store(id).read(async (view) => {
      const cursor = view.cursor(counters, { from: '' })
      const rows = await cursor.next(1000)
      await cursor.close()
      return rows.map(({ key, value }) => `${key}=${value.value}`)
    }),
  )

test('three stores agree, whoever is asked; one that was away catches up', async () => {
  const group = new RaftGroup({ seed: 1 })
  await group.run(async () => {
    for (let i = 0; i < 10; i++) await ask(group, add(`n${i % 3}`), { requestId: `r${i}` })
    for (const id of ['a', 'b', 'c']) expect(await rowsOf(group, id)).toEqual(['n0=4', 'n1=3', 'n2=3'])
    group.stores.node('b').crash()
    for (let i = 10; i < 20; i++) await ask(group, add(`n${i % 3}`), { requestId: `r${i}` })
    await group.stores.open('b')
    expect(await rowsOf(group, 'b')).toEqual(['n0=7', 'n1=7', 'n2=6'])
  })
})

test('a leader that is cut off answers unknown, and its successor has or has not done it: once', async () => {
  const group = new RaftGroup({ seed: 2 })
  await group.run(async () => {
    await ask(group, add('x'), { requestId: 'first' })
    const old = group.leader as NodeId
    group.isolated.add(old)
    const outcome = group.stores
      .store(old)
      .execute(add('x'), { requestId: 'second' })
      .catch((error: unknown) => error)
    expect(await outcome).toMatchObject({ code: 'OutcomeUnknown' })
    expect((await ask(group, add('x'), { requestId: 'second' })).value).toBe(2)
    group.isolated.delete(old)
    expect(await rowsOf(group, old)).toEqual(['x=2'])
    expect((await ask(group, add('x'), { requestId: 'first' })).value).toBe(1)
  })
})

test.each(['kill', 'crash'] as const)('a member that is far behind gets a snapshot, also after a %s', async (how) => {
  const group = new RaftGroup({ seed: 3 })
  await group.run(async () => {
    await ask(group, add('x'), { requestId: 'first' })
    const behind = ['a', 'b', 'c'].find((id) => id !== group.leader) as NodeId
    group.stores.node(behind).crash()
    for (let i = 0; i < 30; i++) {
      await ask(group, { kind: 'pad', name: `p${i}`, bytes: 3000 }, { requestId: `p${i}` })
    }
    for (const id of ['a', 'b', 'c']) if (id !== behind) await group.stores.store(id).checkpoint()
    await ask(group, add('x'), { requestId: 'second' })
    await group.stores.open(behind)
    await group.until('it has caught up', () => {
      const { appliedIndex } = group.stores.store(behind).status()
      return appliedIndex >= group.stores.store(group.leader ?? 'a').status().appliedIndex
    })
    expect(group.stores.store(behind).status().firstLogIndex).toBeGreaterThan(10)
    await group.stores.restart(behind, how)
    await group.until('somebody leads', () => group.leader !== undefined)
    expect(await rowsOf(group, behind)).toEqual(['x=2'])
    expect(await group.stores.store(behind).get(padding, 'p11')).toHaveLength(3000)
  })
})

test('a store closes though its group has no majority', async () => {
  const group = new RaftGroup({ seed: 4 })
  await group.run(async () => {
    await ask(group, add('x'), { requestId: 'first' })
    const leader = group.leader as NodeId
    for (const id of ['a', 'b', 'c']) if (id !== leader) group.stores.node(id).kill()
    const last = group.stores
      .store(leader)
      .execute(add('x'))
      .catch((error: unknown) => error)
    await group.stores.store(leader).close()
    expect(await last).toMatchObject({ code: 'OutcomeUnknown' })
  })
})

test('a follower that restarts in an idle group learns what is committed, and can be read', async () => {
  const group = new RaftGroup({ seed: 5 })
  await group.run(async () => {
    await ask(group, add('x'), { requestId: 'first' })
    const follower = ['a', 'b', 'c'].find((id) => id !== group.leader) as NodeId
    await group.until('it has the entry', () => group.stores.store(follower).status().appliedIndex === 2)
    await group.stores.restart(follower, 'crash')
    expect(await rowsOf(group, follower)).toEqual(['x=1'])
  })
})
