import { token } from '@o3/common/di'
import type { ChunkPool } from '@o3/common/digest/chunks'
import type { DigestPool } from '@o3/common/digest/pool'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { BlockStore } from '@o3/hdds/api'
import type { OmClient } from '@o3/om/api'
import type { Identities } from './api/api.ts'
import type { Keyring } from '@o3/common/keyring'
import type { RunningStore, StoreConfig, StoreOptions } from './store/store.ts'

export const BUS_ENV = token<Env>('bus.env')
export const BUS_LOG = token<Logger>('bus.log')
export const BUS_CONFIG = token<StoreConfig>('bus.config')
export const BUS_OM = token<OmClient>('bus.om')
export const BUS_BLOCKS = token<BlockStore>('bus.blocks')
export const BUS_SCM = token<StoreOptions['scm']>('bus.scm')
export const BUS_KEYRING = token<Keyring>('bus.keyring')
export const BUS_CHUNKS = token<ChunkPool>('bus.chunks')
export const BUS_DIGESTS = token<DigestPool>('bus.digests')
export const STORE = token<RunningStore>('bus.store')
export const IDENTITIES = token<Identities>('bus.identities')
