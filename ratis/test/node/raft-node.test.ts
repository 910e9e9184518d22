import { expect, test } from 'vitest'
import { SimulatedGroup, type SimulatedGroupOptions } from '../../src/testing/simulated-group.ts'

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
    group[how](leader.id)
    await group.elected(leader.id)
    await group.propose('after')
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
