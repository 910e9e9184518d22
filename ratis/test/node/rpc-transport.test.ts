import { describe, expect, test } from 'vitest'
import { nodeEnv } from '@o3/common/env/node'
import { Simulation } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import type { Message } from '../../src/core/message.ts'
import { decodeBatch } from '../../src/node/message-codec.ts'
import type { PeerLimits } from '../../src/node/peer-link.ts'
import { parsePeerAddress } from '../../src/node/peer-address.ts'
import { raftMethods, RpcTransport } from '../../src/node/rpc-transport.ts'

const heartbeat = (commitIndex: number, to = 'b'): Message => ({
  kind: 'heartbeat',
  from: 'a',
  to,
  term: 1,
  round: 1,
  sentMs: 0.5,
  commitIndex,
})

const append = (payloadBytes: number): Message => ({
  kind: 'append',
  from: 'a',
  to: 'b',
  term: 1,
  round: 1,
  sentMs: 0,
  previousIndex: 0,
  previousTerm: 0,
  commitIndex: 0,
  entries: [{ index: 1, term: 1, payload: new Uint8Array(payloadBytes).fill(7) }],
})

interface Peer {
  readonly transport: RpcTransport
  readonly server: RpcServer<undefined>
  readonly port: number
  /** What arrived, `group commitIndex`. */
  readonly heard: string[]
  /** Sizes of the batches that had messages in them. */
  readonly batches: number[]
  /** Of the empty ones, which only try the connection. */
  readonly probes: number[]
  close(): Promise<void>
}

async function peerOn(
  env: Env,
  groups: readonly string[],
  limits: Partial<PeerLimits> = {},
  port = 0,
  address = '',
): Promise<Peer> {
  const transport = new RpcTransport({ env, address, authentication: trustedClient, limits })
  const heard: string[] = []
  const batches: number[] = []
  const probes: number[] = []
  for (const group of groups) {
    transport.receive(group, (message) => {
      heard.push(message.kind === 'heartbeat' ? `${group} ${message.commitIndex}` : `${group} ${message.kind}`)
    })
  }
  const [[name, handler] = []] = Object.entries(raftMethods<undefined>(transport, (_, id) => id !== 'stranger'))
  if (name === undefined || handler === undefined) throw new Error('no method')
  const server = new RpcServer<undefined>({
    ...env,
    log: nullLogger,
    authentication: trustedServer,
    methods: {
      [name]: (call) => {
        const isProbe = call.body === undefined && decodeBatch(call.payload).messages.length === 0
        ;(isProbe ? probes : batches).push(call.payload.length)
        return handler(call)
      },
    },
  })
  const bound = await server.listen({ kind: 'tcp', host: '127.0.0.1', port })
  return {
    transport,
    server,
    port: bound.kind === 'tcp' ? bound.port : 0,
    heard,
    batches,
    probes,
    close: async () => {
      await transport.close()
      await server.close(0)
    },
  }
}

interface World {
  readonly simulation: Simulation
  readonly a: Peer
  readonly b: Peer
}

/** Two machines, `a` knowing where `b` is. */
function simulated(script: (world: World) => Promise<void>, limits: Partial<PeerLimits> = {}): Promise<void> {
  const simulation = new Simulation({ seed: 'transport' })
  const [a, b] = [simulation.node('a').boot(), simulation.node('b').boot()]
  return simulation.run(async () => {
    const world = { simulation, a: await peerOn(a, ['om'], limits), b: await peerOn(b, ['om', 'scm'], limits) }
    world.a.transport.setAddress('b', `b:${world.b.port}`)
    await script(world)
    await world.a.close()
    await world.b.close()
  })
}

describe('messages over the wire', () => {
  test('of one turn, whatever their groups, arrive in order as one batch', () =>
    simulated(async ({ simulation, a, b }) => {
      for (let i = 0; i < 50; i++) expect(a.transport.send(i % 2 === 0 ? 'om' : 'scm', heartbeat(i))).toBe(true)
      await simulation.clock.sleep(50)
      expect(b.heard).toEqual(Array.from({ length: 50 }, (_, i) => `${i % 2 === 0 ? 'om' : 'scm'} ${i}`))
      expect(b.batches).toHaveLength(1)
    }))

  test('have a connection before there are any, and it is tried again and again', () =>
    simulated(async ({ simulation, b }) => {
      await simulation.clock.sleep(50)
      expect(b.probes).toHaveLength(1)
      await simulation.clock.sleep(3_000)
      expect(b.probes).toHaveLength(4)
      expect(b.batches).toEqual([])
    }))

  test('to a member whose address nobody knows, or to a group that is not there, are lost', () =>
    simulated(async ({ simulation, a, b }) => {
      expect(a.transport.send('om', heartbeat(1, 'c'))).toBe(false)
      expect(a.transport.send('unheard', heartbeat(1))).toBe(true)
      expect(a.transport.send('om', heartbeat(2))).toBe(true)
      await simulation.clock.sleep(50)
      expect(b.heard).toEqual(['om 2'])
    }))

  test('in the name of somebody else are refused', () =>
    simulated(async ({ simulation, a, b }) => {
      a.transport.send('om', { ...heartbeat(1), from: 'stranger' })
      await simulation.clock.sleep(10)
      expect(b.batches).toHaveLength(1)
      expect(b.heard).toEqual([])
    }))

  test('larger than the payload of a call arrive as well', () =>
    simulated(async ({ simulation, a, b }) => {
      expect(a.transport.send('om', append(40 * 1024 * 1024))).toBe(true)
      expect(a.transport.send('om', heartbeat(1)), 'beyond the window').toBe(false)
      await simulation.clock.sleep(5_000)
      expect(b.heard).toEqual(['om append'])
      expect(a.transport.send('om', heartbeat(2)), 'the window is free again').toBe(true)
    }))

  test('gather while as many batches are under way as may be', () =>
    simulated(
      async ({ simulation, a, b }) => {
        for (let i = 0; i < 20; i++) {
          a.transport.send('om', heartbeat(i))
          await simulation.clock.sleep(0)
        }
        await simulation.clock.sleep(50)
        expect(b.heard).toHaveLength(20)
        expect(b.batches.length).toBeLessThan(20)
      },
      { maxCalls: 1 },
    ))

  test('to a peer that takes nothing are refused beyond a bound, and forgotten after a while', () =>
    simulated(
      async ({ simulation, a, b }) => {
        const heal = simulation.network.partition('a', 'b')
        const taken = (): number => {
          let count = 0
          while (count < 1000 && a.transport.send('om', append(10_000))) count++
          return count
        }
        expect(taken()).toBeLessThanOrEqual(10)
        await simulation.clock.sleep(1_000)
        expect(taken(), 'still waiting').toBe(0)
        await simulation.clock.sleep(1_100)
        expect(a.transport.send('om', append(1)), 'one refusal tells that appends were lost').toBe(false)
        expect(taken()).toBeGreaterThan(0)
        heal()
        await simulation.clock.sleep(5_000)
        a.transport.send('om', heartbeat(2))
        a.transport.send('om', heartbeat(3))
        await simulation.clock.sleep(50)
        expect(b.heard.at(-1)).toBe('om 3')
      },
      { maxBytes: 100_000 },
    ))

  test('go on when the peer is back, at most a second later', () => {
    const simulation = new Simulation({ seed: 'restart' })
    const node = simulation.node('b')
    return simulation.run(async () => {
      const a = await peerOn(simulation.node('a').boot(), [])
      const first = await peerOn(node.boot(), ['om'])
      a.transport.setAddress('b', `b:${first.port}`)
      a.transport.send('om', heartbeat(1))
      await simulation.clock.sleep(50)
      node.kill()
      for (let i = 0; i < 200; i++) {
        a.transport.send('om', heartbeat(2))
        await simulation.clock.sleep(50)
      }
      const second = await peerOn(node.boot(), ['om'], {}, first.port)
      for (let i = 0; i < 24; i++) {
        a.transport.send('om', heartbeat(3))
        await simulation.clock.sleep(50)
      }
      expect(second.heard.length).toBeGreaterThan(2)
      await a.close()
    })
  })

  test('that are no appends are not refused for what was lost before', () => {
    const simulation = new Simulation({ seed: 'lost' })
    const node = simulation.node('b')
    return simulation.run(async () => {
      const a = await peerOn(simulation.node('a').boot(), [])
      const first = await peerOn(node.boot(), ['om'])
      a.transport.setAddress('b', `b:${first.port}`)
      a.transport.send('om', append(1))
      await simulation.clock.sleep(50)
      node.kill()
      a.transport.send('om', append(1))
      await simulation.clock.sleep(50)
      const second = await peerOn(node.boot(), ['om'], {}, first.port)
      await simulation.clock.sleep(100)
      expect(a.transport.send('om', heartbeat(1))).toBe(true)
      expect(a.transport.send('om', append(1)), 'its leader asks first').toBe(false)
      expect(a.transport.send('om', append(1))).toBe(true)
      await simulation.clock.sleep(50)
      expect(second.heard).toEqual(['om 1', 'om append'])
      await a.close()
    })
  })

  test('to a peer that has spoken go out without a pause', () => {
    const simulation = new Simulation({ seed: 'spoken' })
    const node = simulation.node('b')
    return simulation.run(async () => {
      const a = await peerOn(simulation.node('a').boot(), ['om'], {}, 7000, 'a:7000')
      const first = await peerOn(node.boot(), ['om'], {}, 7000, 'b:7000')
      a.transport.setAddress('b', 'b:7000')
      node.kill()
      for (let i = 0; i < 100; i++) {
        a.transport.send('om', heartbeat(2))
        await simulation.clock.sleep(50)
      }
      expect(first.heard).toEqual([])
      expect(a.transport.send('om', heartbeat(3)), 'it is given a long pause').toBe(false)
      const second = await peerOn(node.boot(), ['om'], {}, 7000, 'b:7000')
      second.transport.setAddress('a', 'a:7000')
      second.transport.send('om', { ...heartbeat(4, 'a'), from: 'b' })
      await simulation.clock.sleep(20)
      expect(a.heard).toEqual(['om 4'])
      expect(a.transport.send('om', heartbeat(5))).toBe(true)
      await simulation.clock.sleep(20)
      expect(second.heard).toEqual(['om 5'])
      await a.close()
    })
  })

  test('follow a member to another address', () =>
    simulated(async ({ simulation, a, b }) => {
      const c = await peerOn(simulation.node('c').boot(), ['om'])
      a.transport.send('om', heartbeat(1))
      await simulation.clock.sleep(50)
      a.transport.setAddress('b', `c:${c.port}`)
      a.transport.send('om', heartbeat(2))
      await simulation.clock.sleep(50)
      expect([b.heard, c.heard]).toEqual([['om 1'], ['om 2']])
      await c.close()
    }))

  test('tell where their sender can be answered', () => {
    const simulation = new Simulation({ seed: 'answer' })
    return simulation.run(async () => {
      const a = await peerOn(simulation.node('a').boot(), ['om'], {}, 7000, 'a:7000')
      const b = await peerOn(simulation.node('b').boot(), ['om'])
      expect(b.transport.send('om', heartbeat(1, 'a'))).toBe(false)
      a.transport.setAddress('b', `b:${b.port}`)
      a.transport.send('om', heartbeat(1))
      await simulation.clock.sleep(50)
      expect(b.transport.send('om', { ...heartbeat(2, 'a'), from: 'b' })).toBe(true)
      await simulation.clock.sleep(50)
      expect(a.heard).toEqual(['om 2'])
    })
  })

  test('work between sockets', async () => {
    const env = nodeEnv()
    const [a, b] = [await peerOn(env, []), await peerOn(env, ['om'])]
    a.transport.setAddress('b', `127.0.0.1:${b.port}`)
    const arrived = Promise.withResolvers<void>()
    b.transport.receive('om', (message) => message.kind === 'append' && arrived.resolve())
    for (let i = 0; i < 100; i++) a.transport.send('om', heartbeat(i))
    a.transport.send('om', append(5 * 1024 * 1024))
    await arrived.promise
    expect(b.heard).toHaveLength(101)
    await a.close()
    await b.close()
  })
})

test.each([
  ['host:80', { kind: 'tcp', host: 'host', port: 80 }],
  ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
  ['unix:/run/o3', { kind: 'unix', path: '/run/o3' }],
])('%s is an address', (text, address) => {
  expect(parsePeerAddress(text)).toEqual(address)
})

test.each(['host', 'host:', ':80', 'host:70000', '::1:80'])('%j is none', (text) => {
  expect(() => parsePeerAddress(text)).toThrowError(expect.objectContaining({ code: 'InvalidArgument' }))
})
