import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { membersOf } from '../cluster-file/cluster-file.ts'
import type { Role } from '../cluster-file/cluster-file.ts'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { readAuthority } from './authority.ts'
import { makeToken } from './join-token.ts'

export interface WantedToken {
  readonly role: Role
  readonly id: string
  readonly validForMs: number
}

/**
 * A token by which a process of the cluster file gets its first certificate, once. `InvalidArgument` for a member that the
 * file has not, or where the authority's key is not.
 */
export async function makeJoinToken(env: Env, cluster: ClusterAtHome, wanted: WantedToken): Promise<string> {
  const { role, id, validForMs } = wanted
  if (!membersOf(cluster, role).some((member) => member.id === id)) {
    throw new StoreError(
      'InvalidArgument',
      `the cluster file has no ${role} ${id}: write down first where it will listen`,
    )
  }
  const authority = await readAuthority(env, cluster)
  if (authority === undefined) {
    throw new StoreError('InvalidArgument', `${cluster.caKey} is not here, and nothing else can make a token`)
  }
  return makeToken(authority, {
    name: { clusterId: cluster.clusterId, role, id },
    expiresMs: env.clock.wallMs() + validForMs,
    id: Buffer.from(env.random.bytes(16)).toString('hex'),
  })
}
