/** The store of the native interface: names and bytes as one. */

import type { Graph } from '@o3/common/di'
import { ChunkPool } from '@o3/common/digest/chunks'
import { DigestPool } from '@o3/common/digest/pool'
import {
  BUS_CHUNKS,
  BUS_CONFIG,
  BUS_DIGESTS,
  BUS_ENV,
  BUS_KEYRING,
  BUS_LOG,
  STORE,
  chunkSizeBytes,
  installProtocolBus,
  maxChunksOf,
  storeConfigOf,
} from '@o3/protocol-bus/module'
import type { StoreSettings } from '@o3/protocol-bus/module'
import type { ReplicationConfig } from '@o3/protocol-bus/api'
import { createKeyring } from '@o3/protocol-bus/store'
import type { ProcessParts } from '../process/running-process.ts'

export interface StorePartOptions {
  /** 32 bytes. */
  readonly sealingKey: Uint8Array
  readonly settings: StoreSettings
  /** Of buckets whose creator asks for nothing else. */
  readonly replication: ReplicationConfig
}

/** Binds `STORE`, `IDENTITIES` and `BUS_KEYRING`. The caller binds `BUS_OM`, `BUS_BLOCKS` and `BUS_SCM`. */
export async function startStore(graph: Graph, parts: ProcessParts, options: StorePartOptions): Promise<void> {
  const { env, log, lifecycle } = parts
  const { sealingKey, settings, replication } = options
  const digests = new DigestPool()
  await lifecycle.start('digest workers', { start: () => {}, stop: () => digests.close() })
  graph
    .value(BUS_ENV, env)
    .value(BUS_LOG, log.child({ service: 'store' }))
    .value(BUS_CONFIG, storeConfigOf(settings, replication))
    .value(BUS_KEYRING, createKeyring({ current: sealingKey }, env.random))
    .value(BUS_CHUNKS, new ChunkPool({ chunkSizeBytes, maxChunks: maxChunksOf(settings) }))
    .value(BUS_DIGESTS, digests)
  installProtocolBus(graph)
  const store = graph.get(STORE)
  await lifecycle.start('store', { start: () => {}, stop: () => store.close() })
}
