import type { Simulation } from '@o3/common/env/sim'
import type { Env } from '@o3/common/env'
import { nullLogger } from '@o3/common/log'
import { GroupClient, RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import type { ServedScm } from '../src/rpc/rpc.ts'
import { RemoteScm } from '../src/client/client.ts'
import { serveScm } from '../src/rpc/rpc.ts'

/** Serves an SCM from one simulated machine to a client on another. */
export async function overTheWire(scm: ServedScm, simulation: Simulation, server: Env): Promise<RemoteScm> {
  const rpc = new RpcServer({
    ...server,
    log: nullLogger,
    authentication: trustedServer,
    methods: serveScm(scm, { mayHaveKeys: () => true }),
  })
  const address = await rpc.listen({ kind: 'tcp', host: 'scm', port: 0 })
  const env = simulation.node('client').isUp ? simulation.node('client').process : simulation.node('client').boot()
  return new RemoteScm(
    new GroupClient({ env, name: 'scm', members: [{ id: 'scm', address }], authentication: trustedClient }),
  )
}
