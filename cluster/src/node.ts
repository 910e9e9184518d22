/**
 * One node: every service in one process, with direct calls behind the interfaces that a cluster will speak over the
 * wire. Read `start` from top to bottom: that is the order in which things come up; they go down in the reverse order.
 */

import { join, resolve } from 'node:path'
import { Graph } from '@o3/common/di'
import { ChunkPool } from '@o3/common/digest/chunks'
import { DigestPool } from '@o3/common/digest/pool'
import type { Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { StoreError, isStoreError } from '@o3/common/errors'
import { openLevelKv } from '@o3/common/kv/level'
import { Lifecycle } from '@o3/common/lifecycle'
import type { StopFailure } from '@o3/common/lifecycle'
import { createLogger } from '@o3/common/log'
import type { RootLogger } from '@o3/common/log'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { addProcessMetrics } from '@o3/common/metrics/process'
import {
  HDDS_BLOCKS,
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  defaultHddsConfig,
  installHdds,
  openDatanode,
  openVerifyPool,
} from '@o3/hdds/module'
import type { LocalDatanode } from '@o3/hdds/module'
import {
  OM,
  OM_CONFIG,
  OM_ENV,
  OM_LOG,
  OM_RECONCILERS,
  OM_SCM,
  OM_STORE,
  defaultOmConfig,
  installOm,
  omRules,
} from '@o3/om/module'
import { startHost } from '@o3/protocol-bus/host'
import type { OpenMount, PluginEntry } from '@o3/protocol-bus/host'
import {
  BUS_BLOCKS,
  BUS_CHUNKS,
  BUS_CONFIG,
  BUS_DIGESTS,
  BUS_ENV,
  BUS_KEYRING,
  BUS_LOG,
  BUS_OM,
  BUS_SCM,
  IDENTITIES,
  STORE,
  accessLogOf,
  chunkSizeBytes,
  httpLimitsOf,
  installProtocolBus,
  maxChunksOf,
  storeConfigOf,
} from '@o3/protocol-bus/module'
import { createKeyring } from '@o3/protocol-bus/store'
import { defaultNativePort, plugin as nativePlugin } from '@o3/plugin-native'
import { plugin as s3Plugin } from '@o3/plugin-s3'
import { SCM, SCM_CONFIG, SCM_ENV, SCM_LOG, SCM_STORE, defaultScmConfig, installScm, scmRules } from '@o3/scm/module'
import { adminPlugin } from './admin-plugin.ts'
import { credentialsPath, installAdministrator, settleCredentials } from './administrator.ts'
import type { AdministratorCredentials } from './administrator.ts'
import type { BannerFacts } from './banner.ts'
import { openDataDirectory } from './data-directory.ts'
import type { DataDirectory } from './data-directory.ts'
import { writeEndpoints } from './endpoints.ts'
import { refuseLostDisks, rememberDisks } from './known-disks.ts'
import type { NodeConfig } from './node-config.ts'
import { openStore } from './stores.ts'

export interface RunningNode {
  readonly facts: BannerFacts
  /** Settles when something failed that the node cannot go on without; the caller stops it then. */
  readonly failed: Promise<Error>
  /** Drains and stops everything, in order, each part within the configured deadline. Idempotent. */
  stop(): Promise<readonly StopFailure[]>
}

export interface StartOptions {
  /** Called at every named fault site; crash tests kill the process in it. */
  readonly onSite?: ((site: string) => void) | undefined
}

/** SCM writes little; a short log file makes the first start quick. */
const scmSegmentBytes = 8 * 1024 ** 2

/**
 * Starts a node. When a part fails to start, what had started is stopped, and its error is thrown: `Busy` when the
 * directory or a port is taken, `Incompatible` for a directory that is not ours, `Damaged` with path and offset.
 */
export async function startNode(config: NodeConfig, options: StartOptions = {}): Promise<RunningNode> {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<Error>((settle) => {
    fail = settle
  })
  const env = nodeEnv({
    ...(options.onSite === undefined ? {} : { onSite: options.onSite }),
    onTaskFailure: (name, error) => fail(new Error(`the task ${name} failed`, { cause: error })),
  })
  const path = resolve(config.data.directory)
  const directory = await openDataDirectory(env, path)
  try {
    for (const listening of [config.s3, config.native, config.admin]) await tryPort(env, listening)
  } catch (error) {
    await directory.release()
    throw error
  }
  const logFile = config.log.file ?? join(path, 'o3.log')
  const log = createLogger({
    level: config.log.level,
    format: config.log.format,
    destination: logFile === '-' ? 'stderr' : { path: logFile },
    clock: env.clock,
  })
  const lifecycle = new Lifecycle({ clock: env.clock, log, stopDeadlineMs: config.stop.deadline })
  const stop = async (): Promise<readonly StopFailure[]> => {
    const failures = await lifecycle.stop()
    await log.flush()
    return failures
  }
  void failed.then((error) => log.error({ error }, 'the node cannot go on'))
  try {
    await lifecycle.start('data directory', { start: () => {}, stop: () => directory.release() })
    const facts = await new NodeStart({ env, config, log, directory, lifecycle, logFile }).run()
    return { facts, failed, stop }
  } catch (error) {
    log.error({ error }, 'the node did not start')
    await stop()
    throw error
  }
}

interface NodeParts {
  readonly env: Env
  readonly config: NodeConfig
  readonly log: RootLogger
  readonly directory: DataDirectory
  readonly lifecycle: Lifecycle
  readonly logFile: string
}

class NodeStart {
  private readonly parts: NodeParts
  private readonly graph = new Graph()
  private readonly metrics: Metrics = createMetrics()

  constructor(parts: NodeParts) {
    this.parts = parts
  }

  async run(): Promise<BannerFacts> {
    const { env, config, directory } = this.parts
    const removeProcessMetrics = addProcessMetrics(this.metrics)
    await this.parts.lifecycle.start('process metrics', { start: () => {}, stop: removeProcessMetrics })
    const credentials = await settleCredentials(env, directory.path, config.root)
    await this.startScm()
    const datanode = await this.startHdds()
    await this.startOm()
    await this.startStore()
    const keyring = this.graph.get(BUS_KEYRING)
    const om = this.graph.get(OM)
    await installAdministrator({ env, directory: directory.path, om, keyring }, credentials)
    const mounts = await this.startFrontEnds(() => problemOf(datanode, this.graph))
    return this.facts(mounts, credentials)
  }

  private async startScm(): Promise<void> {
    const { env, config, log, lifecycle, directory } = this.parts
    const opened = await openStore({
      env,
      directory: join(directory.path, 'scm'),
      rules: scmRules,
      log,
      cacheBytes: 16 * 1024 ** 2,
      checkpointBytes: 16 * 1024 ** 2,
      segmentBytes: scmSegmentBytes,
    })
    await lifecycle.start('scm store', { start: () => {}, stop: () => opened.close() })
    this.graph
      .value(SCM_ENV, env)
      .value(SCM_LOG, log.child({ service: 'scm' }))
      .value(SCM_CONFIG, { ...defaultScmConfig, containerBytes: config.scm.containerSize })
      .value(SCM_STORE, opened.store)
    installScm(this.graph)
    await lifecycle.start('scm', { start: () => this.graph.get(SCM).start(), stop: () => {} })
  }

  private async startHdds(): Promise<LocalDatanode> {
    const { env, config, log, lifecycle, directory } = this.parts
    const hddsConfig = {
      ...defaultHddsConfig,
      reserveBytes: config.data.reserve,
      scrubDeadlineMs: config.hdds.scrub,
      compactIntervalMs: config.hdds.compactInterval,
    }
    const disks = config.data.disks.length > 0 ? config.data.disks : [join(directory.path, 'disk')]
    const paths = disks.map((disk) => resolve(disk))
    await refuseLostDisks(env, directory.path, paths)
    const verifier = openVerifyPool()
    await lifecycle.start('verification threads', { start: () => {}, stop: () => verifier.close() })
    const datanode = await openDatanode({
      env,
      disks: paths,
      clusterId: directory.identity.clusterId,
      datanodeId: directory.identity.datanodeId,
      config: hddsConfig,
      log: log.child({ service: 'hdds' }),
      metrics: this.metrics,
      verifier,
      openKv: (path) => openLevelKv(path, { cacheBytes: 32 * 1024 ** 2 }),
    })
    await lifecycle.start('datanode', { start: () => {}, stop: () => datanode.close() })
    await rememberDisks(env, directory.path, datanode.disks())
    this.graph
      .value(HDDS_ENV, env)
      .value(HDDS_LOG, log.child({ service: 'hdds' }))
      .value(HDDS_CONFIG, hddsConfig)
      .value(HDDS_DATANODE, datanode)
      .build(HDDS_SCM, (graph) => graph.get(SCM))
    installHdds(this.graph)
    const reconcilers = this.graph.get(HDDS_RECONCILERS)
    await lifecycle.start('datanode reconcilers', { start: () => reconcilers.start(), stop: () => reconcilers.stop() })
    return datanode
  }

  private async startOm(): Promise<void> {
    const { env, config, log, lifecycle, directory } = this.parts
    const opened = await openStore({
      env,
      directory: join(directory.path, 'om'),
      rules: omRules,
      log,
      cacheBytes: config.om.cache,
      checkpointBytes: config.om.checkpoint,
      segmentBytes: config.om.segment,
    })
    await lifecycle.start('om store', { start: () => {}, stop: () => opened.close() })
    this.graph
      .value(OM_ENV, env)
      .value(OM_LOG, log.child({ service: 'om' }))
      .value(OM_CONFIG, { ...defaultOmConfig, blockDeletionDelayMs: config.om.deletionDelay })
      .value(OM_STORE, opened.store)
      .build(OM_SCM, (graph) => graph.get(SCM))
    installOm(this.graph)
    const reconcilers = this.graph.get(OM_RECONCILERS)
    await lifecycle.start('om reconcilers', { start: () => reconcilers.start(), stop: () => reconcilers.stop() })
  }

  private async startStore(): Promise<void> {
    const { env, config, log, lifecycle, directory } = this.parts
    const keyring = createKeyring({ current: directory.sealingKey }, env.random)
    const digests = new DigestPool()
    await lifecycle.start('digest workers', { start: () => {}, stop: () => digests.close() })
    this.graph
      .value(BUS_ENV, env)
      .value(BUS_LOG, log.child({ service: 'store' }))
      .value(BUS_CONFIG, storeConfigOf(config.store))
      .value(BUS_KEYRING, keyring)
      .value(BUS_CHUNKS, new ChunkPool({ chunkSizeBytes, maxChunks: maxChunksOf(config.store) }))
      .value(BUS_DIGESTS, digests)
      .build(BUS_OM, (graph) => graph.get(OM))
      .build(BUS_BLOCKS, (graph) => graph.get(HDDS_BLOCKS))
      .build(BUS_SCM, (graph) => graph.get(SCM))
    installProtocolBus(this.graph)
    const store = this.graph.get(STORE)
    await lifecycle.start('store', { start: () => {}, stop: () => store.close() })
  }

  /** S3 last: once it listens, everything behind it is ready. */
  private async startFrontEnds(problem: () => string | undefined): Promise<readonly OpenMount[]> {
    const { env, lifecycle, log, config } = this.parts
    const services = {
      store: this.graph.get(STORE),
      identities: this.graph.get(IDENTITIES),
      clock: env.clock,
      random: env.random,
      tasks: env.tasks,
      log,
      metrics: this.metrics,
    }
    const plugins: readonly PluginEntry[] = [
      { plugin: adminPlugin({ problem }), config: await withPort(env, config.admin, defaultAdminPort) },
      { plugin: nativePlugin, config: await withPort(env, config.native, defaultNativePort) },
      { plugin: s3Plugin, config: config.s3 },
    ]
    const host = await startHost({
      env,
      services,
      plugins,
      limits: httpLimitsOf(config.host),
      accessLog: accessLogOf(config.host),
    })
    await lifecycle.start('front ends', { start: () => {}, stop: () => host.stop(config.stop.deadline / 2) })
    return host.mounts
  }

  private async facts(mounts: readonly OpenMount[], credentials: AdministratorCredentials): Promise<BannerFacts> {
    const { directory, config, logFile, env } = this.parts
    const url = (name: string): string => {
      const mount = mounts.find((each) => each.name === name)
      if (mount === undefined) throw new StoreError('Internal', `${name} has no listener`)
      const host = mount.host.includes(':') ? `[${mount.host}]` : mount.host
      return `${mount.kind === 'http' ? 'http' : 'o3'}://${host}:${mount.port}`
    }
    const endpoints = { s3: url('s3'), native: url('native'), admin: url('admin') }
    await writeEndpoints(env, directory.path, endpoints)
    return {
      endpoint: endpoints.s3,
      native: endpoints.native,
      admin: endpoints.admin,
      directory: directory.path,
      region: config.s3.region,
      credentials,
      credentialsFile: credentialsPath(directory.path),
      logFile: logFile === '-' ? 'standard error' : logFile,
    }
  }
}

const defaultAdminPort = 9874

interface Listening {
  readonly host: string
  readonly port: number | undefined
}

/** A port that somebody asked for and cannot have ends a start before anything is opened: nothing was changed then. */
async function tryPort(env: Env, { host, port }: Listening): Promise<void> {
  if (port === undefined) return
  const probe = await env.network.listen({ kind: 'tcp', host, port }, (connection) => void connection.close())
  await probe.close()
}

/** A port that nobody asked for may be taken by another node of the same machine: then any free one will do. */
async function withPort(env: Env, { host, port }: Listening, preferred: number): Promise<Record<string, unknown>> {
  if (port !== undefined) return { host, port }
  try {
    await tryPort(env, { host, port: preferred })
    return { host, port: preferred }
  } catch (error) {
    if (!isStoreError(error, 'Busy')) throw error
    return { host, port: 0 }
  }
}

/** What `/readyz` answers with 503. A full disk is not among it: reads and deletes go on. */
function problemOf(datanode: LocalDatanode, graph: Graph): string | undefined {
  for (const [name, store] of [
    ['om', graph.get(OM_STORE)],
    ['scm', graph.get(SCM_STORE)],
  ] as const) {
    const { failed } = store.status()
    if (failed !== undefined) return `the log of ${name} has failed: ${failed.message}`
  }
  const failed = datanode.disks().find((disk) => disk.state === 'failed')
  return failed === undefined ? undefined : `the disk ${failed.path} has failed`
}
