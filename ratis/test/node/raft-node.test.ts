import { afterEach, expect, test, vi } from 'vitest'
import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { RaftCore } from '../../src/core/raft-core.ts'
import { simulatedAddress, SimulatedGroup, type SimulatedGroupOptions } from '../../src/testing/simulated-group.ts'

afterEach(() => vi.restoreAllMocks())

function inGroup(
  script: (group: SimulatedGroup) => Promise<void>,
  options: Partial<SimulatedGroupOptions> = {},
): Promise<void> {
  return new SimulatedGroup({ seed: expect.getState().currentTestName ?? '', ...options }).run(script)
}

test('three members elect a leader, and all apply what it is given', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await Promise.all(Array.from({ length: 50 }, (_, i) => leader.list.propose(`item ${i}`)))
    await group.agreed('item 49')
    expect(leader.list.items).toHaveLength(50)
    const terms = [...group.members.values()].map(({ raft }) => raft.term)
    expect(new Set(terms).size).toBe(1)
  }))

test('a sole member leads at once and needs nobody', () =>
  inGroup(
    async (group) => {
      const { list, raft } = await group.elected()
      expect(group.simulation.nowMs).toBeLessThan(100)
      await list.propose('one')
      expect(list.items).toEqual(['one'])
      expect(raft.readBarrier()).toBeUndefined()
      await group.stop('a')
      await group.start('a')
      await group.elected()
      expect(group.member('a').list.items).toEqual(['one'])
    },
    { voters: ['a'] },
  ))

test('a sole member applies when the sync is done, not a turn later', () => {
  const turns: string[] = []
  const counted = (env: Env): Env => ({
    clock: env.clock,
    random: env.random,
    disk: env.disk,
    network: env.network,
    at: (site) => turns.push(site),
    tasks: {
      spawn: (name, run) => {
        turns.push(`task ${name}`)
        return env.tasks.spawn(name, run)
      },
      nextTurn: (action) => {
        turns.push('turn')
        env.tasks.nextTurn(action)
      },
    },
  })
  return inGroup(
    async (group) => {
      const { list } = await group.elected()
      turns.length = 0
      await Promise.all([list.propose('one'), list.propose('two')])
      expect(turns).toEqual(['log.append.before-write', 'log.append.before-sync', 'log.append.after-sync'])
    },
    { voters: ['a'], plantEnv: counted },
  )
})

test('the proposals of a turn are one message to each follower', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const sent: number[] = []
    const { transport } = leader
    const send = transport.send.bind(transport)
    transport.send = (name, message) => {
      if (message.kind === 'append' && message.entries.length > 0) sent.push(message.entries.length)
      return send(name, message)
    }
    await Promise.all(Array.from({ length: 40 }, (_, i) => leader.list.propose(`item ${i}`)))
    expect(sent).toEqual([40, 40])
  }))

test.each(['kill', 'crash'] as const)('a leader that goes down by a %s is replaced, and nothing is lost', (how) =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const before = group.simulation.nowMs
    group[how](leader.id)
    await group.elected(leader.id)
    await group.propose('after')
    expect(group.simulation.nowMs - before, 'two election timeouts, when the first vote wins').toBeLessThan(2_000)
    await group.start(leader.id)
    await group.agreed('after')
    expect(group.member(leader.id).list.items).toContain('before')
  }),
)

test('all go down and come back with all that was answered', () =>
  inGroup(async (group) => {
    for (let i = 0; i < 20; i++) await group.propose(`item ${i}`)
    const ids = [...group.members.keys()]
    for (const id of ids) group.crash(id)
    for (const id of ids) await group.start(id)
    await group.propose('last')
    await group.agreed('last')
    const items = group.member('a').list.items
    for (let i = 0; i < 20; i++) expect(items).toContain(`item ${i}`)
  }))

test('a leader that is cut off stops leading, and what it took alone is gone', () =>
  inGroup(async (group) => {
    const old = await group.elected()
    await group.propose('before')
    const heal = group.isolate(old.id)
    const alone = failure(old.list.propose('alone'))
    const next = await group.elected(old.id)
    await next.list.propose('after')
    await group.until('the old leader steps down', () => !old.raft.mayPropose)
    expect(await alone).toBe('OutcomeUnknown')
    expect(await failure(old.list.propose('refused'))).toBe('NotLeader')
    heal()
    await group.agreed('after')
    expect(old.list.items).toEqual(['before', 'after'])
  }))

test('a start applies nothing that is only in the own log', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const heal = group.isolate(leader.id)
    const { lastIndex } = leader.raft.log
    void failure(leader.list.propose('alone'))
    await group.until('it is durable', () => leader.raft.status().durableIndex > lastIndex)
    group.kill(leader.id)
    const back = await group.start(leader.id)
    await group.until('the others go on', () => group.leader !== undefined && group.leader.id !== back.id)
    expect(back.raft.status().lastIndex).toBe(lastIndex + 1)
    expect(back.list.items).not.toContain('alone')
    await group.propose('after')
    heal()
    await group.agreed('after')
    expect(back.list.items).not.toContain('alone')
  }))

test('a member that comes back disturbs nobody', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [other] = others(group, leader.id)
    const heal = group.isolate(other)
    await group.simulation.clock.sleep(10_000)
    heal()
    await group.propose('after')
    await group.agreed('after')
    expect([group.leader?.id, leader.raft.term]).toEqual([leader.id, leader.raft.term])
    expect(leader.list.told.filter((line) => line.startsWith('lead'))).toHaveLength(1)
  }))

test('a follower that was down catches up from the log on disk', () =>
  inGroup(
    async (group) => {
      const leader = await group.elected()
      const [slow] = others(group, leader.id)
      group.kill(slow)
      for (let i = 0; i < 100; i++) await group.propose(`${i} ${'x'.repeat(1000)}`)
      const { tailBytes } = leader.raft.status()
      expect(tailBytes).toBeLessThanOrEqual(20_000)
      const { list } = await group.start(slow)
      await group.until('it has all', () => list.items.length === 100)
      expect(list.items).toEqual(leader.list.items)
      expect(list.installs).toBe(0)
    },
    { node: { raft: { maxTailBytes: 16_384, maxAppendBytes: 8_192 } } },
  ))

test('a follower that needs what was cut away gets a snapshot, and then the log', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [slow] = others(group, leader.id)
    group.kill(slow)
    const addresses = Object.fromEntries(['a', 'b', 'c', 'd'].map((id) => [id, simulatedAddress(id)]))
    await leader.raft.changeMembership({ voters: ['a', 'b', 'c'], learners: ['d'], addresses })
    await fill(group, 300)
    await leader.list.checkpoint()
    expect(leader.raft.log.firstIndex).toBeGreaterThan(10)
    const { list, raft } = await group.start(slow)
    await group.until('it has all', () => list.items.length === 300)
    expect(list.installs).toBe(1)
    expect(list.items).toEqual(leader.list.items)
    await group.propose('after')
    await group.agreed('after')
    expect(raft.configuration.learners, 'the entry that says so was cut away').toEqual(['d'])
    // What it got is durable, with its log.
    expect(raft.log.hardState.checkpointIndex).toBeGreaterThan(10)
    group.crash(slow)
    await group.start(slow)
    await group.propose('last')
    await group.agreed('last')
    await group.until('the snapshot is closed', () => leader.list.openSources === 0, 60_000)
  }))

test('a dead follower costs a bounded amount of memory', () =>
  inGroup(
    async (group) => {
      const leader = await group.elected()
      const [dead] = others(group, leader.id)
      group.crash(dead)
      let worst = 0
      for (let i = 0; i < 40; i++) {
        await group.propose('x'.repeat(10_000))
        worst = Math.max(worst, leader.raft.status().tailBytes)
      }
      expect(worst).toBeLessThan(80_000)
    },
    { node: { raft: { maxTailBytes: 40_000, maxInflightBytes: 20_000, maxAppendBytes: 10_000 } } },
  ))

test('a member is taken in and let go', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await fill(group, 200)
    await leader.list.checkpoint()
    await group.start('d', 'stranger')
    const addresses = Object.fromEntries(['a', 'b', 'c', 'd'].map((id) => [id, simulatedAddress(id)]))
    await leader.raft.changeMembership({ voters: ['a', 'b', 'c', 'd'], learners: [], addresses })
    expect(leader.raft.configuration.voters).toHaveLength(4)
    await group.agreed(leader.list.items.at(-1) ?? '')
    const [leaving] = others(group, leader.id)
    const voters = ['a', 'b', 'c', 'd'].filter((id) => id !== leaving)
    await leader.raft.changeMembership({ voters, learners: [], addresses: without(addresses, leaving) })
    group.kill(leaving)
    group.kill(leader.id)
    await group.propose('by those who stay')
    await group.agreed('by those who stay')
    expect(group.members.has('d')).toBe(true)
  }))

test('a leader that is let go hands over', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const rest = others(group, leader.id)
    const addresses = Object.fromEntries(rest.map((id) => [id, simulatedAddress(id)]))
    await leader.raft.changeMembership({ voters: rest, learners: [], addresses })
    const next = await group.elected(leader.id)
    expect(rest).toContain(next.id)
    await next.list.propose('after')
  }))

test('a change that cannot be is refused', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [follower] = others(group, leader.id)
    const none = { voters: [], learners: [], addresses: {} }
    expect(await failure(leader.raft.changeMembership(none))).toBe('InvalidArgument')
    expect(await failure(group.member(follower).raft.changeMembership(none))).toBe('NotLeader')
  }))

test('the lead goes to whom it is given', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const [heir] = others(group, leader.id)
    const before = group.simulation.nowMs
    await leader.raft.transferLeadership(heir)
    const next = await group.elected(leader.id)
    expect(next.id).toBe(heir)
    expect(group.simulation.nowMs - before).toBeLessThan(200)
    await next.list.propose('after')
    await group.agreed('after')
  }))

test('a leader that closes hands over, and nobody waits for an election', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const before = group.simulation.nowMs
    await group.stop(leader.id)
    await group.elected(leader.id)
    expect(group.simulation.nowMs - before).toBeLessThan(300)
    await group.propose('after')
    await group.agreed('after')
  }))

test('a sole member that closes finishes what it was given', () =>
  inGroup(
    async (group) => {
      const { list } = await group.elected()
      const proposed = [list.propose('one'), list.propose('two')]
      await group.stop('a')
      await Promise.all(proposed)
      await group.start('a')
      await group.elected()
      expect(group.member('a').list.items).toEqual(['one', 'two'])
      await group.stop('a')
    },
    { voters: ['a'] },
  ))

test('a leader that closes and can give the lead to nobody leaves nobody waiting', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    for (const id of others(group, leader.id)) group.kill(id)
    const unknown = failure(leader.list.propose('alone'))
    await group.stop(leader.id)
    expect(await unknown).toBe('OutcomeUnknown')
  }))

test('after its close a member answers nothing', () =>
  inGroup(async (group) => {
    const { raft } = await group.elected()
    await raft.close()
    expect(() => raft.propose(Uint8Array.of(1))).toThrowError(expect.objectContaining({ code: 'Closed' }))
    expect(await failure(raft.readBarrier() ?? Promise.resolve())).toBe('Closed')
  }))

test('a failed sync ends the member, and the others go on', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    leader.machine.disk.inject({ operation: 'sync', errno: 'EIO', path: /log/ })
    const lost = failure(leader.list.propose('lost or not'))
    expect(await lost).toMatch('VolumeFailed')
    expect(leader.list.told.at(-1)).toBe('fail')
    expect(leader.raft.failed?.code).toBe('VolumeFailed')
    expect(await failure(leader.list.propose('refused'))).toBe('NotLeader')
    await group.elected(leader.id)
    await group.propose('after')
    // A restart verifies what is there.
    group.kill(leader.id)
    await group.start(leader.id)
    await group.agreed('after')
  }))

test('a full disk of a follower holds up nobody, and is made up for', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [full] = others(group, leader.id)
    const { machine, list } = group.member(full)
    const cancel = machine.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /log/, times: Infinity })
    for (let i = 0; i < 10; i++) await group.propose(`item ${i}`)
    expect(list.items).toEqual([])
    cancel()
    await group.agreed('item 9')
  }))

test('a leader whose disk lags behind the commit reads nothing before it has applied that', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [id] = others(group, leader.id)
    const follower = group.member(id)
    await group.propose('before')
    const cancel = leader.machine.disk.inject({ operation: 'write', errno: 'ENOSPC', path: /log/, times: Infinity })
    const proposed = leader.list.propose('after')
    await group.until('a follower has applied it', () => follower.list.items.at(-1) === 'after')
    await group.until('the leader knows', () => leader.raft.commitIndex === follower.raft.appliedIndex)
    expect(leader.list.items.at(-1)).toBe('before')
    const read = leader.raft.readBarrier()?.then(() => leader.list.items.at(-1))
    cancel()
    expect(await read).toBe('after')
    await proposed
  }))

test('how far the log is committed is written down, soon after', () =>
  inGroup(async (group) => {
    await group.elected()
    await group.propose('it')
    await group.agreed('it')
    await group.simulation.clock.sleep(2_000)
    for (const { raft } of group.members.values()) expect(raft.log.hardState.commitFloor).toBe(raft.appliedIndex)
  }))

test('the core hears no message before it is told the time', () => {
  // A follower's word counts from when it gave it. Were that the last tick, of which a busy process misses some, it would end early.
  const told = new WeakMap<RaftCore, number>()
  const ages: number[] = []
  const { tick, step } = RaftCore.prototype
  vi.spyOn(RaftCore.prototype, 'tick').mockImplementation(function (this: RaftCore, nowMs) {
    told.set(this, nowMs)
    tick.call(this, nowMs)
  })
  return inGroup(async (group) => {
    vi.spyOn(RaftCore.prototype, 'step').mockImplementation(function (this: RaftCore, message) {
      ages.push(group.simulation.clock.monotonicMs() - (told.get(this) ?? -Infinity))
      step.call(this, message)
    })
    await group.elected()
    for (let i = 0; i < 20; i++) await group.propose(`item ${i}`)
    expect(ages.length).toBeGreaterThan(50)
    expect(Math.max(...ages)).toBeLessThan(1)
  })
})

test('reads are linearizable on the leader and on followers', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    const [id] = others(group, leader.id)
    const follower = group.member(id)
    for (let i = 0; i < 20; i++) {
      await leader.list.propose(`item ${i}`)
      await follower.raft.readBarrier()
      expect(follower.list.items.at(-1)).toBe(`item ${i}`)
    }
    expect(leader.raft.readBarrier(), 'the lease holds').toBeUndefined()
    const heal = group.isolate(leader.id)
    const next = await group.elected(leader.id)
    await next.list.propose('new')
    // The old one cannot know of it, so it must not answer.
    expect(await failure(leader.raft.readBarrier() ?? Promise.resolve())).toBe('NotLeader')
    heal()
    await group.until('it hears of the new one', () => leader.raft.leader === next.id)
    await leader.raft.readBarrier()
    expect(leader.list.items.at(-1)).toBe('new')
  }))

test('a read that nobody can confirm is refused in time', () =>
  inGroup(
    async (group) => {
      const leader = await group.elected()
      const [id] = others(group, leader.id)
      group.isolate(id)
      expect(['NotLeader', 'DeadlineExceeded']).toContain(
        await failure(group.member(id).raft.readBarrier() ?? Promise.resolve()),
      )
      await group.until('it knows no leader', () => group.member(id).raft.leader === undefined)
      expect(await failure(group.member(id).raft.readBarrier() ?? Promise.resolve())).toBe('NotLeader')
    },
    { node: { limits: { readDeadlineMs: 300 } } },
  ))

test('a command that is too large is refused', () =>
  inGroup(
    async (group) => {
      const { list, raft } = await group.elected()
      expect(await failure(list.propose('x'.repeat(raft.log.maxAppendBytes)))).toBe('TooLarge')
      await list.propose('x'.repeat(raft.log.maxAppendBytes - 100))
    },
    { voters: ['a'] },
  ))

test('more than the log takes at once goes there in pieces', () =>
  inGroup(async (group) => {
    const { list } = await group.elected()
    const many = Array.from({ length: 60 }, (_, i) => list.propose(`${i} ${'x'.repeat(5_000)}`))
    await Promise.all(many)
    await group.agreed(list.items.at(-1) ?? '')
    expect(list.items).toHaveLength(60)
  }))

test('a member whose disk is blank gets everything back, and may vote again', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await fill(group, 200)
    await leader.list.checkpoint()
    const [blank, other] = others(group, leader.id)
    group.kill(blank)
    await group.wipe(blank)
    const { raft, list } = await group.start(blank, 'member', { onDamage: 'repair', expectExisting: true })
    expect(raft.status().mayVote).toBe(false)
    await group.until('it may vote', () => raft.status().mayVote)
    expect(list.items).toHaveLength(200)
    // It counts for majorities again, across restarts.
    group.kill(blank)
    group.kill(other ?? '')
    await group.start(blank, 'member', { onDamage: 'repair', expectExisting: true })
    await group.propose('after')
    await group.agreed('after')
    expect(group.member(blank).raft.status().mayVote).toBe(true)
  }))

test('a blank member elects nobody', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await group.propose('before')
    const [blank, late] = others(group, leader.id)
    // What only the leader and `blank` have must not be forgotten by `blank` and `late`.
    group.kill(late ?? '')
    await group.propose('acknowledged by two')
    group.kill(leader.id)
    group.kill(blank)
    await group.wipe(blank)
    await group.start(blank, 'member', { onDamage: 'repair', expectExisting: true })
    await group.start(late ?? '')
    await group.simulation.clock.sleep(5_000)
    expect(group.leader).toBeUndefined()
    await group.start(leader.id)
    await group.propose('after')
    await group.agreed('after')
    expect(group.member(blank).list.items).toContain('acknowledged by two')
  }))

test('a state that ends before the log begins is not gone on from', () =>
  inGroup(async (group) => {
    const leader = await group.elected()
    await fill(group, 300)
    await leader.list.checkpoint()
    expect(leader.raft.log.firstIndex).toBeGreaterThan(10)
    await group.stop(leader.id)
    const { disk } = leader.machine.boot()
    await disk.remove('raft/list')
    await disk.syncDirectory('raft')
    leader.machine.kill()
    expect(await failure(group.start(leader.id))).toBe('Damaged')
  }))

test('the only voter of a group does not go on without what it lost', () =>
  inGroup(
    async (group) => {
      await group.propose('one')
      await group.stop('a')
      await group.wipe('a')
      expect(await failure(group.start('a', 'member', { onDamage: 'repair', expectExisting: true }))).toBe('Damaged')
    },
    { voters: ['a'] },
  ))

async function fill(group: SimulatedGroup, count: number): Promise<void> {
  const leader = await group.elected()
  for (let i = 0; i < count; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, k) => leader.list.propose(`${i + k} ${'x'.repeat(1_000)}`)))
  }
}

function others(group: SimulatedGroup, id: string): [string, ...string[]] {
  const [first, ...rest] = [...group.members.keys()].filter((each) => each !== id)
  if (first === undefined) throw new Error('nobody else runs')
  return [first, ...rest]
}

function without(addresses: Readonly<Record<string, string>>, id: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(addresses).filter(([each]) => each !== id))
}

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (isStoreError(error)) return error.code
    throw error
  }
  return 'it did not fail'
}
