import { token } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ScmDatanodeProtocol, ScmLocationProtocol, ScmSecretKeyProtocol } from '@o3/scm/api'
import type { Vouching } from '@o3/scm/tokens'
import type { BlockStore, Datanode, PipelineMembership, ReplicaSource } from './api/api.ts'
import type { HddsConfig } from './config.ts'
import type { Reconcilers } from './reconcilers/reconcilers.ts'
import type { LocalDatanode } from './service/local-datanode.ts'

export const HDDS_ENV = token<Env>('hdds.env')
export const HDDS_LOG = token<Logger>('hdds.log')
export const HDDS_CONFIG = token<HddsConfig>('hdds.config')
export const HDDS_SCM = token<ScmDatanodeProtocol & ScmLocationProtocol & ScmSecretKeyProtocol>('hdds.scm')
/** Opened by `openDatanode`. */
export const HDDS_DATANODE = token<LocalDatanode>('hdds.datanode')
/** Tokens and proofs, with SCM's keys. */
export const HDDS_VOUCHING = token<Vouching>('hdds.vouching')
/** `HDDS_DATANODE`, which signs for what it writes: for everybody who calls it. */
export const HDDS_SERVED = token<Datanode & PipelineMembership & ReplicaSource>('hdds.served')
export const HDDS_RECONCILERS = token<Reconcilers>('hdds.reconcilers')
/** The block client: what the store above uses. */
export const HDDS_BLOCKS = token<BlockStore>('hdds.blocks')
