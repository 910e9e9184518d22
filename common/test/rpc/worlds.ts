import type { Address, Env } from '../../src/env/env.ts'
import { nodeEnv } from '../../src/env/node/node-env.ts'
import { Simulation } from '../../src/env/sim/sim-env.ts'
import { createLogger } from '../../src/log/log.ts'
import { RpcClient, RpcServer, trustedClient, trustedServer } from '../../src/rpc/rpc.ts'
import type { RpcClientOptions, RpcMethods, RpcServerOptions } from '../../src/rpc/rpc.ts'

/** Two machines and a network between them: real ones on loopback, or simulated. */
export interface World {
  readonly server: Env
  readonly client: Env
  readonly address: Address
  readonly drive: <T>(main: () => Promise<T>) => Promise<T>
}

export function loopbackWorld(): World {
  const env = nodeEnv()
  return { server: env, client: env, address: { kind: 'tcp', host: '127.0.0.1', port: 0 }, drive: (main) => main() }
}

export function simulatedWorld(): World & { readonly simulation: Simulation } {
  const simulation = new Simulation({ seed: 'rpc' })
  return {
    simulation,
    server: simulation.node('server').boot(),
    client: simulation.node('client').boot(),
    address: { kind: 'tcp', host: 'server', port: 0 },
    drive: (main) => simulation.run(main),
  }
}

export interface Pair<Peer> {
  readonly server: RpcServer<Peer>
  readonly client: RpcClient
  readonly address: Address
  /** What the server logged. */
  readonly logged: readonly string[]
}

export interface PairOptions<Peer> {
  readonly server?: Partial<RpcServerOptions<Peer>>
  readonly client?: Partial<RpcClientOptions>
}

/** Runs `main` with a server of these methods and a client of it, and closes both. */
export function withPair<T>(
  world: World,
  methods: RpcMethods<unknown>,
  main: (pair: Pair<unknown>) => Promise<T>,
  options: PairOptions<unknown> = {},
): Promise<T> {
  return world.drive(async () => {
    const logged: string[] = []
    const log = createLogger({ level: 'warn', destination: (line) => logged.push(line), clock: world.server.clock })
    const server = new RpcServer<unknown>({
      ...world.server,
      log,
      methods,
      authentication: trustedServer,
      ...options.server,
    })
    const address = await server.listen(world.address)
    const client = new RpcClient({ ...world.client, address, authentication: trustedClient, ...options.client })
    try {
      return await main({ server, client, address, logged })
    } finally {
      client.close()
      await server.close(0)
    }
  })
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

export async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of body ?? []) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** A door that opens once. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}
