import { token } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ScmDatanodeProtocol, ScmLocationProtocol } from '@o3/scm/api'
import type { BlockStore } from './api/api.ts'
import type { HddsConfig } from './config.ts'
import type { Reconcilers } from './reconcilers/reconcilers.ts'
import type { LocalDatanode } from './service/local-datanode.ts'

export const HDDS_ENV = token<Env>('hdds.env')
export const HDDS_LOG = token<Logger>('hdds.log')
export const HDDS_CONFIG = token<HddsConfig>('hdds.config')
export const HDDS_SCM = token<ScmDatanodeProtocol & ScmLocationProtocol>('hdds.scm')
/** Opened by `openDatanode`. */
export const HDDS_DATANODE = token<LocalDatanode>('hdds.datanode')
export const HDDS_RECONCILERS = token<Reconcilers>('hdds.reconcilers')
/** The block client: what the store above uses. */
export const HDDS_BLOCKS = token<BlockStore>('hdds.blocks')
