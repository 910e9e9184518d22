/** `o3 scm`: a process that knows the datanodes and gives out blocks. */

import { serveScm } from '@o3/scm/rpc'
import { SCM, SCM_STORE } from '@o3/scm/module'
import { logProblem } from '../parts/problems.ts'
import { startScm } from '../parts/scm.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { ScmRoleConfig } from './role-config.ts'
import { refuseManyVoters } from './group.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions } from './role-process.ts'

export function startScmRole(config: ScmRoleConfig, options: RoleOptions): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'scm', settings: config }, options, async (seat) => {
    const { graph, cluster, directory } = seat
    refuseManyVoters('scm', cluster.scm.length)
    await startScm(graph, seat, { directory, settings: config.scm })
    const store = graph.get(SCM_STORE)
    return {
      methods: serveScm(graph.get(SCM)),
      isLeader: () => store.status().role === 'leader',
      problem: () => logProblem('scm', store),
    }
  })
}
