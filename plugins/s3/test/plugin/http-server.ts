/** The plugin behind the real host, on a socket of this machine, with the reference store under it. */

import { nodeEnv } from '@o3/common/env/node'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import { startHost } from '@o3/protocol-bus/host'
import { referenceStore } from '@o3/protocol-bus/testing'
import { plugin } from '../../src/plugin.ts'

export interface HttpServer {
  readonly endpoint: string
  readonly host: string
  readonly port: number
  stop(): Promise<void>
}

export const credentials = { accessKeyId: 'admin-key', secretAccessKey: 'admin-secret' }

export async function httpServer(): Promise<HttpServer> {
  const env = nodeEnv()
  const { clock, random } = env
  const reference = referenceStore({ clock, random })
  const host = await startHost({
    env,
    services: { ...reference, clock, random, tasks: env.tasks, log: nullLogger, metrics: createMetrics() },
    plugins: [{ plugin, config: { port: 0 } }],
  })
  const [mount] = host.mounts
  if (mount === undefined) throw new Error('nothing was mounted')
  return {
    endpoint: `http://${mount.host}:${mount.port}`,
    host: mount.host,
    port: mount.port,
    stop: () => host.stop(5000),
  }
}
