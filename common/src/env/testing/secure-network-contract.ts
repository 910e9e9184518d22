import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoreError } from '../../errors.ts'
import type { Connection, Credentials, Network, SecureOptions } from '../env.ts'
import { until } from './until.ts'
import type { NetworkUnderTest } from './network-contract.ts'
import { TestAuthority } from './test-certificates.ts'

const serverName = 'o3://test/scm/scm1'
const clientName = 'o3://test/datanode/dn1'

/** The suite of `Network.secured`; `networkContract` passes over a secured network, too. */
export function secureNetworkContract(name: string, open: () => Promise<NetworkUnderTest>): void {
  describe(`the contract of secured networks: ${name}`, () => {
    const authority = new TestAuthority()
    let under: NetworkUnderTest
    let refusals: StoreError[]
    beforeEach(async () => {
      under = await open()
      refusals = []
    })
    afterEach(() => under.discard())

    const securedBy = (credentials: Credentials, more: Partial<SecureOptions> = {}): Network =>
      under.network.secured({ credentials: () => credentials, ...more })

    /** A socket of one test may end in the next. */
    const noting = (): NonNullable<SecureOptions['onRefused']> => {
      const noted = refusals
      return (_, reason) => void noted.push(reason)
    }

    /** Connects, and hands both ends on; the listener is closed behind them. */
    async function meet(
      { client, server = {} }: { readonly client: Network; readonly server?: Partial<SecureOptions> },
      use: (client: Connection, server: Connection) => Promise<void> = () => Promise.resolve(),
    ): Promise<void> {
      await under.drive(async () => {
        const accepted = Promise.withResolvers<Connection>()
        const network = securedBy(authority.credentials(serverName), {
          onRefused: noting(),
          ...server,
        })
        const listener = await network.listen(under.address, accepted.resolve)
        try {
          const near = await client.connect(listener.address, { timeoutMs: 3_000 })
          const far = await accepted.promise
          await use(near, far)
          await near.close()
          await far.close()
        } finally {
          await listener.close()
        }
      })
    }

    test('each end knows the other by its certificate', async () => {
      await meet({ client: securedBy(authority.credentials(clientName)) }, (near, far) => {
        expect(near.peerCertificate?.name).toBe(serverName)
        expect(far.peerCertificate?.name).toBe(clientName)
        expect(refusals).toEqual([])
        return Promise.resolve()
      })
    })

    test('a client without a certificate is refused, and both know', async () => {
      const words = { code: 'Unauthenticated', message: expect.stringContaining('a certificate is required') }
      await expect(meet({ client: securedBy(authority.stranger()) })).rejects.toMatchObject(words)
      expect(refusals).toMatchObject([words])
    })

    test('two of different authorities refuse each other, and both know', async () => {
      const other = new TestAuthority().credentials(clientName)
      const words = { code: 'Unauthenticated', message: expect.stringContaining('another authority') }
      await expect(meet({ client: securedBy(other) })).rejects.toMatchObject(words)
      // Whoever looks first goes; the other one may see only that.
      await under.drive(() => until(under.clock, () => refusals.length === 1))
    })

    test('a stranger is let in where strangers are, and is nobody', async () => {
      await meet({ client: securedBy(authority.stranger()), server: { strangers: 'admitted' } }, (near, far) => {
        expect(near.peerCertificate?.name).toBe(serverName)
        expect(far.peerCertificate).toBeUndefined()
        return Promise.resolve()
      })
    })

    test('a certificate that was revoked is refused by either end', async () => {
      const isRevoked = ({ name: revoked }: { readonly name: string }): boolean => revoked === clientName
      const client = securedBy(authority.credentials(clientName))
      const words = { code: 'Unauthenticated', message: expect.stringContaining('was revoked') }
      await expect(meet({ client, server: { isRevoked } })).rejects.toMatchObject(words)
      expect(refusals).toMatchObject([words])
      const wary = securedBy(authority.credentials(clientName), { isRevoked: () => true })
      await expect(meet({ client: wary })).rejects.toMatchObject(words)
    })

    test('a plain client gets nothing from a secured listener, and no secured client from a plain one', async () => {
      await under.drive(async () => {
        const accepted: Connection[] = []
        const secured = securedBy(authority.credentials(serverName), {
          onRefused: noting(),
        })
        const listener = await secured.listen(under.address, (connection) => void accepted.push(connection))
        const words = async (): Promise<void> => {
          const plain = await under.network.connect(listener.address)
          await plain.send([Buffer.from('GET / HTTP/1.1\r\n\r\n')])
          for await (const chunk of plain.received) expect(Buffer.from(chunk).toString('latin1')).not.toContain('O3')
          await plain.close()
          throw new Error('it was closed')
        }
        await expect(words()).rejects.toThrow()
        expect(accepted).toEqual([])
        expect(refusals).toMatchObject([{ code: 'Unauthenticated', message: expect.stringContaining('speak TLS') }])
        await listener.close()
        const open = await under.network.listen(under.address, (connection) => {
          void connection.send([Buffer.from('hello, who is there?')])
        })
        const client = securedBy(authority.credentials(clientName))
        await expect(client.connect(open.address)).rejects.toMatchObject({
          code: 'Unauthenticated',
          message: expect.stringContaining('speak TLS'),
        })
        await open.close()
      })
    })

    test('renewed credentials are used for new connections, and old connections live on', async () => {
      await under.drive(async () => {
        let ofServer = authority.credentials(serverName)
        let ofClient = authority.credentials(clientName)
        const accepted: Connection[] = []
        const server = under.network.secured({ credentials: () => ofServer })
        const client = under.network.secured({ credentials: () => ofClient })
        const listener = await server.listen(under.address, (connection) => void accepted.push(connection))
        const before = await client.connect(listener.address)
        ofServer = authority.credentials(serverName)
        ofClient = authority.credentials(clientName)
        const after = await client.connect(listener.address)
        expect(after.peerCertificate?.name).toBe(serverName)
        expect(after.peerCertificate?.serial).not.toBe(before.peerCertificate?.serial)
        const [old, young] = accepted
        expect(young?.peerCertificate?.serial).not.toBe(old?.peerCertificate?.serial)
        await before.send([Buffer.from('still here')])
        await before.close()
        let text = ''
        for await (const chunk of old?.received ?? []) text += Buffer.from(chunk).toString('latin1')
        expect(text).toBe('still here')
        for (const connection of [after, ...accepted]) await connection.close()
        await listener.close()
      })
    })
  })
}
