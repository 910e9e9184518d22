/** `o3 datanode`: a process that keeps bytes. */

import { HDDS_SCM, HDDS_SERVED, HDDS_VOUCHING } from '@o3/hdds/module'
import type { ScmMember } from '@o3/hdds/module'
import { datanodeRpcLimits, serveDatanode } from '@o3/hdds/rpc'
import { RemoteScm } from '@o3/scm/client'
import { startDatanode } from '../parts/datanode.ts'
import { diskProblem } from '../parts/problems.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { DatanodeRoleConfig } from './role-config.ts'
import { groupClient, memberClient } from './group.ts'
import { describeEndpoint } from './endpoint.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions } from './role-process.ts'

export function startDatanodeRole(
  config: DatanodeRoleConfig,
  options: RoleOptions,
): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'datanode', settings: config }, options, async (seat) => {
    const { env, graph, cluster, member, directory } = seat
    const { disks = [], rack } = cluster.datanodes.find(({ id }) => id === member.id) ?? {}
    graph.value(HDDS_SCM, new RemoteScm(await groupClient(seat, 'scm')))
    const scmMembers: ScmMember[] = []
    for (const { id } of cluster.scm) {
      scmMembers.push({ id, scm: new RemoteScm(await memberClient(seat, 'scm', id)) })
    }
    const datanode = await startDatanode(graph, seat, {
      clusterId: cluster.clusterId,
      datanodeId: member.id,
      address: describeEndpoint(member),
      ...(rack === undefined ? {} : { rack }),
      directory,
      scmMembers,
      data: { disks, reserve: config.data.reserve },
      settings: config.hdds,
    })
    return {
      methods: serveDatanode(graph.get(HDDS_SERVED), { clock: env.clock, tokens: graph.get(HDDS_VOUCHING) }),
      limits: datanodeRpcLimits,
      problem: () => diskProblem(datanode),
    }
  })
}
