import { expect, test } from 'vitest'
import { diskLatency } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { RpcTransport } from '../../src/node/rpc-transport.ts'
import { SimulatedGroup } from '../../src/testing/simulated-group.ts'

const bytes = 1_000
const limit = 20 * bytes

/** Members whose disks can be made slow. */
function group(): { readonly group: SimulatedGroup; readonly slow: Set<string> } {
  const made = new SimulatedGroup({
    seed: expect.getState().currentTestName ?? '',
    node: { raft: { maxUncommittedBytes: limit, maxInflightBytes: limit } },
  })
  const slow = new Set<string>()
  for (const id of ['a', 'b', 'c']) {
    const usual = diskLatency()
    made.simulation.node(id, { latency: (operation) => usual(operation) * (slow.has(id) ? 1_000 : 1) })
  }
  return { group: made, slow }
}

test('a leader whose disk is slower than the others takes no more than it may hold', async () => {
  const { group: members, slow } = group()
  await members.run(async () => {
    const leader = await members.elected()
    slow.add(leader.id)
    const refused = new Set<string>()
    let most = 0
    for (let n = 0; n < 100; n++) {
      leader.list.propose('x'.repeat(bytes)).catch((error: unknown) => refused.add(StoreError.from(error).code))
      await members.simulation.clock.sleep(5)
      most = Math.max(most, leader.raft.log.queuedBytes)
    }
    expect([...refused]).toEqual(['Busy'])
    expect(leader.raft.commitIndex - leader.raft.appliedIndex, 'the others are ahead').toBeGreaterThan(10)
    expect(most).toBeLessThan(limit + 2 * bytes)
    slow.clear()
  })
})

test('a follower whose disk is slow takes no more than it may hold, whatever it is sent', async () => {
  const { group: members, slow } = group()
  await members.run(async () => {
    const leader = await members.elected()
    const follower = members.member(leader.id === 'a' ? 'b' : 'a')
    await members.propose('before')
    await members.agreed('before')
    members.isolate(follower.id)
    slow.add(follower.id)
    const { transport, raft } = follower
    if (!(transport instanceof RpcTransport)) throw new Error('messages go over the wire here')
    const { lastIndex, term } = raft.status()
    const payload = new Uint8Array(bytes).fill(1)
    for (let index = lastIndex + 1; index < lastIndex + 1_000; index++) {
      const previous = { previousIndex: index - 1, previousTerm: index === lastIndex + 1 ? term : term + 1 }
      const entries = [{ index, term: term + 1, payload }]
      const envelope = { from: leader.id, to: follower.id, term: term + 1, round: 0, sentMs: 0 }
      const message = { kind: 'append', ...envelope, ...previous, entries, commitIndex: 0 } as const
      transport.deliver({ sender: '', messages: [{ group: 'list', message }] })
      if (index % 10 === 0) await members.simulation.clock.sleep(1)
    }
    const taken = raft.status().lastIndex - lastIndex
    expect(taken).toBeGreaterThan(limit / bytes)
    expect(taken * bytes).toBeLessThan(4 * limit + 12 * bytes)
    members.kill(follower.id)
  })
})
