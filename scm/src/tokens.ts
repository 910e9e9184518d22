import { token } from '@o3/common/di'
import type { Env } from '@o3/common/env'
import type { Keyring } from '@o3/common/keyring'
import type { Logger } from '@o3/common/log'
import type { ReplicatedStore } from '@o3/ratis/api'
import type { ScmConfig } from './config.ts'
import type { ScmCommand, ScmReply } from './core/command.ts'
import type { ScmService } from './service/scm-service.ts'

export const SCM_ENV = token<Env>('scm.env')
export const SCM_LOG = token<Logger>('scm.log')
export const SCM_CONFIG = token<ScmConfig>('scm.config')
export const SCM_STORE = token<ReplicatedStore<ScmCommand, ScmReply>>('scm.store')
/** The cluster's sealing key: the secret keys are written down under it. */
export const SCM_SEALING = token<Keyring>('scm.sealing')
export const SCM = token<ScmService>('scm')
