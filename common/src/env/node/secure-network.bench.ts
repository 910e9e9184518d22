/** What TLS costs beside plain sockets, both ends in this process, on loopback: `npx vitest bench secure-network`. */

import { afterAll, bench, describe } from 'vitest'
import { nullLogger } from '../../log/logger.ts'
import { RpcClient, RpcServer, trustedClient, trustedServer } from '../../rpc/rpc.ts'
import type { Network } from '../env.ts'
import { TestAuthority } from '../testing/test-certificates.ts'
import { nodeEnv } from './node-env.ts'

const KiB = 1024
const MiB = 1024 * KiB
const env = nodeEnv()
const authority = new TestAuthority()
const [ofServer, ofClient] = [authority.credentials('o3://b/datanode/dn1'), authority.credentials('o3://b/gateway/gw1')]

interface Side {
  readonly name: string
  readonly client: RpcClient
  /** Connects, calls once, and goes. */
  readonly visit: () => Promise<void>
  readonly close: () => Promise<void>
}

async function open(name: string, serverNetwork: Network, clientNetwork: Network): Promise<Side> {
  const server = new RpcServer<unknown>({
    ...env,
    network: serverNetwork,
    log: nullLogger,
    authentication: trustedServer,
    methods: {
      'echo.1': ({ payload }) => ({ payload }),
      'sink.1': async ({ body }) => {
        let bytes = 0
        for await (const piece of body ?? []) bytes += piece.length
        return { payload: Buffer.from(String(bytes)) }
      },
    },
  })
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
  const dial = (): RpcClient =>
    new RpcClient({ ...env, network: clientNetwork, address, authentication: trustedClient })
  const client = dial()
  return {
    name,
    client,
    visit: async () => {
      const visitor = dial()
      await visitor.call('echo.1', small)
      visitor.close()
    },
    close: async () => {
      client.close()
      await server.close(0)
    },
  }
}

const small = new Uint8Array(148).fill(1)
const middling = new Uint8Array(4 * KiB).fill(2)
const large = new Uint8Array(32 * MiB).fill(3)
const atATime = 32

const sides = [
  await open('plain', env.network, env.network),
  await open(
    'TLS',
    env.network.secured({ credentials: () => ofServer }),
    env.network.secured({ credentials: () => ofClient }),
  ),
]
afterAll(async () => {
  for (const side of sides) await side.close()
})

describe('a connection and one call', () => {
  for (const { name, visit } of sides) bench(name, () => visit())
})

describe.each([
  ['148 bytes', small],
  ['4 KiB', middling],
])(`${atATime} calls of %s at a time`, (_, payload) => {
  for (const { name, client } of sides) {
    bench(name, async () => {
      await Promise.all(Array.from({ length: atATime }, () => client.call('echo.1', payload)))
    })
  }
})

describe('a body of 32 MiB', () => {
  for (const { name, client } of sides) {
    bench(name, async () => {
      await client.call('sink.1', small, { body: large })
    })
  }
})
