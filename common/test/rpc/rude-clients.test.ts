import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Connection } from '../../src/env/env.ts'
import { endOfBody, frameKinds, hasBody } from '../../src/rpc/frame.ts'
import type { OutgoingFrame } from '../../src/rpc/frame.ts'
import { FrameDecoder } from '../../src/rpc/frame-decoder.ts'
import { encodeCallHead, encodeHello } from '../../src/rpc/messages.ts'
import type { RpcLimits, RpcMethods } from '../../src/rpc/rpc.ts'
import { frameBytes } from './raw-frames.ts'
import { bytes, gate, simulatedWorld, text, withPair } from './worlds.ts'
import type { Pair } from './worlds.ts'

const allowance = { maxHeaderBytes: 1 << 20, maxBodyBytes: 1 << 20, windowBytes: 1 << 20 }
const hello = frameBytes({
  kind: frameKinds.hello,
  callId: 0,
  header: [encodeHello({ lowestVersion: 1, highestVersion: 1, allowance, credentials: bytes('') })],
})
const proof = frameBytes({ kind: frameKinds.proof, callId: 0 })

function callFrame(method: string, callId: number, change: Partial<OutgoingFrame> = {}): Uint8Array {
  return frameBytes({ kind: frameKinds.call, callId, header: [encodeCallHead(method, undefined)], ...change })
}

const methods: RpcMethods<unknown> = {
  'echo.1': ({ payload }) => ({ payload }),
  'wait.1': ({ signal }) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({}))
    }),
  'large.1': () => ({ payload: new Uint8Array(64 * 1024) }),
}

interface Rude extends Pair<unknown> {
  readonly connect: () => Promise<Connection>
  /** Past the handshake. */
  readonly admitted: () => Promise<Connection>
  readonly nowMs: () => number
  readonly sleep: (delayMs: number) => Promise<void>
}

/** Runs `main` with a server and the means to be rude to it; at its end the server must still serve others. */
function withRude(
  main: (rude: Rude) => Promise<void>,
  { more = {}, limits = {} }: { readonly more?: RpcMethods<unknown>; readonly limits?: Partial<RpcLimits> } = {},
): Promise<void> {
  const world = simulatedWorld()
  return withPair(
    world,
    { ...methods, ...more },
    async (pair) => {
      const connect = (): Promise<Connection> => world.client.network.connect(pair.address)
      const admitted = async (): Promise<Connection> => {
        const connection = await connect()
        await connection.send([hello])
        await connection.send([proof])
        return connection
      }
      const { clock } = world.client
      await main({ ...pair, connect, admitted, nowMs: () => clock.monotonicMs(), sleep: (ms) => clock.sleep(ms) })
      expect(text((await pair.client.call('echo.1', bytes('still here'))).payload)).toBe('still here')
      expect(pair.logged).toEqual([])
    },
    { server: { limits } },
  )
}

/** Everything the server says until it closes, as text. */
async function heard(connection: Connection): Promise<string> {
  let out = ''
  for await (const chunk of connection.received) out += text(chunk)
  return out
}

describe('a client that does not keep to the rules is cut off, and nobody else feels it', () => {
  test('that speaks something else', () =>
    withRude(async ({ connect }) => {
      const connection = await connect()
      await connection.send([bytes('GET / HTTP/1.1\r\nHost: x\r\n\r\n')])
      expect(await heard(connection)).toBe('')
    }))

  test('that says nothing', () =>
    withRude(async ({ connect, nowMs }) => {
      const connection = await connect()
      const sinceMs = nowMs()
      expect(await heard(connection)).toBe('')
      expect(nowMs() - sinceMs).toBeGreaterThanOrEqual(4_900)
      expect(nowMs() - sinceMs).toBeLessThan(8_000)
    }))

  test.each([
    ['asks before it has proved who it is', [callFrame('echo.1', 1)], 'Unauthenticated'],
    ['asks in the middle of the handshake', [hello, callFrame('echo.1', 1)], 'Unauthenticated'],
    ['proves before it is asked', [proof], 'Unauthenticated'],
    [
      'speaks a version that we do not',
      [
        frameBytes({
          kind: frameKinds.hello,
          callId: 0,
          header: [encodeHello({ lowestVersion: 2, highestVersion: 9, allowance, credentials: bytes('') })],
        }),
      ],
      'Incompatible',
    ],
    [
      'greets in another way',
      [frameBytes({ kind: frameKinds.hello, callId: 0, header: [bytes('SSH-2.0')] })],
      'Incompatible',
    ],
  ])('that %s', (_, frames, code) =>
    withRude(async ({ connect, sleep }) => {
      const connection = await connect()
      for (const frame of frames) {
        await connection.send([frame])
        await sleep(10)
      }
      // Said where it can be said; in every case it ends.
      const said = await heard(connection)
      if (said.includes('"code"')) expect(said).toContain(code)
    }),
  )

  test.each([
    [
      'a frame larger than we take',
      [frameBytes({ kind: frameKinds.data, callId: 1, body: new Uint8Array(300 * 1024) })],
    ],
    ['a frame that only a server sends', [frameBytes({ kind: frameKinds.reply, callId: 1 })]],
    ['the handshake again', [hello]],
    ['the id of an open call again', [callFrame('wait.1', 1), callFrame('wait.1', 1)]],
    [
      'a header that is none',
      [frameBytes({ kind: frameKinds.call, callId: 1, header: [new Uint8Array(9).fill(0xff)] })],
    ],
    [
      'more of a body than the window',
      [
        callFrame('wait.1', 1, { flags: hasBody }),
        ...Array.from({ length: 9 }, () =>
          frameBytes({ kind: frameKinds.data, callId: 1, body: new Uint8Array(8192) }),
        ),
      ],
    ],
  ])('that sends %s', (_, frames) =>
    withRude(
      async ({ admitted, nowMs }) => {
        const connection = await admitted()
        const sinceMs = nowMs()
        await connection.send(frames)
        await heard(connection)
        expect(nowMs() - sinceMs).toBeLessThan(5_000)
      },
      { limits: { windowBytes: 64 * 1024 } },
    ),
  )
})

describe('frames that cross on the way are ignored', () => {
  test.each([
    ['data', frameBytes({ kind: frameKinds.data, callId: 99, flags: endOfBody, body: bytes('x') })],
    ['credit', frameBytes({ kind: frameKinds.credit, callId: 99, header: [Uint8Array.of(1)] })],
    ['cancel', frameBytes({ kind: frameKinds.cancel, callId: 99 })],
  ])('%s of a call that is over', (_, stray) =>
    withRude(async ({ admitted }) => {
      const connection = await admitted()
      await connection.send([
        stray,
        callFrame('echo.1', 1, { header: [encodeCallHead('echo.1', undefined), bytes('pong?')] }),
      ])
      let said = ''
      for await (const chunk of connection.received) {
        said += text(chunk)
        if (said.includes('pong?')) break
      }
      expect(said).toContain('pong?')
    }),
  )
})

test('noise after the handshake ends a connection at most', async () => {
  const kinds = Object.values(frameKinds)
  const almostFrame = fc
    .record({
      kind: fc.constantFrom(...kinds),
      flags: fc.constantFrom(0, hasBody, endOfBody),
      callId: fc.nat(3),
      header: fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(encodeCallHead('echo.1', 5))), {
        maxLength: 2,
      }),
      body: fc.uint8Array({ maxLength: 40 }),
    })
    .map(frameBytes)
  await withRude(async ({ admitted, sleep }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(almostFrame, fc.uint8Array({ maxLength: 60 })), { maxLength: 8 }),
        async (noise) => {
          const connection = await admitted()
          // A connection that was cut off already takes nothing.
          for (const piece of noise)
            await connection
              .send([piece])
              .catch((error: unknown) => expect(error).toMatchObject({ code: 'Unavailable' }))
          await sleep(5)
          await connection.close()
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('a client that asks and does not read', () => {
  test('is held up, until it reads', async () => {
    let asked = 0
    const counting: RpcMethods<unknown> = {
      'count.1': () => {
        asked++
        return { payload: new Uint8Array(64 * 1024) }
      },
    }
    await withRude(
      async ({ admitted, sleep }) => {
        const connection = await admitted()
        for (let i = 1; i <= 100; i++) {
          await connection.send([callFrame('count.1', i)])
          await sleep(5)
        }
        await sleep(1000)
        // A mebibyte waits in the server, a quarter of one in its socket, and as much is on the way.
        expect(asked).toBeLessThan(40)
        const all = gate()
        let replies = 0
        const decoder = new FrameDecoder(allowance, {
          onFrame: ({ kind }) => {
            if (kind === frameKinds.reply && ++replies === 100) all.open()
          },
          onBody: () => {},
        })
        for await (const chunk of connection.received) {
          decoder.push(chunk)
          if (replies === 100) break
        }
        await all.opened
        expect(asked).toBe(100)
      },
      { more: counting },
    )
  })

  test('is given up when too much waits for it', () =>
    withRude(
      async ({ admitted, sleep }) => {
        const connection = await admitted()
        const calls = Array.from({ length: 500 }, (_, i) => callFrame('large.1', i + 1))
        await connection.send(calls)
        await sleep(1000)
        let received = 0
        // It ends: with a break, or after what was on its way.
        const reading = (async () => {
          for await (const chunk of connection.received) received += chunk.length
        })()
        await reading.catch((error: unknown) => expect(error).toMatchObject({ code: 'Unavailable' }))
        expect(received).toBeLessThan(8 * 1024 * 1024)
      },
      { limits: { maxUnsentBytes: 4 * 1024 * 1024 } },
    ))
})
