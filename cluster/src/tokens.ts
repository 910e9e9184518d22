import { token } from '@o3/common/di'
import type { Identities } from '@o3/protocol-bus/api'
import type { Keyring, RunningStore } from '@o3/protocol-bus/store'

export const KEYRING = token<Keyring>('cluster.keyring')
export const STORE = token<RunningStore>('cluster.store')
export const IDENTITIES = token<Identities>('cluster.identities')
