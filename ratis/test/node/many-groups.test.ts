import { expect, test } from 'vitest'
import type { Env } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { noConfiguration } from '../../src/core/configuration.ts'
import { makeDurableDirectory } from '../../src/log/durable-directory.ts'
import { openRaftNode } from '../../src/node/open-raft-node.ts'
import type { RaftNode } from '../../src/node/raft-node.ts'
import { raftMethods, RpcTransport } from '../../src/node/rpc-transport.ts'
import { Ticks } from '../../src/node/ticks.ts'
import { ListMachine } from '../../src/testing/list-machine.ts'

const groups = Array.from({ length: 20 }, (_, n) => `group-${n}`)
const voters = ['a', 'b', 'c']
const addresses = Object.fromEntries(voters.map((id) => [id, `${id}:1`]))

/** What the three processes have received. */
interface Received {
  batches: number
  messages: number
}

async function listen(env: Env, id: string, received: Received): Promise<RpcTransport> {
  const transport = new RpcTransport({ env, address: `${id}:1`, authentication: trustedClient })
  const { deliver } = transport
  transport.deliver = (batch) => {
    // An empty one only tries the connection.
    if (batch.messages.length > 0) received.batches++
    received.messages += batch.messages.length
    deliver.call(transport, batch)
  }
  const methods = raftMethods<undefined>(transport, () => true)
  const server = new RpcServer<undefined>({ ...env, log: nullLogger, authentication: trustedServer, methods })
  await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 1 })
  return transport
}

async function openMember(env: Env, id: string, place: { group: string; transport: RpcTransport }): Promise<RaftNode> {
  const { group, transport } = place
  await makeDurableDirectory(env.disk, group)
  const list = new ListMachine(env.disk, group)
  const node = await openRaftNode({
    env,
    id,
    group,
    directory: `${group}/log`,
    transport,
    recover: (log) => list.recover(log),
    bootstrap: { ...noConfiguration, voters, addresses },
    log: { segmentBytes: 64 * 1024, maxBatchBytes: 32 * 1024 },
  })
  list.attach(node)
  return node
}

test('the heartbeats of all groups of a process leave together', () => {
  const simulation = new Simulation({ seed: 1 })
  return simulation.run(async () => {
    const received: Received = { batches: 0, messages: 0 }
    const nodes: RaftNode[] = []
    for (const id of voters) {
      const process = simulation.node(id).boot()
      const transport = await listen(process, id, received)
      for (const group of groups) nodes.push(await openMember(process, id, { group, transport }))
    }
    await simulation.clock.sleep(5_000)
    expect(nodes.filter(({ role }) => role === 'leader')).toHaveLength(groups.length)
    Object.assign(received, { batches: 0, messages: 0 })
    await simulation.clock.sleep(1_000)
    // Of each group twenty heartbeats a second go to either follower, and are answered.
    expect(received.messages).toBeGreaterThan(groups.length * 70)
    expect(received.batches).toBeLessThan(received.messages / 5)
  })
})

test('who wants to be called as often is called in the same turn, until he wants no more', () => {
  const simulation = new Simulation({ seed: 1 })
  return simulation.run(async () => {
    const { clock } = simulation
    const ticks = new Ticks(clock)
    const calls: string[] = []
    const call = (name: string) => (): void => void calls.push(`${name} ${clock.monotonicMs()}`)
    const cancels = [ticks.every(10, call('a')), ticks.every(25, call('b'))]
    await clock.sleep(5)
    cancels.push(ticks.every(10, call('c')))
    await clock.sleep(20)
    expect(calls).toEqual(['a 10', 'c 10', 'a 20', 'c 20', 'b 25'])
    cancels[0]?.()
    await clock.sleep(10)
    expect(calls.slice(5)).toEqual(['c 30'])
    for (const cancel of cancels) cancel()
    await clock.sleep(100)
    expect(calls).toHaveLength(6)
  })
})
