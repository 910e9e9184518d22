import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Address, Clock, Connection, Listener, Network } from '../env.ts'
import type { Drive } from './drive.ts'
import { until } from './until.ts'

export interface NetworkUnderTest {
  readonly network: Network
  readonly clock: Clock
  /** Free to listen on. */
  readonly address: Address
  readonly drive: Drive
  discard(): Promise<void>
}

/** The suite of `Network`. */
export function networkContract(name: string, open: () => Promise<NetworkUnderTest>): void {
  describe(`the network contract: ${name}`, () => {
    let under: NetworkUnderTest
    let network: Network
    beforeEach(async () => {
      under = await open()
      network = under.network
    })
    afterEach(() => under.discard())

    /** Two ends of one connection, and the listener closed behind them. */
    async function pair(): Promise<{ client: Connection; server: Connection; listener: Listener }> {
      const accepted = Promise.withResolvers<Connection>()
      const listener = await network.listen(under.address, accepted.resolve)
      const client = await network.connect(listener.address)
      const server = await accepted.promise
      await listener.close()
      return { client, server, listener }
    }

    test('what is sent arrives, in order, both ways, until the end', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        await client.send([ascii('he'), ascii(''), ascii('llo, ')])
        await client.send([ascii('server')])
        await server.send([ascii('hello, client')])
        await server.close()
        expect(await allOf(client)).toBe('hello, client')
        await client.close()
      })
    })

    test('the peer gets everything that was sent before the close', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        const received = bytesOf(server)
        const piece = new Uint8Array(64 * 1024)
        for (let i = 0; i < 40; i++) await client.send([piece.fill(i).slice(), piece.slice(0, 100)])
        await client.close()
        const bytes = await received
        expect(bytes.length).toBe(40 * (64 * 1024 + 100))
        expect(bytes[39 * (64 * 1024 + 100)]).toBe(39)
        await server.close()
      })
    })

    test('a slow reader stops the sender', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        const piece = new Uint8Array(64 * 1024)
        const count = 1024
        let sent = 0
        const sending = (async () => {
          for (; sent < count; sent++) await client.send([piece])
        })()
        await until(under.clock, () => sent > 0)
        await under.clock.sleep(50)
        expect(sent).toBeLessThan(count)
        let total = 0
        for await (const chunk of server.received) {
          total += chunk.length
          if (total === count * piece.length) break
        }
        await sending
        await client.close()
        await server.close()
      })
    })

    test('a connection closes though nobody read what was sent on it', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        let sent = 0
        const sending = (async () => {
          for (; sent < 100; sent++) await client.send([new Uint8Array(64 * 1024)])
        })().catch((error: unknown) => error)
        await until(under.clock, () => sent > 0)
        await server.close()
        await client.close()
        expect(await sending).toMatchObject({ category: 'unavailable' })
      })
    })

    test('after the peer closed, sending fails with Unavailable', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        await server.close()
        expect(await allOf(client)).toBe('')
        await expect(
          until(under.clock, async () => {
            await client.send([ascii('anybody there?')])
            return false
          }),
        ).rejects.toMatchObject({ code: 'Unavailable' })
        await client.close()
      })
    })

    test('after its own close, sending fails with Closed and receiving ends', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        await client.close()
        await client.close()
        await expect(client.send([ascii('x')])).rejects.toMatchObject({ code: 'Closed' })
        expect(await allOf(client)).toBe('')
        await server.close()
      })
    })

    test('nobody listens: Unavailable', async () => {
      await under.drive(async () => {
        const { client, server, listener } = await pair()
        await expect(network.connect(listener.address)).rejects.toMatchObject({ code: 'Unavailable' })
        // The listener's end is not the end of its connections.
        await client.send([ascii('still')])
        await client.close()
        expect(await allOf(server)).toBe('still')
        await server.close()
      })
    })

    test('an address is taken once, and free again after close', async () => {
      await under.drive(async () => {
        const first = await network.listen(under.address, () => {})
        await expect(network.listen(first.address, () => {})).rejects.toMatchObject({ code: 'Busy' })
        await first.close()
        await first.close()
        const second = await network.listen(first.address, () => {})
        expect(second.address).toEqual(first.address)
        await second.close()
      })
    })

    test('many small sends at once keep their order', async () => {
      await under.drive(async () => {
        const { client, server } = await pair()
        const received = allOf(server)
        await Promise.all(Array.from({ length: 500 }, (_, i) => client.send([ascii(`${i},`)])))
        await client.close()
        expect(await received).toBe(Array.from({ length: 500 }, (_, i) => `${i},`).join(''))
        await server.close()
      })
    })
  })
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

async function bytesOf(connection: Connection): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of connection.received) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function allOf(connection: Connection): Promise<string> {
  return Buffer.from(await bytesOf(connection)).toString('latin1')
}
