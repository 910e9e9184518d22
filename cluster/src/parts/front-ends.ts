/** The front ends on the store: S3, native, and health and metrics. */

import type { Graph } from '@o3/common/di'
import { StoreError } from '@o3/common/errors'
import { defaultNativePort, plugin as nativePlugin } from '@o3/plugin-native'
import { plugin as s3Plugin } from '@o3/plugin-s3'
import { startHost } from '@o3/protocol-bus/host'
import type { OpenMount, PluginEntry } from '@o3/protocol-bus/host'
import { IDENTITIES, STORE, accessLogOf, httpLimitsOf } from '@o3/protocol-bus/module'
import { adminPlugin } from '../admin-plugin.ts'
import type { Health } from '../admin-plugin.ts'
import type { Endpoints } from '../endpoints.ts'
import type { NodeConfig } from '../node-config.ts'
import { withPort } from '../process/ports.ts'
import type { ProcessParts } from '../process/running-process.ts'

export type FrontEndSettings = Pick<NodeConfig, 's3' | 'native' | 'admin' | 'host' | 'stop'>

const defaultAdminPort = 9874

/** S3 last: once it listens, everything behind it is ready. Resolves with where each is reached. */
export async function startFrontEnds(
  graph: Graph,
  parts: ProcessParts,
  { settings, problem }: Health & { readonly settings: FrontEndSettings },
): Promise<Endpoints> {
  const { env, lifecycle, log, metrics } = parts
  const services = {
    store: graph.get(STORE),
    identities: graph.get(IDENTITIES),
    clock: env.clock,
    random: env.random,
    tasks: env.tasks,
    log,
    metrics,
  }
  const plugins: readonly PluginEntry[] = [
    { plugin: adminPlugin({ problem }), config: await withPort(env, settings.admin, defaultAdminPort) },
    { plugin: nativePlugin, config: await withPort(env, settings.native, defaultNativePort) },
    { plugin: s3Plugin, config: settings.s3 },
  ]
  const host = await startHost({
    env,
    services,
    plugins,
    limits: httpLimitsOf(settings.host),
    accessLog: accessLogOf(settings.host),
  })
  await lifecycle.start('front ends', { start: () => {}, stop: () => host.stop(settings.stop.deadline / 2) })
  const { mounts } = host
  return { s3: urlOf(mounts, 's3'), native: urlOf(mounts, 'native'), admin: urlOf(mounts, 'admin') }
}

function urlOf(mounts: readonly OpenMount[], name: string): string {
  const mount = mounts.find((each) => each.name === name)
  if (mount === undefined) throw new StoreError('Internal', `${name} has no listener`)
  const host = mount.host.includes(':') ? `[${mount.host}]` : mount.host
  return `${mount.kind === 'http' ? 'http' : 'o3'}://${host}:${mount.port}`
}
