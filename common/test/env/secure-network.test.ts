import net from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TestAuthority, daysFromNow } from '../../src/env/contracts.ts'
import type { Connection, Credentials, Listener } from '../../src/env/env.ts'
import { nodeEnv } from '../../src/env/node/node-env.ts'
import type { StoreError } from '../../src/errors.ts'

/** What only real sockets show: versions, clocks, and what it costs to be rude. */
describe('TLS on loopback', () => {
  const authority = new TestAuthority()
  const ofServer = authority.credentials('o3://test/scm/scm1')
  const { network, clock } = nodeEnv()
  let listener: Listener
  let accepted: Connection[]
  let refusals: StoreError[]

  async function listenWith(credentials: Credentials, strangers?: 'admitted'): Promise<void> {
    const noted = refusals
    const secured = network.secured({
      credentials: () => credentials,
      ...(strangers === undefined ? {} : { strangers }),
      onRefused: (_, reason) => void noted.push(reason),
    })
    listener = await secured.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, (each) => void accepted.push(each))
  }

  beforeEach(async () => {
    accepted = []
    refusals = []
    await listenWith(ofServer)
  })
  afterEach(async () => {
    for (const connection of accepted) await connection.close()
    await listener.close()
  })

  const port = (): number => (listener.address.kind === 'tcp' ? listener.address.port : 0)
  const connectWith = (credentials: Credentials): Promise<Connection> =>
    network.secured({ credentials: () => credentials }).connect(listener.address, { timeoutMs: 3_000 })

  async function until(isSo: () => boolean, deadlineMs = 10_000): Promise<void> {
    const untilMs = clock.monotonicMs() + deadlineMs
    while (!isSo()) {
      expect(clock.monotonicMs()).toBeLessThan(untilMs)
      await clock.sleep(5)
    }
  }

  test.each([
    ['has expired', daysFromNow(-30, -1), 'has expired'],
    ['is of tomorrow', daysFromNow(1, 30), 'not valid yet'],
  ])('a client whose certificate %s is told so', async (_, validity, words) => {
    const refused = connectWith(authority.credentials('o3://test/datanode/dn1', validity))
    const expected = { code: 'Unauthenticated', message: expect.stringContaining(words) }
    await expect(refused).rejects.toMatchObject(expected)
    expect(refusals).toMatchObject([expected])
    expect(accepted).toEqual([])
  })

  test('a server whose certificate has expired is left', async () => {
    await listener.close()
    await listenWith(authority.credentials('o3://test/scm/scm1', daysFromNow(-30, -1)))
    await expect(connectWith(authority.credentials('o3://test/datanode/dn1'))).rejects.toMatchObject({
      code: 'Unauthenticated',
      message: expect.stringContaining('has expired'),
    })
  })

  test('a certificate that a process signed for itself, or for another, is refused', async () => {
    // The holder of a leaf plays authority: its own chain, with the true root behind it.
    const holder = authority.credentials('o3://test/datanode/dn1')
    const forged = new TestAuthority().credentials('o3://test/scm/scm2')
    const chain = `${forged.own?.chain}${holder.own?.chain}${holder.roots}`
    const own = forged.own === undefined ? undefined : { ...forged.own, chain }
    await expect(connectWith({ roots: holder.roots, ...(own === undefined ? {} : { own }) })).rejects.toMatchObject({
      code: 'Unauthenticated',
      message: expect.stringContaining('does not let us in'),
    })
    expect(refusals).toMatchObject([{ code: 'Unauthenticated', message: expect.stringContaining('another authority') }])
    expect(accepted).toEqual([])
  })

  test('TLS 1.2 is refused', async () => {
    const { own, roots } = authority.credentials('o3://test/datanode/dn1')
    const socket = tls.connect({
      port: port(),
      ca: roots,
      cert: own?.chain,
      key: own?.privateKey,
      maxVersion: 'TLSv1.2',
    })
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
    expect(error.code).toContain('PROTOCOL_VERSION')
    await until(() => refusals.length === 1)
    expect(refusals).toMatchObject([{ code: 'Unauthenticated', message: expect.stringContaining('TLS 1.3') }])
  })

  test('a session is not resumed', async () => {
    const { own, roots } = authority.credentials('o3://test/datanode/dn1')
    const options = {
      port: port(),
      ca: roots,
      cert: own?.chain,
      key: own?.privateKey,
      checkServerIdentity: () => undefined,
    }
    const first = tls.connect(options)
    const session = await new Promise<Buffer>((resolve) => first.once('session', resolve))
    first.destroy()
    const second = tls.connect({ ...options, session })
    const words: Buffer[] = []
    second.on('data', (chunk: Buffer) => words.push(chunk))
    await new Promise((resolve) => second.once('close', resolve))
    expect(Buffer.concat(words).toString()).toContain('sessions are not resumed')
  })

  test(
    'handshakes that nobody finishes are bounded, in number and in time, and harm nobody after',
    { timeout: 20_000 },
    async () => {
      const idle = Array.from({ length: 140 }, () => net.connect(port(), '127.0.0.1'))
      for (const socket of idle) socket.on('error', () => undefined)
      await until(() => refusals.filter(({ code }) => code === 'Busy').length === 12)
      await until(() => refusals.length === 140)
      expect(refusals.at(-1)).toMatchObject({ message: expect.stringContaining('not finished in time') })
      const connection = await connectWith(authority.credentials('o3://test/datanode/dn1'))
      expect(connection.peerCertificate?.name).toBe('o3://test/scm/scm1')
      await connection.close()
      for (const socket of idle) socket.destroy()
    },
  )

  test('strangers are few: they do not take the places of others', async () => {
    await listener.close()
    await listenWith(ofServer, 'admitted')
    const strangers = await Promise.all(Array.from({ length: 16 }, () => connectWith(authority.stranger())))
    await expect(connectWith(authority.stranger())).rejects.toMatchObject({
      code: 'Unauthenticated',
      message: expect.stringContaining('16 strangers'),
    })
    const known = await connectWith(authority.credentials('o3://test/datanode/dn1'))
    await strangers.pop()?.close()
    await accepted.find(({ peerCertificate }) => peerCertificate === undefined)?.close()
    let later: Connection | undefined
    for (let left = 50; later === undefined && left > 0; left--) {
      later = await connectWith(authority.stranger()).catch(() => undefined)
      await clock.sleep(10)
    }
    expect(later).toBeDefined()
    for (const connection of [known, later, ...strangers]) await connection?.close()
  })

  test('a listener that accepts and says nothing is left in time', async () => {
    const silent = net.createServer((socket) => socket.resume().on('error', () => undefined))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const silentPort = typeof address === 'object' && address !== null ? address.port : 0
    const secured = network.secured({ credentials: () => authority.credentials('o3://test/datanode/dn1') })
    const connecting = secured.connect({ kind: 'tcp', host: '127.0.0.1', port: silentPort }, { timeoutMs: 200 })
    await expect(connecting).rejects.toMatchObject({ code: 'Unavailable' })
    await new Promise((resolve) => silent.close(resolve))
  })
})
