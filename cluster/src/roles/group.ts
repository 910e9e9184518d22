/** OM and SCM are groups: several members, one of which leads. */

import { StoreError } from '@o3/common/errors'
import { GroupClient } from '@o3/common/rpc'
import { addressOf } from './role-process.ts'
import type { Seat } from './role-process.ts'

/**
 * The one place that keeps groups at one member: the replicated store has one voter in this release. When it takes
 * more, this function and its calls go.
 */
export function refuseManyVoters(name: 'om' | 'scm', members: number): void {
  if (members <= 1) return
  throw new StoreError('NotImplemented', `${name} has ${members} members; this release runs one per group`)
}

/** To whoever leads the group; closed with the process. */
export async function groupClient(seat: Seat, name: 'om' | 'scm'): Promise<GroupClient> {
  const { env, lifecycle, cluster, authentication } = seat
  const members = cluster[name].map((member) => ({ id: member.id, address: addressOf(member) }))
  const client = new GroupClient({ env, name, members, authentication })
  await lifecycle.start(`client of ${name}`, { start: () => {}, stop: () => client.close() })
  return client
}
