import type { Env } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { nodeEnv } from '@o3/common/env/node'
import { createLogger } from '@o3/common/log'
import { RpcClient, RpcServer, trustedClient } from '@o3/common/rpc'
import type { ClientAuthentication } from '@o3/common/rpc'
import { describe, expect, test } from 'vitest'
import type { Role } from '../../src/cluster-file/cluster-file.ts'
import type { Identity } from '../../src/pki/identity.ts'
import { Wire } from '../../src/pki/wire.ts'
import type { ClusterPeer } from '../../src/pki/wire.ts'
import { authorityOf, identityOf, nameOf } from './fixtures.ts'

const authority = authorityOf('ours')
const server = identityOf(authority, nameOf('datanode', 'dn1'))
const gateway = identityOf(authority, nameOf('gateway', 'gw1'))

interface World {
  readonly server: Env
  readonly client: Env
  readonly host: string
  readonly drive: (main: () => Promise<void>) => Promise<void>
}

const worlds: Readonly<Record<string, () => World>> = {
  'on loopback': () => {
    const env = nodeEnv()
    return { server: env, client: env, host: '127.0.0.1', drive: (main) => main() }
  },
  'on the simulated network': () => {
    const simulation = new Simulation({ seed: 'wire' })
    const [one, two] = [simulation.node('dn1').boot(), simulation.node('gw1').boot()]
    return { server: one, client: two, host: 'dn1', drive: (main) => simulation.run(main) }
  },
}

interface Case {
  readonly identity?: Identity
  readonly wants?: Role
  readonly serverId?: string
  readonly revoked?: readonly string[]
  /** In the place of the wire. */
  readonly plain?: boolean
  /** What the server is to log, sooner or later: a client that goes by itself is noticed afterwards. */
  readonly logs?: boolean
  readonly authentication?: ClientAuthentication
}

/** What a client gets for a call, and what the server has logged. */
async function attempt(world: World, asked: Case): Promise<{ readonly got: string; readonly logged: string }> {
  const logged: string[] = []
  let got = ''
  await world.drive(async () => {
    const log = createLogger({ level: 'warn', destination: (line) => logged.push(line), clock: world.server.clock })
    const ours = new Wire({ env: world.server, identity: server, revoked: asked.revoked ?? [], log })
    const rpc = new RpcServer<ClusterPeer>({
      ...ours.env,
      log,
      methods: { 'who.1': ({ peer }) => ({ payload: Buffer.from(`${peer.role} ${peer.id}`) }) },
      authentication: ours.serves(),
    })
    const address = await rpc.listen({ kind: 'tcp', host: world.host, port: 0 })
    const theirs = new Wire({ env: world.client, identity: asked.identity ?? gateway, revoked: [] })
    const client = new RpcClient({
      ...(asked.plain === true ? world.client : theirs.env),
      address,
      authentication: asked.authentication ?? theirs.callsTo(asked.wants ?? 'datanode'),
      serverId: asked.serverId ?? 'dn1',
      limits: { handshakeTimeoutMs: 1_000 },
    })
    try {
      const { payload } = await client.call('who.1', new Uint8Array(0), { deadlineMs: 5_000 })
      got = Buffer.from(payload).toString()
    } catch (error) {
      const { code, message } = error as { readonly code: string; readonly message: string }
      got = `${code}: ${message}`
    } finally {
      const untilMs = world.server.clock.monotonicMs() + 5_000
      while (asked.logs === true && logged.length === 0 && world.server.clock.monotonicMs() < untilMs) {
        await world.server.clock.sleep(5)
      }
      client.close()
      await rpc.close(0)
    }
  })
  return { got, logged: logged.join('\n') }
}

describe.each(Object.entries(worlds))('%s', (_, open) => {
  test('a process calls another, which knows who it is', async () => {
    expect(await attempt(open(), {})).toEqual({ got: 'gateway gw1', logged: '' })
  })

  test.each<[string, Case, RegExp, RegExp]>([
    [
      'of another authority',
      { identity: identityOf(authorityOf('theirs'), nameOf('gateway', 'gw1')) },
      /^Unauthenticated: .*another authority/,
      /connection refused/,
    ],
    [
      'of another cluster under the same authority',
      { identity: identityOf(authority, nameOf('gateway', 'gw1', 'c2')), authentication: trustedClient },
      /^Unauthenticated: .*cluster c2, and not of ours/,
      /cluster c2, and not of ours/,
    ],
    [
      'with a role that there is not',
      { identity: identityOf(authority, nameOf('stranger', 'gw1')) },
      /^Unauthenticated: there is no role stranger/,
      /there is no role stranger/,
    ],
    [
      'whose certificate was revoked',
      { revoked: [gateway.facts.serial] },
      /^Unauthenticated: .*was revoked/,
      /was revoked/,
    ],
    ['without TLS', { plain: true, authentication: trustedClient }, /^(Unavailable|OutcomeUnknown): /, /speak TLS/],
    // These two are the client's own refusal; the server has done nothing wrong.
    ['that wants another role', { wants: 'scm' }, /^Unauthenticated: datanode dn1 answers where a scm should/, /^$/],
    [
      'that wants another process',
      { serverId: 'dn7' },
      /^Unavailable: datanode dn1 answers at the address of dn7/,
      /^$/,
    ],
  ])('one %s is refused, in words on both sides', async (_name, asked, got, logged) => {
    const world = open()
    // On the simulated network a revoked certificate is known by its text.
    const isSimulated = world.host === 'dn1'
    const revoked = asked.revoked === undefined ? {} : { revoked: isSimulated ? [gateway.certificate] : asked.revoked }
    const outcome = await attempt(world, { ...asked, ...revoked, logs: !logged.test('') })
    expect(outcome.got).toMatch(got)
    expect(outcome.logged).toMatch(logged)
  })
})
