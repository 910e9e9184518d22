/** `o3 om`: a process that keeps the names. */

import { serveOm } from '@o3/om/rpc'
import { OM, OM_SCM, OM_STORE } from '@o3/om/module'
import { RemoteScm } from '@o3/scm/client'
import { startOm } from '../parts/om.ts'
import { logProblem } from '../parts/problems.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { OmRoleConfig } from './role-config.ts'
import { groupClient, refuseManyVoters } from './group.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions } from './role-process.ts'

export function startOmRole(config: OmRoleConfig, options: RoleOptions): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'om', settings: config }, options, async (seat) => {
    const { graph, cluster, directory } = seat
    refuseManyVoters('om', cluster.om.length)
    graph.value(OM_SCM, new RemoteScm(await groupClient(seat, 'scm')))
    await startOm(graph, seat, { directory, settings: config.om })
    const store = graph.get(OM_STORE)
    return {
      methods: serveOm(graph.get(OM)),
      isLeader: () => store.status().role === 'leader',
      problem: () => logProblem('om', store),
    }
  })
}
