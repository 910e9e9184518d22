/** The first certificate of a process on a host that has not the authority's key. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { certificateClient } from '@o3/common/rpc'
import { parseProcessName } from '@o3/common/pki'
import type { ClusterAtHome } from '../cluster-file/read-cluster.ts'
import { addressOf } from '../roles/endpoint.ts'
import { keepIdentity } from './identity.ts'
import type { Holder, Identity } from './identity.ts'
import { readToken } from './join-token.ts'
import { askForCertificate } from './signing.ts'

/**
 * Asks SCM, which proves by the root in the token that it is of the cluster; then the token is used up, and the identity
 * written. `InvalidArgument` for a token that is none or of another process, `AccessDenied` for one that SCM does not take.
 */
export async function joinByToken(env: Env, holder: Holder, cluster: ClusterAtHome, text: string): Promise<Identity> {
  const { name, root } = readToken(text)
  const wanted = holder.name
  if (name.clusterId !== wanted.clusterId || name.role !== wanted.role || name.id !== wanted.id) {
    throw new StoreError(
      'InvalidArgument',
      `the token is for ${name.role} ${name.id} of the cluster ${name.clusterId}, not for ${wanted.role} ${wanted.id} of ${wanted.clusterId}`,
    )
  }
  const { clock, tasks, random } = env
  const network = env.network.secured({ credentials: () => ({ roots: root }) })
  const signed = await askForCertificate({
    env: { network, clock, tasks, random },
    scm: cluster.scm.map((member) => ({ id: member.id, address: addressOf(member) })),
    name,
    token: text,
    authentication: certificateClient(({ certificate }) => {
      const server = certificate === undefined ? undefined : parseProcessName(certificate.name)
      if (server?.role === 'scm' && server.clusterId === name.clusterId) return
      throw new StoreError('Unauthenticated', 'somebody else answers where SCM should')
    }),
  })
  return keepIdentity(env, holder, { ...signed, root })
}
