/** `o3 datanode`: a process that keeps bytes. */

import { DatanodeDirectory } from '@o3/hdds/client'
import { HDDS_RECONCILERS, HDDS_SCM, HDDS_SERVED, HDDS_VOUCHING, ShardParents, copyTokens } from '@o3/hdds/module'
import { datanodeRpcLimits, serveDatanode } from '@o3/hdds/rpc'
import type { TokenCheck } from '@o3/hdds/rpc'
import { RpcTransport, raftMethods } from '@o3/ratis/node'
import { RemoteScm } from '@o3/scm/client'
import type { Vouching } from '@o3/scm/tokens'
import { startDatanode } from '../parts/datanode.ts'
import { diskProblem } from '../parts/problems.ts'
import type { RunningProcess } from '../process/running-process.ts'
import type { DatanodeRoleConfig } from './role-config.ts'
import { groupClient } from './group.ts'
import { scmMembersOf } from './scm-members.ts'
import { describeEndpoint } from './endpoint.ts'
import type { ClusterPeer } from '../pki/wire.ts'
import { startRole } from './role-process.ts'
import type { RoleFacts, RoleOptions, Seat } from './role-process.ts'

export function startDatanodeRole(
  config: DatanodeRoleConfig,
  options: RoleOptions,
): Promise<RunningProcess<RoleFacts>> {
  return startRole({ role: 'datanode', settings: config }, options, async (seat) => {
    const { env, graph, cluster, member, directory } = seat
    const { disks = [], rack } = cluster.datanodes.find(({ id }) => id === member.id) ?? {}
    graph.value(HDDS_SCM, new RemoteScm(await groupClient(seat, 'scm')))
    const scmMembers = await scmMembersOf(seat)
    const late: { vouching?: Vouching } = {}
    const others = await startOthers(seat, () => late.vouching)
    const datanode = await startDatanode(graph, seat, {
      others,
      clusterId: cluster.clusterId,
      datanodeId: member.id,
      address: describeEndpoint(member),
      ...(rack === undefined ? {} : { rack }),
      directory,
      scmMembers: scmMembers.all,
      data: { disks, reserve: config.data.reserve },
      settings: config.hdds,
      lostDisks: 'go-on',
    })
    await scmMembers.follow(seat, graph.get(HDDS_RECONCILERS))
    const known = graph.get(HDDS_VOUCHING)
    late.vouching = known
    const tokens: TokenCheck = {
      admit: (token, deed) => known.admit(token, deed),
      shardOf: new ShardParents(datanode).of,
    }
    return {
      methods: {
        ...serveDatanode(graph.get(HDDS_SERVED), { clock: env.clock, tokens }),
        ...raftMethods<ClusterPeer>(others.transport, (peer, id) => peer.role === 'datanode' && peer.id === id),
      },
      limits: datanodeRpcLimits,
      problem: () => diskProblem(datanode),
    }
  })
}

/** The members of its pipelines and the sources of its copies, over connections of their own. The keys come with the datanode, which is made with these. */
async function startOthers(
  { env, wire, member, lifecycle }: Seat,
  vouching: () => Vouching | undefined,
): Promise<{
  readonly directory: DatanodeDirectory
  readonly transport: RpcTransport
}> {
  const authentication = wire.callsTo('datanode')
  const transport = new RpcTransport({ env: wire.env, address: describeEndpoint(member), authentication })
  await lifecycle.start('pipeline transport', { start: () => {}, stop: () => transport.close() })
  const directory = new DatanodeDirectory({
    env: wire.env,
    authentication,
    tokenFor: copyTokens(vouching, env.clock),
  })
  await lifecycle.start('clients of datanodes', { start: () => {}, stop: () => directory.close() })
  return { directory, transport }
}
