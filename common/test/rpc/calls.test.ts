import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Connection, Network } from '../../src/env/env.ts'
import { StoreError } from '../../src/errors.ts'
import { RpcClient, RpcServer, trustedClient, trustedServer } from '../../src/rpc/rpc.ts'
import type { RpcMethods } from '../../src/rpc/rpc.ts'
import { nullLogger } from '../../src/log/log.ts'
import { bytes, collect, gate, loopbackWorld, simulatedWorld, text, withPair } from './worlds.ts'
import type { World } from './worlds.ts'

const sha = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason))
  })

/** Pieces of odd sizes, the empty one included. */
async function* piecesOf(content: Uint8Array): AsyncGenerator<Uint8Array, void> {
  const sizes = [1, 0, 70_000, 13, 300_000]
  for (let at = 0, i = 0; at < content.length; i++) {
    const size = sizes[i % sizes.length]!
    yield content.subarray(at, at + size)
    at += size
  }
}

const common: RpcMethods<unknown> = {
  'echo.1': ({ payload }) => ({ payload }),
  'hash.1': async ({ body }) => ({ payload: bytes(sha(await collect(body))) }),
  'mirror.1': ({ payload, body }) => ({ payload, body: body! }),
}

const worlds: [string, () => World][] = [
  ['over loopback', loopbackWorld],
  ['in the simulation', simulatedWorld],
]

describe.each(worlds)('a call %s', (_, makeWorld) => {
  test('brings a payload there and back, many at a time', async () => {
    await withPair(makeWorld(), common, async ({ client }) => {
      const asked = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(i))
      const answers = await Promise.all(asked.map((each) => client.call('echo.1', bytes(each))))
      expect(answers.map(({ payload }) => text(payload))).toEqual(asked)
      expect(answers.every(({ body }) => body === undefined)).toBe(true)
    })
  })

  test('brings the error of the handler as it is', async () => {
    const refusal = new StoreError('BucketNotEmpty', 'keys are in it', {
      details: { bucket: 'b', keys: 3, empty: false },
    })
    const methods: RpcMethods<unknown> = { 'fail.1': () => Promise.reject(refusal) }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const error = await client.call('fail.1', bytes('')).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as StoreError).toRecord()).toEqual(refusal.toRecord())
    })
  })

  test('hides what is a bug of the handler, and logs it', async () => {
    const methods: RpcMethods<unknown> = {
      'bug.1': () => {
        throw new TypeError('secret detail')
      },
    }
    await withPair(makeWorld(), methods, async ({ client, logged }) => {
      const error = await client.call('bug.1', bytes('')).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'Internal' })
      expect(String(error)).not.toContain('secret detail')
      expect(logged.map((line) => JSON.parse(line))).toMatchObject([
        { method: 'bug.1', error: { message: 'secret detail' } },
      ])
    })
  })

  test('of a method that is not there is NotImplemented', async () => {
    await withPair(makeWorld(), common, async ({ client }) => {
      await expect(client.call('echo.2', bytes(''))).rejects.toMatchObject({ code: 'NotImplemented' })
      await expect(client.call('constructor', bytes(''))).rejects.toMatchObject({ code: 'NotImplemented' })
    })
  })

  test('streams a body up, whole or in pieces', async () => {
    await withPair(makeWorld(), common, async ({ client }) => {
      for (const size of [0, 1, 4096, 70_000, 5_000_000]) {
        const content = Uint8Array.from(randomBytes(size))
        for (const body of [content, piecesOf(content)]) {
          const { payload } = await client.call('hash.1', bytes(''), { body })
          expect(text(payload), `${size} bytes`).toBe(sha(content))
        }
      }
    })
  })

  test('streams a body both ways at once, with other calls between', async () => {
    await withPair(makeWorld(), common, async ({ client }) => {
      const content = randomBytes(6_000_000)
      const mirrored = await client.call('mirror.1', bytes('p'), { body: piecesOf(content) })
      expect(text(mirrored.payload)).toBe('p')
      const [back, echo] = await Promise.all([collect(mirrored.body), client.call('echo.1', bytes('x'))])
      expect(back.equals(content)).toBe(true)
      expect(text(echo.payload)).toBe('x')
    })
  })

  test('never has more of a body on the way than its window, in either direction', async () => {
    const windowBytes = 16 * 1024
    const pieceBytes = 1000
    let produced = 0
    let consumed = 0
    let most = 0
    async function* source(): AsyncGenerator<Uint8Array, void> {
      for (let i = 0; i < 200; i++) {
        produced += pieceBytes
        most = Math.max(most, produced - consumed)
        yield new Uint8Array(pieceBytes)
      }
    }
    const drain = async (body: AsyncIterable<Uint8Array>, world: World): Promise<void> => {
      for await (const piece of body) {
        await world.client.clock.sleep(0)
        consumed += piece.length
      }
    }
    for (const direction of ['up', 'down'] as const) {
      produced = consumed = most = 0
      const world = makeWorld()
      const methods: RpcMethods<unknown> = {
        'up.1': async ({ body }) => {
          await drain(body!, world)
          return {}
        },
        'down.1': () => ({ body: source() }),
      }
      const limits = { limits: { windowBytes } }
      const main = async ({ client }: { client: RpcClient }): Promise<void> => {
        if (direction === 'up') await client.call('up.1', bytes(''), { body: source() })
        else await drain((await client.call('down.1', bytes(''))).body!, world)
      }
      await withPair(world, methods, main, { server: limits, client: limits })
      expect(consumed).toBe(200 * pieceBytes)
      // One piece in the hands of the source, one in those of the consumer.
      expect(most).toBeLessThanOrEqual(windowBytes + 2 * pieceBytes)
      expect(most).toBeGreaterThan(windowBytes / 2)
    }
  })

  test('that is not read holds up no other', async () => {
    const content = randomBytes(3_000_000)
    const methods: RpcMethods<unknown> = { ...common, 'get.1': () => ({ body: piecesOf(content) }) }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const slow = await client.call('get.1', bytes(''))
      for (let i = 0; i < 20; i++) await client.call('echo.1', bytes('x'))
      const other = await client.call('get.1', bytes(''))
      expect((await collect(other.body)).equals(content)).toBe(true)
      expect((await collect(slow.body)).equals(content)).toBe(true)
    })
  })

  test('ends at its deadline, here and there', async () => {
    const seen = Promise.withResolvers<unknown>()
    const methods: RpcMethods<unknown> = {
      'wait.1': async ({ signal, deadlineMs }) => {
        seen.resolve([deadlineMs, await aborted(signal)])
        return {}
      },
    }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const call = client.call('wait.1', bytes(''), { deadlineMs: 40 })
      await expect(call).rejects.toMatchObject({ code: 'DeadlineExceeded' })
      // The deadline of the server, or the cancellation of the client, whichever was first.
      expect(await seen.promise).toEqual([
        40,
        expect.objectContaining({ code: expect.stringMatching(/^(DeadlineExceeded|Aborted)$/) }),
      ])
    })
  })

  test('is held to its deadline by the server, when the client does not say more', async () => {
    const methods: RpcMethods<unknown> = { 'wait.1': ({ signal }) => aborted(signal).then(() => ({})) }
    const world = makeWorld()
    // A client whose timers never fire.
    const clock = { ...frozen(world), wallMs: () => world.client.clock.wallMs() }
    await withPair(
      world,
      methods,
      async ({ client }) => {
        const call = client.call('wait.1', bytes(''), { deadlineMs: 20 })
        await expect(call).rejects.toMatchObject({
          code: 'DeadlineExceeded',
          message: expect.stringContaining('wait.1'),
        })
      },
      { client: { clock } },
    )
  })

  test('is cancelled by its signal, here and there', async () => {
    const [arrived, ended] = [gate(), Promise.withResolvers<unknown>()]
    const methods: RpcMethods<unknown> = {
      'wait.1': async ({ signal, body }) => {
        arrived.open()
        ended.resolve(await aborted(signal))
        await expect(collect(body)).rejects.toMatchObject({ code: 'Aborted' })
        return {}
      },
    }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const controller = new AbortController()
      const reason = new Error('the user has left')
      const call = client.call('wait.1', bytes(''), { signal: controller.signal, body: endless() })
      await arrived.opened
      controller.abort(reason)
      await expect(call).rejects.toBe(reason)
      expect(await ended.promise).toMatchObject({ code: 'Aborted' })
      await expect(client.call('wait.1', bytes(''), { signal: controller.signal })).rejects.toBe(reason)
    })
  })

  test('whose reply is left before its end frees the server', async () => {
    const closed = gate()
    const methods: RpcMethods<unknown> = { 'get.1': () => ({ body: endless(closed.open) }) }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const { body } = await client.call('get.1', bytes(''))
      for await (const piece of body!) {
        expect(piece.length).toBeGreaterThan(0)
        break
      }
      await closed.opened
    })
  })

  test('whose own body fails is cancelled, and rejects with that failure', async () => {
    const ended = Promise.withResolvers<unknown>()
    const methods: RpcMethods<unknown> = {
      'put.1': async ({ body }) => {
        ended.resolve(await collect(body).catch((error: unknown) => error))
        return {}
      },
    }
    const failure = new Error('the disk of the client')
    async function* failing(): AsyncGenerator<Uint8Array, void> {
      yield new Uint8Array(100)
      throw failure
    }
    await withPair(makeWorld(), methods, async ({ client }) => {
      await expect(client.call('put.1', bytes(''), { body: failing() })).rejects.toBe(failure)
      expect(await ended.promise).toMatchObject({ code: 'Aborted' })
    })
  })

  test('whose reply fails in the middle rejects there, with the error of the server', async () => {
    async function* failing(): AsyncGenerator<Uint8Array, void> {
      yield new Uint8Array(100)
      throw new StoreError('Damaged', 'a chunk has rotted')
    }
    const methods: RpcMethods<unknown> = { 'get.1': () => ({ body: failing() }) }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const { body } = await client.call('get.1', bytes(''))
      await expect(collect(body)).rejects.toMatchObject({ code: 'Damaged', message: 'a chunk has rotted' })
    })
  })

  test('that is answered without its body being read closes the source', async () => {
    const closed = gate()
    const methods: RpcMethods<unknown> = { 'refuse.1': () => Promise.reject(new StoreError('AccessDenied', 'no')) }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const call = client.call('refuse.1', bytes(''), { body: endless(closed.open) })
      await expect(call).rejects.toMatchObject({ code: 'AccessDenied' })
      await closed.opened
    })
  })
})

describe.each(worlds)('bounds %s', (_, makeWorld) => {
  test('a payload that is too large is refused before it is sent, and the connection lives', async () => {
    const methods: RpcMethods<unknown> = { ...common, 'large.1': () => ({ payload: new Uint8Array(5000) }) }
    const limits = { limits: { maxPayloadBytes: 1000 } }
    await withPair(
      makeWorld(),
      methods,
      async ({ client }) => {
        await expect(client.call('echo.1', new Uint8Array(5000))).rejects.toMatchObject({ code: 'TooLarge' })
        await expect(client.call('large.1', bytes(''))).rejects.toMatchObject({ code: 'TooLarge' })
        expect((await client.call('echo.1', new Uint8Array(1000))).payload.length).toBe(1000)
      },
      { server: limits, client: limits },
    )
  })

  test('calls beyond what the server takes wait their turn, and beyond that are Busy', async () => {
    let running = 0
    let most = 0
    const [full, doors] = [gate(), gate()]
    const methods: RpcMethods<unknown> = {
      'work.1': async ({ payload }) => {
        most = Math.max(most, ++running)
        if (running === 2) full.open()
        await doors.opened
        running--
        return { payload }
      },
    }
    await withPair(
      makeWorld(),
      methods,
      async ({ client }) => {
        const first = client.call('work.1', bytes('0'))
        // The connection is there when the second call is made.
        const probe = client.call('none.1', bytes(''))
        await expect(probe).rejects.toMatchObject({ code: 'NotImplemented' })
        const others = Array.from({ length: 6 }, (_, i) => client.call('work.1', bytes(`${i + 1}`)))
        await expect(client.call('work.1', bytes('x'))).rejects.toMatchObject({ code: 'Busy' })
        await full.opened
        doors.open()
        const answers = await Promise.all([first, ...others])
        expect(answers.map(({ payload }) => text(payload))).toEqual(['0', '1', '2', '3', '4', '5', '6'])
        expect(most).toBe(2)
      },
      { server: { limits: { maxConcurrentCalls: 2 } }, client: { limits: { maxQueuedCalls: 5 } } },
    )
  })

  test('connections beyond the bound are closed', async () => {
    const world = makeWorld()
    await withPair(
      world,
      common,
      async ({ client, address }) => {
        await client.call('echo.1', bytes(''))
        const other = new RpcClient({ ...world.client, address, authentication: trustedClient })
        await expect(other.call('echo.1', bytes(''))).rejects.toMatchObject({ code: 'Unavailable' })
        other.close()
        await client.call('echo.1', bytes(''))
      },
      { server: { limits: { maxConnections: 1 } } },
    )
  })
})

describe.each(worlds)('a connection %s', (_, makeWorld) => {
  test('that is lost leaves the outcome unknown, and the next call makes another', async () => {
    const world = makeWorld()
    const connections: Connection[] = []
    const arrived = gate()
    const ended = Promise.withResolvers<unknown>()
    const methods: RpcMethods<unknown> = {
      ...common,
      'wait.1': async ({ signal }) => {
        arrived.open()
        ended.resolve(await aborted(signal))
        return {}
      },
    }
    await withPair(
      world,
      methods,
      async ({ client }) => {
        const lost = expect(client.call('wait.1', bytes(''))).rejects.toMatchObject({ code: 'OutcomeUnknown' })
        await arrived.opened
        await connections[0]!.close()
        await lost
        expect(await ended.promise).toMatchObject({ code: 'Aborted' })
        expect(text((await client.call('echo.1', bytes('again'))).payload)).toBe('again')
        expect(connections.length).toBe(2)
      },
      { client: { network: watched(world.client.network, connections) } },
    )
  })

  test('that cannot be made is Unavailable, until there is a server', async () => {
    const world = makeWorld()
    await world.drive(async () => {
      const found = await world.server.network.listen(world.address, () => {})
      await found.close()
      const { address } = found
      const client = new RpcClient({ ...world.client, address, authentication: trustedClient, redialAfterMs: 20 })
      const attempts = await Promise.allSettled([1, 2].map(() => client.call('echo.1', bytes(''))))
      expect(attempts).toMatchObject([1, 2].map(() => ({ reason: { code: 'Unavailable' } })))
      const server = new RpcServer({
        ...world.server,
        log: nullLogger,
        methods: common,
        authentication: trustedServer,
      })
      await server.listen(address)
      await world.client.clock.sleep(20)
      expect(text((await client.call('echo.1', bytes('now'))).payload)).toBe('now')
      client.close()
      await server.close()
    })
  })

  test('of a server that stops answers what it has, and takes no more', async () => {
    const [arrived, doors] = [gate(), gate()]
    const methods: RpcMethods<unknown> = {
      'work.1': async () => {
        arrived.open()
        await doors.opened
        return { payload: bytes('done') }
      },
    }
    await withPair(makeWorld(), methods, async ({ client, server }) => {
      const underway = client.call('work.1', bytes(''))
      await arrived.opened
      const closing = server.close()
      const late = client.call('work.1', bytes(''))
      await expect(late).rejects.toMatchObject({ code: expect.stringMatching(/^(Closed|Unavailable)$/) })
      doors.open()
      expect(text((await underway).payload)).toBe('done')
      await closing
      expect(await server.close()).toBeUndefined()
    })
  })

  test('of a server that stops ends what takes too long', async () => {
    const arrived = gate()
    const methods: RpcMethods<unknown> = {
      'wait.1': async ({ signal }) => {
        arrived.open()
        await aborted(signal)
        return {}
      },
    }
    await withPair(makeWorld(), methods, async ({ client, server }) => {
      const underway = expect(client.call('wait.1', bytes(''))).rejects.toMatchObject({ code: 'Closed' })
      await arrived.opened
      await server.close(20)
      await underway
    })
  })

  test('of a client that closes ends its calls', async () => {
    const arrived = gate()
    const methods: RpcMethods<unknown> = {
      'wait.1': async ({ signal }) => {
        arrived.open()
        await aborted(signal)
        return {}
      },
    }
    await withPair(makeWorld(), methods, async ({ client }) => {
      const underway = expect(client.call('wait.1', bytes(''))).rejects.toMatchObject({ code: 'OutcomeUnknown' })
      await arrived.opened
      client.close()
      await underway
      await expect(client.call('wait.1', bytes(''))).rejects.toMatchObject({ code: 'Closed' })
    })
  })
})

describe('in virtual time', () => {
  test('a peer that has fallen silent is given up', async () => {
    const world = simulatedWorld()
    const arrived = gate()
    const methods: RpcMethods<unknown> = {
      'wait.1': async ({ signal }) => {
        arrived.open()
        await aborted(signal)
        return {}
      },
    }
    await withPair(world, methods, async ({ client }) => {
      const underway = client.call('wait.1', bytes(''))
      await arrived.opened
      const heal = world.simulation.network.partition('client', 'server')
      const sinceMs = world.simulation.nowMs
      await expect(underway).rejects.toMatchObject({ code: 'OutcomeUnknown', cause: { code: 'Unavailable' } })
      expect(world.simulation.nowMs - sinceMs).toBeLessThanOrEqual(40_000)
      heal()
    })
  })

  test('a quiet connection lives on by its pings', async () => {
    const world = simulatedWorld()
    const connections: Connection[] = []
    await withPair(
      world,
      common,
      async ({ client }) => {
        await client.call('echo.1', bytes(''))
        await world.client.clock.sleep(600_000)
        await client.call('echo.1', bytes(''))
        expect(connections.length).toBe(1)
      },
      { client: { network: watched(world.client.network, connections) } },
    )
  })
})

/** A body without end that says when it was closed. */
async function* endless(onClosed: () => void = () => {}): AsyncGenerator<Uint8Array, void> {
  try {
    for (;;) yield new Uint8Array(10_000)
  } finally {
    onClosed()
  }
}

/** Notes the connections that are made. */
function watched(network: Network, connections: Connection[]): Network {
  return {
    connect: async (...parameters) => {
      const connection = await network.connect(...parameters)
      connections.push(connection)
      return connection
    },
    listen: (...parameters) => network.listen(...parameters),
    secured: (options) => watched(network.secured(options), connections),
  }
}

function frozen(world: World): Pick<World['client']['clock'], 'monotonicMs' | 'after' | 'sleep'> {
  const { clock } = world.client
  return {
    monotonicMs: () => clock.monotonicMs(),
    after: () => () => {},
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  }
}
