/** The real store over OM, SCM and a datanode, all in one process, on whatever environment a test gives it. */

import { Graph } from '@o3/common/di'
import { ChunkPool } from '@o3/common/digest/chunks'
import { DigestPool } from '@o3/common/digest/pool'
import type { Env } from '@o3/common/env'
import type { KvStore } from '@o3/common/kv'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { createMetrics } from '@o3/common/metrics'
import {
  HDDS_BLOCKS,
  HDDS_CONFIG,
  HDDS_DATANODE,
  HDDS_ENV,
  HDDS_LOG,
  HDDS_RECONCILERS,
  HDDS_SCM,
  HDDS_SERVED,
  HDDS_VOUCHING,
  defaultHddsConfig,
  installHdds,
  openDatanode,
} from '@o3/hdds/module'
import type { HddsConfig } from '@o3/hdds/module'
import { BlockClient, RemoteDatanode } from '@o3/hdds/client'
import { datanodeRpcLimits, serveDatanode } from '@o3/hdds/rpc'
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
import type { OmConfig } from '@o3/om/module'
import type { ServedOm } from '@o3/om/rpc'
import type { OmClient } from '@o3/om/api'
import type { Identities, O3Store } from '@o3/protocol-bus/api'
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
  installProtocolBus,
} from '@o3/protocol-bus/module'
import { createKeyring, sealingKeyBytes } from '@o3/protocol-bus/store'
import type { Keyring, StoreConfig } from '@o3/protocol-bus/store'
import { openReplicatedStore } from '@o3/ratis/store'
import type { StoreOptions as RatisOptions } from '@o3/ratis/store'
import {
  SCM,
  SCM_CONFIG,
  SCM_ENV,
  SCM_LOG,
  SCM_SEALING,
  SCM_STORE,
  defaultScmConfig,
  installScm,
  scmRules,
} from '@o3/scm/module'
import type { Scm } from '@o3/scm/api'
import type { ScmConfig } from '@o3/scm/module'

export interface ComposedOptions {
  readonly env: Env
  readonly openKv: (path: string) => Promise<KvStore>
  readonly om?: Partial<OmConfig>
  /** Stands between the store and its OM. */
  readonly away?: (om: ServedOm) => OmClient
  /** Bytes go over a simulated network: the datanode is served here, and called from the machine of `caller`. */
  readonly wire?: { readonly host: string; readonly caller: Env }
  readonly scm?: Partial<ScmConfig>
  readonly hdds?: Partial<HddsConfig>
  readonly store?: Partial<StoreConfig>
  /** For both replicated stores. */
  readonly ratis?: Partial<Pick<RatisOptions<never, never>, 'log' | 'checkpoint' | 'cacheBytes'>>
  readonly chunkSizeBytes?: number
  /** Every body is hashed on the loop: in a simulation there are no threads. */
  readonly hashInline?: boolean
}

export interface ComposedStore {
  readonly store: O3Store
  readonly identities: Identities
  /** What a full count of OM finds wrong. */
  audit(): Promise<readonly string[]>
  readonly scm: Scm
  /** Of `wire`. */
  readonly datanode: RemoteDatanode | undefined
  close(): Promise<void>
}

const log = nullLogger

/** In a test's memory nothing is gained by writing zeros ahead. */
const smallLog = { log: { segmentBytes: 1024 * 1024 } }
const smallHdds: Partial<HddsConfig> = { preallocateBytes: 64 * 1024, reserveBytes: 64 * 1024 }

/** Opens, or opens again, what lies on the environment's disk. */
export async function openComposedStore(options: ComposedOptions): Promise<ComposedStore> {
  const graph = new Graph()
  const closing: (() => Promise<unknown>)[] = []
  await startScm(graph, options, closing)
  await startHdds(graph, options, closing)
  await startOm(graph, options, closing)
  const datanode = await serveBytes(graph, options, closing)
  startBus(graph, options, { closing, datanode })
  const om = graph.get(OM)
  return {
    store: graph.get(STORE),
    identities: graph.get(IDENTITIES),
    audit: () => om.audit(),
    scm: graph.get(SCM),
    datanode,
    async close() {
      for (const close of closing.toReversed()) await close()
    },
  }
}

type Closing = (() => Promise<unknown>)[]

async function startScm(graph: Graph, options: ComposedOptions, closing: Closing): Promise<void> {
  const { env, openKv, ratis } = options
  const kv = await openKv('scm/db')
  const store = await openReplicatedStore({ ...smallLog, ...ratis, env, directory: 'scm', rules: scmRules, kv })
  closing.push(async () => {
    await store.close()
    await kv.close()
  })
  graph
    .value(SCM_ENV, env)
    .value(SCM_LOG, log)
    .value(SCM_CONFIG, { ...defaultScmConfig, ...options.scm })
    .value(SCM_SEALING, testKeyring(env))
    .value(SCM_STORE, store)
  installScm(graph)
  await graph.get(SCM).start()
}

async function startHdds(graph: Graph, options: ComposedOptions, closing: Closing): Promise<void> {
  const { env, openKv } = options
  const config: HddsConfig = { ...defaultHddsConfig, ...smallHdds, ...options.hdds }
  const datanode = await openDatanode({
    env,
    disks: ['disk'],
    clusterId: 'cluster',
    datanodeId: 'datanode',
    config,
    log,
    metrics: createMetrics(),
    openKv,
  })
  closing.push(() => datanode.close())
  graph
    .value(HDDS_ENV, env)
    .value(HDDS_LOG, log)
    .value(HDDS_CONFIG, config)
    .value(HDDS_DATANODE, datanode)
    .build(HDDS_SCM, (parts) => parts.get(SCM))
  installHdds(graph)
  const reconcilers = graph.get(HDDS_RECONCILERS)
  reconcilers.start()
  closing.push(() => reconcilers.stop())
  // SCM hands out no block before the datanode has registered.
  while (!(await graph.get(SCM).listNodes()).some(({ health }) => health === 'HEALTHY')) await env.clock.sleep(5)
}

async function startOm(graph: Graph, options: ComposedOptions, closing: Closing): Promise<void> {
  const { env, openKv, ratis } = options
  const kv = await openKv('om/db')
  const store = await openReplicatedStore({ ...smallLog, ...ratis, env, directory: 'om', rules: omRules, kv })
  closing.push(async () => {
    await store.close()
    await kv.close()
  })
  graph
    .value(OM_ENV, env)
    .value(OM_LOG, log)
    .value(OM_CONFIG, { ...defaultOmConfig, ...options.om })
    .value(OM_STORE, store)
    .build(OM_SCM, (parts) => parts.get(SCM))
  installOm(graph)
  const reconcilers = graph.get(OM_RECONCILERS)
  reconcilers.start()
  closing.push(() => reconcilers.stop())
}

function testKeyring({ random }: Env): Keyring {
  return createKeyring({ current: new Uint8Array(sealingKeyBytes).fill(7) }, random)
}

async function serveBytes(
  graph: Graph,
  { env, wire }: ComposedOptions,
  closing: Closing,
): Promise<RemoteDatanode | undefined> {
  if (wire === undefined) return undefined
  const server = new RpcServer<unknown>({
    ...env,
    log,
    methods: serveDatanode(graph.get(HDDS_SERVED), { clock: env.clock, tokens: graph.get(HDDS_VOUCHING) }),
    authentication: trustedServer,
    limits: datanodeRpcLimits,
  })
  closing.push(() => server.close(0))
  const address = await server.listen({ kind: 'tcp', host: wire.host, port: 9_861 })
  const datanode = new RemoteDatanode({ env: wire.caller, id: 'datanode', address, authentication: trustedClient })
  closing.push(async () => datanode.close())
  return datanode
}

function startBus(
  graph: Graph,
  options: ComposedOptions,
  { closing, datanode }: { readonly closing: Closing; readonly datanode: RemoteDatanode | undefined },
): void {
  const { env, away = (om: OmClient) => om, chunkSizeBytes = 256 * 1024, hashInline = false } = options
  const digests = new DigestPool(hashInline ? { inlineThresholdBytes: Infinity } : {})
  closing.push(() => digests.close())
  graph
    .value(BUS_ENV, env)
    .value(BUS_LOG, log)
    .value(BUS_CONFIG, {
      blockBytes: 4 * chunkSizeBytes,
      maxBodyBytes: 5 * 1024 ** 3,
      leaseBlocks: 16,
      replication: 'RATIS/ONE',
      ...options.store,
    })
    .value(BUS_CHUNKS, new ChunkPool({ chunkSizeBytes, maxChunks: 16 }))
    .value(BUS_DIGESTS, digests)
    .value(BUS_KEYRING, testKeyring(env))
    .build(BUS_OM, (parts) => away(parts.get(OM)))
    .build(BUS_BLOCKS, (parts) => {
      if (datanode === undefined) return parts.get(HDDS_BLOCKS)
      return new BlockClient({ env, locations: parts.get(SCM), datanode: () => datanode })
    })
    .build(BUS_SCM, (parts) => parts.get(SCM))
  installProtocolBus(graph)
  const store = graph.get(STORE)
  closing.push(() => store.close())
}
