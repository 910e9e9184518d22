/**
 * What the bus is made of. The caller binds `BUS_ENV`, `BUS_LOG`, `BUS_CONFIG`, `BUS_OM`, `BUS_BLOCKS`, `BUS_SCM`,
 * `BUS_KEYRING`, `BUS_CHUNKS` and `BUS_DIGESTS`, closes the digest pool after the store, and starts the host of the front
 * ends itself (`startHost`), last of all.
 */

import type { Graph } from '@o3/common/di'
import { createIdentities } from './store/identities.ts'
import { createStore } from './store/store.ts'
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
} from './tokens.ts'

export * from './tokens.ts'
export {
  accessLogOf,
  chunkSizeBytes,
  hostSection,
  httpLimitsOf,
  maxChunksOf,
  storeConfigOf,
  storeSection,
} from './config.ts'
export type { HostSettings, StoreSettings } from './config.ts'

/** Binds `STORE` and `IDENTITIES`. The store needs no start; its `close` ends its leases. */
export function installProtocolBus(graph: Graph): void {
  graph.build(STORE, (parts) =>
    createStore({
      om: parts.get(BUS_OM),
      blocks: parts.get(BUS_BLOCKS),
      scm: parts.get(BUS_SCM),
      env: parts.get(BUS_ENV),
      log: parts.get(BUS_LOG),
      chunks: parts.get(BUS_CHUNKS),
      digests: parts.get(BUS_DIGESTS),
      keyring: parts.get(BUS_KEYRING),
      config: parts.get(BUS_CONFIG),
    }),
  )
  graph.build(IDENTITIES, (parts) =>
    createIdentities({ om: parts.get(BUS_OM), keyring: parts.get(BUS_KEYRING), clock: parts.get(BUS_ENV).clock }),
  )
}
