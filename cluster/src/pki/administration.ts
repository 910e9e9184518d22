/** The administrator's end of the wire: `o3 cluster` and `o3 admin`, where the cluster file lies. */

import { dirname, join } from 'node:path'
import type { Env } from '@o3/common/env'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { settleIdentity } from './identity.ts'
import type { Holder } from './identity.ts'
import { Wire } from './wire.ts'

/** Beside the authority's certificate; who can read it may ask every process, and stop them. */
export function adminHolder(cluster: ClusterAtHome): Holder {
  const { clusterId } = cluster
  return {
    authority: cluster,
    name: { clusterId, role: 'admin', id: 'admin' },
    file: join(dirname(cluster.ca), 'admin.pem'),
  }
}

/** `InvalidArgument` where the administrator has no identity and none can be made; `Damaged`. */
export async function adminWire(env: Env, cluster: ClusterAtHome): Promise<Wire> {
  const identity = await settleIdentity(env, adminHolder(cluster))
  return new Wire({ env, identity, revoked: cluster.revoked })
}
