/** `o3 scm`: a process that knows the datanodes and gives out blocks, one member of the group that does. */

import { assert } from '@o3/common/errors'
import { serveScm } from '@o3/scm/rpc'
import { SCM, SCM_STORE } from '@o3/scm/module'
import { readSealingKey } from '../cluster-file/read-cluster.ts'
import { scmSegmentBytes, startScm } from '../parts/scm.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { ScmRoleConfig } from './role-config.ts'
import { signingMethods } from '../pki/signing.ts'
import type { ClusterPeer } from '../pki/wire.ts'
import { serveGroup } from './group-admin.ts'
import { joinGroup, membershipOf, namingLeaders } from './group.ts'
import { askMembers, watchMember } from './member-watch.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions } from './role-process.ts'

export function startScmRole(config: ScmRoleConfig, options: RoleOptions): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'scm', settings: config }, options, async (seat) => {
    const { env, log, graph, directory, cluster } = seat
    const sealingKey = await readSealingKey(env, cluster)
    const { place, methods, damage } = await joinGroup(seat, 'scm', scmSegmentBytes)
    const consensus = await startScm(graph, seat, { directory, settings: config.scm, place, sealingKey })
    assert(consensus !== undefined, 'a store with a place is a member')
    const store = graph.get(SCM_STORE)
    const isDatanode = (peer: ClusterPeer, id: string): boolean => peer.role === 'datanode' && peer.id === id
    const served = serveScm(graph.get(SCM), { isDatanode, mayHaveKeys })
    const problem = await watchMember({
      ...seat,
      name: 'scm',
      consensus,
      store,
      damage,
      ask: askMembers(seat, 'scm', consensus),
    })
    return {
      methods: {
        ...namingLeaders(
          { ...served, ...serveGroup(consensus, store, () => damage() !== undefined) },
          consensus,
          damage,
        ),
        ...methods,
        ...signingMethods({ env, log: log.child({ service: 'authority' }), files: cluster, directory }),
      },
      membership: membershipOf(consensus, seat),
      problem,
    }
  })
}

/** Of the processes of a cluster those that make and check tokens; a gateway only passes them on. */
function mayHaveKeys({ role }: ClusterPeer): boolean {
  return role === 'om' || role === 'datanode'
}
