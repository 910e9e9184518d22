/** The native interface over names (OM) and bytes (HDDS). */

import type { ChunkPool } from '@o3/common/digest/chunks'
import type { DigestPool } from '@o3/common/digest/pool'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { BlockStore } from '@o3/hdds/api'
import type { OmClient } from '@o3/om/api'
import type { ScmAdminProtocol } from '@o3/scm/api'
import type { Foreseen, O3Store, Principal, ReplicationConfig } from '../api/api.ts'
import { BodyReader } from './body-reader.ts'
import { BodyWriter } from './body-writer.ts'
import type { Keyring } from '@o3/common/keyring'
import { LeaseHolders } from './lease-holders.ts'
import { Namespace } from './namespace.ts'
import { OwnTokens } from './own-tokens.ts'
import type { StoreParts } from './parts.ts'
import { RequestOm } from './request-om.ts'
import { RequestRows, isDistant } from './request-rows.ts'
import { Rights } from './rights.ts'
import { StoreSession } from './session.ts'
import { VisibleLists } from './visible-lists.ts'

export { createIdentities } from './identities.ts'
export type { IdentitiesOptions } from './identities.ts'
export { newAccessKey } from '../core/access-key.ts'
export { createKeyring, sealingKeyBytes } from '@o3/common/keyring'
export type { Keyring } from '@o3/common/keyring'

export interface StoreOptions {
  readonly om: OmClient
  readonly blocks: BlockStore
  readonly scm: Pick<ScmAdminProtocol, 'summary' | 'listNodes' | 'listContainers'>
  readonly env: Pick<Env, 'clock' | 'random' | 'tasks'>
  readonly log: Logger
  /** The memory that all large bodies pass through together: what bounds it. Chunks of at most 1 MiB. */
  readonly chunks: ChunkPool
  readonly digests: DigestPool
  /** Seals the secrets of new access keys. */
  readonly keyring: Keyring
  readonly config: StoreConfig
}

export interface StoreConfig {
  /** A key larger than this is a row of several blocks. A multiple of the chunk length. */
  readonly blockBytes: number
  /** The same where a key has several replicas. Default: as `blockBytes`. */
  readonly replicatedBlockBytes?: number
  /** For bytes of such blocks until they are durable, of all bodies together. Default: none are kept. */
  readonly replayBytes?: number
  /** One body: a key put at once, or a part. `TooLarge` beyond it. */
  readonly maxBodyBytes: number
  /** Blocks that are leased at once, ahead of need. */
  readonly leaseBlocks: number
  /** Of buckets whose creator asks for nothing else. */
  readonly replication: ReplicationConfig
}

export interface RunningStore extends O3Store {
  /** Ends the leases. What is under way may still finish, and nothing new can be written. Idempotent. */
  close(): Promise<void>
}

export function createStore(options: StoreOptions): RunningStore {
  const { om, env, config } = options
  const blocks = isDistant(om) ? new OwnTokens(options.blocks) : options.blocks
  const leases = new LeaseHolders({
    om,
    clock: env.clock,
    tasks: env.tasks,
    log: options.log,
    holder: `gateway-${env.random.uuid()}`,
    batch: config.leaseBlocks,
  })
  const names = namesOf(om)
  const parts: StoreParts = {
    ...names,
    writer: new BodyWriter({
      blocks,
      leases: (replication) => leases.of(replication),
      chunks: options.chunks,
      digests: options.digests,
      blockBytes: config.blockBytes,
      maxBodyBytes: config.maxBodyBytes,
      ...(config.replicatedBlockBytes === undefined ? {} : { replicatedBlockBytes: config.replicatedBlockBytes }),
      ...(config.replayBytes === undefined ? {} : { replayBytes: config.replayBytes }),
    }),
    reader: new BodyReader({ blocks, clock: env.clock, lookUp: (grant, key) => names.namespace.key(grant, key) }),
    chunks: options.chunks,
    digests: options.digests,
    keyring: options.keyring,
    random: env.random,
    scm: options.scm,
    replication: config.replication,
  }
  const partsFor = isDistant(om)
    ? (foreseen: Foreseen): StoreParts => {
        const rows = RequestRows.of(foreseen, { om, clock: env.clock })
        return { ...parts, ...namesOf(new RequestOm(om, rows)) }
      }
    : () => parts
  return {
    session: (principal: Principal, foreseen?: Foreseen) =>
      new StoreSession(foreseen === undefined ? parts : partsFor(foreseen), principal),
    close: () => leases.close(),
  }
}

/** What reaches names: over OM, or over what one request sees of it. */
function namesOf(om: OmClient): Pick<StoreParts, 'rights' | 'namespace' | 'lists'> {
  const rights = new Rights(om)
  return { rights, namespace: new Namespace(om), lists: new VisibleLists(om, rights) }
}
