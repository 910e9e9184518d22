import { describe, expect, test } from 'vitest'
import type { Connection, Env } from '../../src/env/env.ts'
import { diskLatency, Simulation, type SimulationOptions } from '../../src/env/sim/sim-env.ts'

function simulated<T>(
  main: (simulation: Simulation) => Promise<T>,
  options: Partial<SimulationOptions> = {},
): Promise<T> {
  const simulation = new Simulation({ seed: 'test', ...options })
  return simulation.run(() => main(simulation))
}

async function exchange(simulation: Simulation): Promise<void> {
  const server = simulation.node('server').boot()
  const client = simulation.node('client').boot()
  await server.network.listen({ kind: 'tcp', host: 'server', port: 9 }, (connection) => {
    server.tasks.spawn('echo', () => echo(server, connection))
  })
  const connection = await client.network.connect({ kind: 'tcp', host: 'server', port: 9 })
  for (let i = 0; i < 10; i++) await connection.send([client.random.bytes(100)])
  await connection.close()
  await server.clock.sleep(100)
}

async function echo(env: Env, connection: Connection): Promise<void> {
  const file = await env.disk.open(`f${env.random.uuid()}`, 'create')
  let offset = 0
  for await (const chunk of connection.received) {
    await file.write([chunk], offset)
    await file.sync()
    offset += chunk.length
  }
}

describe('a simulation', () => {
  test('goes the same way for the same seed, and another way for another', async () => {
    const hashOf = async (seed: number): Promise<string> => {
      const simulation = new Simulation({ seed })
      await simulation.run(() => exchange(simulation))
      return simulation.traceHash
    }
    const hashes = await Promise.all([hashOf(1), hashOf(1), hashOf(2)])
    expect(hashes[0]).toBe(hashes[1])
    expect(hashes[2]).not.toBe(hashes[0])
  })

  test('a year takes no time', async () => {
    await simulated(async ({ clock }) => {
      const startMs = clock.wallMs()
      await clock.sleep(365 * 86_400_000)
      expect(clock.wallMs() - startMs).toBe(365 * 86_400_000)
    })
  })

  test('events happen by time, and those of one time in the order they were planned', async () => {
    const order = await simulated(async ({ clock }) => {
      const seen: string[] = []
      const delays = [5, 1, 5, 0, 3, 1, 2, 4, 5, 0]
      for (const [i, delay] of delays.entries()) clock.after(delay, () => seen.push(`${delay}${'abcdefghij'[i]}`))
      await clock.sleep(5)
      return seen.join(' ')
    })
    expect(order).toBe('0d 0j 1b 1f 2g 3e 4h 5a 5c 5i')
  })

  test('promise reactions run before the next event', async () => {
    await simulated(async ({ clock }) => {
      let reactions = 0
      clock.after(1, () => {
        void (async () => {
          for (let i = 0; i < 50; i++) {
            await Promise.resolve()
            reactions++
          }
        })()
      })
      clock.after(1, () => expect(reactions).toBe(50))
      await clock.sleep(2)
    })
  })

  test('runFor stops between events', async () => {
    const simulation = new Simulation({ seed: 1 })
    const seen: number[] = []
    for (const delay of [10, 20, 30]) simulation.clock.after(delay, () => seen.push(delay))
    await simulation.runFor(20)
    expect(seen).toEqual([10, 20])
    expect(simulation.nowMs).toBe(20)
    await simulation.runFor(100)
    expect(seen).toEqual([10, 20, 30])
  })

  test('says with seed and time when its main function waits for nothing', async () => {
    const stuck = simulated(async ({ clock }) => {
      await clock.sleep(7)
      await new Promise(() => {})
    })
    await expect(stuck).rejects.toThrow(/seed test, at 7 ms: nothing is left to happen/)
  })

  test('says when it goes in circles', async () => {
    const endless = simulated(
      async ({ clock }) => {
        for (;;) await clock.sleep(1)
      },
      { maxEvents: 1_000 },
    )
    await expect(endless).rejects.toThrow(/more than 1000 events/)
  })

  test('fails when a background task fails, with its error as the cause', async () => {
    const bug = new Error('a bug')
    const failing = simulated(async (simulation) => {
      const { clock, tasks } = simulation.node('n').boot()
      tasks.spawn('buggy', async () => {
        await clock.sleep(1)
        throw bug
      })
      await clock.sleep(1_000)
    })
    await expect(failing).rejects.toMatchObject({ message: expect.stringMatching(/buggy of n failed/), cause: bug })
  })

  test('fails when a checker says so', async () => {
    const failing = simulated(async (simulation) => {
      simulation.clock.after(5, () => simulation.fail('two leaders'))
      await simulation.clock.sleep(10)
    })
    await expect(failing).rejects.toThrow(/at 5 ms: two leaders/)
  })

  test('passes on what its main function throws', async () => {
    await expect(simulated(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})

describe('a machine', () => {
  test('that was killed has its page cache; without power, only what was synced', async () => {
    const survivesIn = async (how: 'kill' | 'crash'): Promise<Set<boolean>> => {
      const seen = new Set<boolean>()
      for (let seed = 0; seed < 20; seed++) {
        await simulated(
          async (simulation) => {
            const node = simulation.node('n')
            await node.boot().disk.open('f', 'create')
            node[how]()
            seen.add((await node.boot().disk.stat('f')) !== undefined)
          },
          { seed },
        )
      }
      return seen
    }
    expect(await survivesIn('kill')).toEqual(new Set([true]))
    expect(await survivesIn('crash')).toEqual(new Set([true, false]))
  })

  test('that is dead does nothing more', async () => {
    await simulated(async (simulation) => {
      const node = simulation.node('n')
      const dead = node.boot()
      const ran: string[] = []
      dead.clock.after(5, () => ran.push('timer'))
      dead.tasks.nextTurn(() => ran.push('turn'))
      void dead.disk.makeDirectory('d').then(() => ran.push('disk'))
      void dead.network.listen({ kind: 'tcp', host: 'n', port: 1 }, () => ran.push('connection'))
      node.kill()
      dead.clock.after(1, () => ran.push('late timer'))
      void dead.disk.makeDirectory('e').then(() => ran.push('late disk'))
      const { network } = node.boot()
      await expect(network.connect({ kind: 'tcp', host: 'n', port: 1 })).rejects.toMatchObject({ code: 'Unavailable' })
      await simulation.clock.sleep(100)
      expect(ran).toEqual([])
      expect(await node.disk.stat('e')).toBeUndefined()
    })
  })

  test('crashes at a site, and whileUp tells so', async () => {
    await simulated(async (simulation) => {
      const node = simulation.node('n')
      node.onSite = (site, hit) => (site === 'work.step' && hit === 3 ? 'crash' : 'go-on')
      const process = node.boot()
      const { at, clock } = process
      let steps = 0
      const work = async (): Promise<string> => {
        for (;;) {
          at('work.step')
          await clock.sleep(1)
          steps++
        }
      }
      expect(await process.whileUp(work())).toBe('down')
      expect(steps).toBe(2)
      expect(node.isUp).toBe(false)
      expect(node.siteHits.get('work.step')).toBe(3)
      await node.down()
      expect(node.boot().isAlive).toBe(true)
    })
  })

  test('draws uuids of version 4 that differ from process to process', async () => {
    await simulated((simulation) => {
      const node = simulation.node('n')
      const first = node.boot().random.uuid()
      node.kill()
      const second = node.boot().random.uuid()
      expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(second).not.toBe(first)
      return Promise.resolve()
    })
  })

  test('whileUp hears nothing that a process says in the moment of its death', async () => {
    await simulated(async (simulation) => {
      const node = simulation.node('n')
      node.onSite = () => 'kill'
      const dying = node.boot()
      const work = async (): Promise<string> => {
        dying.at('answering')
        return 'acknowledged'
      }
      expect(await dying.whileUp(work())).toBe('down')
      expect(await dying.whileUp(Promise.reject(new Error('too late')))).toBe('down')
      const next = node.boot()
      expect(await next.whileUp(Promise.resolve('fine'))).toBe('fine')
      await expect(next.whileUp(Promise.reject(new Error('bad')))).rejects.toThrow('bad')
    })
  })

  test('keeps its key-value stores, less what a power cut took', async () => {
    const kept = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      await simulated(
        async (simulation) => {
          const node = simulation.node('n')
          node.boot()
          const store = await node.openKv('kv')
          await store.write([{ kind: 'put', key: 'a', value: new Uint8Array(1) }])
          await store.checkpoint()
          await store.write([{ kind: 'put', key: 'b', value: new Uint8Array(1) }])
          node.kill()
          node.boot()
          expect(await (await node.openKv('kv')).get('b')).toBeDefined()
          node.crash()
          node.boot()
          const after = await node.openKv('kv')
          expect(await after.get('a')).toBeDefined()
          kept.add((await after.get('b')) !== undefined)
        },
        { seed },
      )
    }
    expect(kept).toEqual(new Set([true, false]))
  })

  test('loses what it was writing to a key-value store when it was killed', async () => {
    await simulated(async (simulation) => {
      const node = simulation.node('n')
      const process = node.boot()
      const store = await node.openKv('kv')
      await store.write([{ kind: 'put', key: 'a', value: new Uint8Array(1) }])
      const work = process.whileUp(store.write([{ kind: 'put', key: 'b', value: new Uint8Array(1) }]))
      node.kill()
      expect(await work).toBe('down')
      node.boot()
      const after = await node.openKv('kv')
      expect(await after.get('a')).toBeDefined()
      expect(await after.get('b')).toBeUndefined()
    })
  })

  test('has a wall clock that can be off, and a monotonic one that cannot', async () => {
    await simulated(async (simulation) => {
      const { clock } = simulation.node('n').boot()
      const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()]
      clock.wallOffsetMs = -3_600_000
      await clock.sleep(1_000)
      expect(clock.wallMs() - wallMs).toBe(1_000 - 3_600_000)
      expect(clock.monotonicMs() - monotonicMs).toBe(1_000)
    })
  })

  test('has a disk as slow as it was told', async () => {
    await simulated(async (simulation) => {
      const slow = simulation.node('slow', { latency: ({ kind }) => (kind === 'sync' ? 5_000 : 0) }).boot()
      const file = await slow.disk.open('f', 'create')
      await file.sync()
      expect(simulation.nowMs).toBe(5_000)
      expect(diskLatency()({ kind: 'sync', bytes: 0, random: simulation.random })).toBeGreaterThan(0.5)
    })
  })
})

describe('the network', () => {
  const address = { kind: 'tcp', host: 'server', port: 1 } as const

  async function connected(simulation: Simulation): Promise<{ near: Connection; far: Connection }> {
    const far = Promise.withResolvers<Connection>()
    await simulation.node('server').boot().network.listen(address, far.resolve)
    const near = await simulation.node('client').boot().network.connect(address)
    return { near, far: await far.promise }
  }

  const textOf = (chunk: IteratorResult<Uint8Array>): string => Buffer.from(chunk.value as Uint8Array).toString()

  test('a partition holds everything up until it heals', async () => {
    await simulated(async (simulation) => {
      const { near, far } = await connected(simulation)
      const heal = simulation.network.partition('client', 'server')
      simulation.clock.after(500, heal)
      const startMs = simulation.nowMs
      await near.send([Buffer.from('a')])
      await near.send([Buffer.from('b')])
      const received = far.received[Symbol.asyncIterator]()
      expect(textOf(await received.next())).toBe('a')
      expect(simulation.nowMs).toBeGreaterThanOrEqual(startMs + 500)
      expect(textOf(await received.next())).toBe('b')
      heal()
    })
  })

  test('one way can be blocked alone, and then connecting times out', async () => {
    await simulated(async (simulation) => {
      const server = simulation.node('server').boot()
      const client = simulation.node('client').boot()
      await server.network.listen(address, () => {})
      simulation.network.block('server', 'client')
      const startMs = simulation.nowMs
      await expect(client.network.connect(address, { timeoutMs: 200 })).rejects.toMatchObject({
        code: 'Unavailable',
        details: { errno: 'ETIMEDOUT' },
      })
      expect(simulation.nowMs - startMs).toBe(200)
    })
  })

  test('the peer of a killed process hears of it at once, of one without power after a while', async () => {
    const hearsAfterMs = (how: 'kill' | 'crash') =>
      simulated(async (simulation) => {
        const { near } = await connected(simulation)
        const startMs = simulation.nowMs
        simulation.node('server')[how]()
        const ended = await near.received[Symbol.asyncIterator]()
          .next()
          .then(
            ({ done }) => done === true,
            () => true,
          )
        expect(ended).toBe(true)
        await expect(near.send([Buffer.from('x')])).rejects.toMatchObject({ code: 'Unavailable' })
        return simulation.nowMs - startMs
      })
    expect(await hearsAfterMs('kill')).toBeLessThan(1)
    expect(await hearsAfterMs('crash')).toBe(30_000)
  })

  test('a connection can break in the middle', async () => {
    await simulated(async (simulation) => {
      const { near, far } = await connected(simulation)
      simulation.network.resetChance = 1
      await expect(near.send([Buffer.from('x')])).rejects.toMatchObject({ code: 'Unavailable' })
      await expect(far.received[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'Unavailable' })
    })
  })
})
