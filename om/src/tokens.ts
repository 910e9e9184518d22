import { token } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { ScmBlockProtocol, ScmSecretKeyProtocol } from '@o3/scm/api'
import type { OmCommand, OmReply } from './api/api.ts'
import type { OmConfig } from './config.ts'
import type { Reconcilers } from './reconcilers/reconcilers.ts'
import type { OmService } from './service/om-service.ts'

export const OM_ENV = token<Env>('om.env')
export const OM_LOG = token<Logger>('om.log')
export const OM_CONFIG = token<OmConfig>('om.config')
export const OM_STORE = token<ReplicatedStore<OmCommand, OmReply>>('om.store')
export const OM_SCM = token<ScmBlockProtocol & ScmSecretKeyProtocol>('om.scm')
export const OM = token<OmService>('om')
export const OM_RECONCILERS = token<Reconcilers>('om.reconcilers')
