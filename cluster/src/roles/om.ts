/** `o3 om`: a process that keeps the names, one member of the group that does. */

import { assert } from '@o3/common/errors'
import { serveOm } from '@o3/om/rpc'
import { OM, OM_SCM, OM_STORE } from '@o3/om/module'
import { RemoteScm } from '@o3/scm/client'
import { startOm } from '../parts/om.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { OmRoleConfig } from './role-config.ts'
import { serveGroup } from './group-admin.ts'
import { groupClient, joinGroup, membershipOf, namingLeaders } from './group.ts'
import { askMembers, watchMember } from './member-watch.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions } from './role-process.ts'

export function startOmRole(config: OmRoleConfig, options: RoleOptions): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'om', settings: config }, options, async (seat) => {
    const { graph, directory } = seat
    graph.value(OM_SCM, new RemoteScm(await groupClient(seat, 'scm')))
    const { place, methods, damage } = await joinGroup(seat, 'om', config.om.segment)
    const consensus = await startOm(graph, seat, { directory, settings: config.om, place })
    assert(consensus !== undefined, 'a store with a place is a member')
    const store = graph.get(OM_STORE)
    const problem = await watchMember({
      ...seat,
      name: 'om',
      consensus,
      store,
      damage,
      ask: askMembers(seat, 'om', consensus),
    })
    return {
      methods: {
        ...namingLeaders(
          { ...serveOm(graph.get(OM)), ...serveGroup(consensus, store, () => damage() !== undefined) },
          consensus,
          damage,
        ),
        ...methods,
      },
      membership: membershipOf(consensus, seat),
      problem,
    }
  })
}
