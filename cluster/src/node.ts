/**
 * One node: every service in one process, with direct calls behind the interfaces that a cluster speaks over the wire.
 * Read `startParts` from top to bottom: that is the order in which things come up; they go down in the reverse order.
 */

import { resolve } from 'node:path'
import { Graph } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import { HDDS_BLOCKS, HDDS_SCM } from '@o3/hdds/module'
import { OM, OM_SCM, OM_STORE } from '@o3/om/module'
import { BUS_BLOCKS, BUS_KEYRING, BUS_OM, BUS_SCM } from '@o3/protocol-bus/module'
import { SCM, SCM_STORE } from '@o3/scm/module'
import { credentialsPath, installAdministrator, keepConfigured, settleCredentials } from './administrator.ts'
import type { BannerFacts } from './banner.ts'
import { openDataDirectory } from './data-directory.ts'
import type { DataDirectory } from './data-directory.ts'
import { writeEndpoints } from './endpoints.ts'
import type { NodeConfig } from './node-config.ts'
import { diskProblem, logProblem } from './parts/problems.ts'
import { startDatanode } from './parts/datanode.ts'
import { startFrontEnds } from './parts/front-ends.ts'
import { startOm } from './parts/om.ts'
import { startScm } from './parts/scm.ts'
import { startStore } from './parts/store.ts'
import { tryPort } from './process/ports.ts'
import { logFileOf, startProcess } from './process/running-process.ts'
import type { ProcessParts, RunningProcess } from './process/running-process.ts'

export type RunningNode = RunningProcess<BannerFacts>

export interface StartOptions {
  /** Called at every named fault site; crash tests kill the process in it. */
  readonly onSite?: ((site: string) => void) | undefined
}

/**
 * Starts a node. When a part fails to start, what had started is stopped, and its error is thrown: `Busy` when the
 * directory or a port is taken, `Incompatible` for a directory that is not ours, `Damaged` with path and offset.
 */
export function startNode(config: NodeConfig, options: StartOptions = {}): Promise<RunningNode> {
  const { log, stop } = config
  return startProcess({ log, stop, onSite: options.onSite, claim: (env) => claim(env, config) }, (parts, directory) =>
    startParts(parts, directory, config),
  )
}

async function claim(env: Env, config: NodeConfig): Promise<DataDirectory> {
  const directory = await openDataDirectory(env, resolve(config.data.directory))
  try {
    for (const listening of [config.s3, config.native, config.admin]) await tryPort(env, listening)
    return directory
  } catch (error) {
    await directory.release()
    throw error
  }
}

async function startParts(parts: ProcessParts, directory: DataDirectory, config: NodeConfig): Promise<BannerFacts> {
  const { env } = parts
  const { path, sealingKey } = directory
  const graph = new Graph()
    .build(HDDS_SCM, (services) => services.get(SCM))
    .build(OM_SCM, (services) => services.get(SCM))
    .build(BUS_OM, (services) => services.get(OM))
    .build(BUS_BLOCKS, (services) => services.get(HDDS_BLOCKS))
    .build(BUS_SCM, (services) => services.get(SCM))
  const credentials = await settleCredentials(env, path, config.root)
  await startScm(graph, parts, { directory: path, settings: config.scm, sealingKey })
  const { data, hdds } = config
  const datanode = await startDatanode(graph, parts, {
    ...directory.identity,
    directory: path,
    data,
    settings: hdds,
    lostDisks: 'refuse',
  })
  await startOm(graph, parts, { directory: path, settings: config.om })
  await startStore(graph, parts, { sealingKey, settings: config.store, replication: 'RATIS/ONE' })
  await installAdministrator({ om: graph.get(OM), keyring: graph.get(BUS_KEYRING) }, credentials)
  await keepConfigured(env, path, credentials)
  const stores = { om: graph.get(OM_STORE), scm: graph.get(SCM_STORE) }
  const problem = () => logProblem('om', stores.om) ?? logProblem('scm', stores.scm) ?? diskProblem(datanode)
  const endpoints = await startFrontEnds(graph, parts, { settings: config, problem })
  await writeEndpoints(env, path, endpoints)
  const logFile = logFileOf(path, config.log)
  return {
    endpoint: endpoints.s3,
    native: endpoints.native,
    admin: endpoints.admin,
    directory: path,
    region: config.s3.region,
    credentials,
    credentialsFile: credentialsPath(path),
    logFile: logFile === '-' ? 'standard error' : logFile,
  }
}
