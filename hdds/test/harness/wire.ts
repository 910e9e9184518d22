/** A datanode behind the wire: on a simulated network, or on loopback with a real disk. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { anyLength } from '@o3/scm/tokens'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import type { RpcLimits } from '@o3/common/rpc'
import { RemoteDatanode } from '../../src/client/client.ts'
import type { RemoteDatanodeOptions } from '../../src/client/client.ts'
import { defaultHddsConfig } from '../../src/config.ts'
import { datanodeRpcLimits, serveDatanode } from '../../src/rpc/rpc.ts'
import type { TokenCheck } from '../../src/rpc/rpc.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { openDatanode } from '../../src/service/open-datanode.ts'
import { Machine } from './machine.ts'
import type { MachineOptions } from './machine.ts'

/** Of a datanode whose callers need no tokens: what is tested is the wire. */
export const admitAll: TokenCheck = {
  admit: (_, deed) => ({ ...deed, keyId: 1, mode: 'COPY', expiresSeconds: 0, maxBytes: anyLength }),
}

export interface WireOptions {
  /** Default: everybody is let in. */
  readonly tokens?: TokenCheck
  readonly silenceMs?: number
  readonly limits?: Partial<RpcLimits>
  readonly client?: Partial<Pick<RemoteDatanodeOptions, 'deadlineMs' | 'limits' | 'bulkConnections'>>
}

export interface WireScene {
  /** Of the caller's process. */
  readonly datanode: RemoteDatanode
  /** The same, where it runs. */
  readonly local: LocalDatanode
  readonly address: Address
  /** Of the caller. */
  readonly env: Env
  connect(id?: string): RemoteDatanode
  crash(): Promise<RemoteDatanode>
  restart(): Promise<RemoteDatanode>
}

export interface SimulatedScene extends WireScene {
  readonly machine: Machine
}

export const startServer = async (
  datanode: LocalDatanode,
  env: Env,
  address: Address,
  { silenceMs, limits, tokens = admitAll }: WireOptions,
): Promise<{ readonly server: RpcServer<unknown>; readonly address: Address }> => {
  const server = new RpcServer<unknown>({
    ...env,
    log: nullLogger,
    methods: serveDatanode(datanode, { clock: env.clock, tokens, ...(silenceMs === undefined ? {} : { silenceMs }) }),
    authentication: trustedServer,
    limits: { ...datanodeRpcLimits, ...limits },
  })
  return { server, address: await server.listen(address) }
}

const connectTo = (env: Env, address: Address, id: string, { client }: WireOptions): RemoteDatanode =>
  new RemoteDatanode({ env, id, address, authentication: trustedClient, ...client })

/** On virtual time. The machine is called `dn`, the caller's `gateway`. */
export async function withSimulatedWire(
  script: (scene: SimulatedScene) => Promise<void>,
  options: WireOptions & { readonly machine?: Omit<MachineOptions, 'seed'>; readonly seed?: number } = {},
): Promise<void> {
  const machine = new Machine({ seed: options.seed ?? 1, ...options.machine })
  const env = machine.simulation.node('gateway').boot()
  const address: Address = { kind: 'tcp', host: 'dn', port: 9861 }
  await machine.run(async () => {
    const clients: RemoteDatanode[] = []
    let server: RpcServer<unknown>
    let served: unknown
    const start = async (): Promise<void> => {
      const datanode = await machine.start()
      served = machine.node.process
      ;({ server } = await startServer(datanode, machine.env, address, options))
    }
    const connect = (id = 'dn-1'): RemoteDatanode => {
      const client = connectTo(env, address, id, options)
      clients.push(client)
      return client
    }
    await start()
    const datanode = connect()
    await script({
      machine,
      env,
      address,
      connect,
      datanode,
      get local() {
        return machine.datanode
      },
      crash: async () => {
        machine.node.crash()
        await start()
        return connect()
      },
      restart: async () => {
        await server.close(0)
        await machine.datanode.close()
        machine.node.kill()
        await start()
        return connect()
      },
    })
    for (const client of clients) client.close()
    // A script may have ended the process: what was in it cannot be closed.
    if (!machine.node.isUp || machine.node.process !== served) return
    await server!.close(0)
    await machine.datanode.close()
  })
}

/** On the machine's disk, with LevelDB, through real sockets. A crash is an end of the server that answers nobody. */
export async function withLoopbackWire(
  script: (scene: WireScene) => Promise<void>,
  options: WireOptions = {},
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'o3-hdds-wire-'))
  const env = nodeEnv()
  const clients: RemoteDatanode[] = []
  let local: LocalDatanode
  let server: RpcServer<unknown>
  let address: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 }
  const start = async (): Promise<void> => {
    local = await openDatanode({
      env,
      disks: [join(root, 'a')],
      clusterId: 'cluster-1',
      datanodeId: 'dn-1',
      config: { ...defaultHddsConfig, compactGarbageBytes: 1 },
      log: nullLogger,
      metrics: createMetrics(),
      openKv: (path) => openLevelKv(path, { cacheBytes: 1024 * 1024 }),
    })
    ;({ server, address } = await startServer(local, env, address, options))
  }
  const connect = (id = 'dn-1'): RemoteDatanode => {
    const client = connectTo(env, address, id, options)
    clients.push(client)
    return client
  }
  const restart = async (): Promise<RemoteDatanode> => {
    await server.close(0)
    await local.close()
    await start()
    return connect()
  }
  try {
    await start()
    await script({
      env,
      connect,
      datanode: connect(),
      get local() {
        return local
      },
      get address() {
        return address
      },
      crash: restart,
      restart,
    })
  } finally {
    for (const client of clients) client.close()
    await server!.close(0)
    await local!.close()
    rmSync(root, { recursive: true, force: true })
  }
}
