/** What administrators are shown of the cluster. */

import type {
  ContainerDetails,
  ContainerId,
  ContainerInfo,
  ContainerReport,
  ContainerState,
  DatanodeId,
  DatanodeInfo,
  NodeDepartureProgress,
  PipelineInfo,
  ReplicaInfo,
} from '../api/api.ts'
import { leaderOf } from '../core/cluster-view.ts'
import type { ClusterContainer, ClusterNode, ClusterPipeline, ClusterView } from '../core/cluster-view.ts'
import type { ContainerRow } from '../core/tables.ts'
import type { NodeRegistry } from './node-registry.ts'

export function infoOf(
  id: ContainerId,
  row: ContainerRow,
  reports: ReadonlyMap<DatanodeId, ContainerReport>,
): ContainerInfo {
  const known = row.datanodes.flatMap((datanode) => reports.get(datanode) ?? [])
  return {
    id,
    state: row.state,
    replication: row.replication,
    pipeline: row.pipeline ?? (row.replication === 'RATIS/ONE' ? `one-${row.datanodes[0] ?? ''}` : ''),
    datanodes: row.datanodes,
    createdMs: row.createdMs,
    nextLocal: row.nextLocal,
    usedBytes: Math.max(0, ...known.map(({ usedBytes }) => usedBytes)),
    liveBytes: Math.max(0, ...known.map(({ liveBytes }) => liveBytes)),
  }
}

/** `row` is fresher than that of the view: it has the next local id. */
export function detailsOf(container: ClusterContainer, row: ContainerRow, view: ClusterView): ContainerDetails {
  const { id, reports, pendingDeletions } = container
  const replica = (datanode: DatanodeId, standing: ReplicaInfo['standing']): ReplicaInfo => {
    const node = view.nodes.get(datanode)
    return {
      datanode,
      health: node?.health ?? 'STALE',
      operational: node?.row.operational ?? 'IN_SERVICE',
      standing,
      report: reports.get(datanode),
    }
  }
  const named = new Set([...row.datanodes, ...row.incoming])
  const strays = [...reports.keys()].filter((datanode) => !named.has(datanode)).toSorted()
  return {
    info: infoOf(id, row, reports),
    origins: row.origins,
    replicas: [
      ...row.datanodes.map((datanode) => replica(datanode, 'held')),
      ...row.incoming.map((datanode) => replica(datanode, 'incoming')),
      ...strays.map((datanode) => replica(datanode, 'stray')),
    ],
    ec: row.ec && { policy: row.ec.policy, shards: row.ec.shards },
    shardOf: row.shardOf,
    pendingDeletions,
    deletedBlocks: row.deletedBlocks,
  }
}

export function pipelineInfoOf(pipeline: ClusterPipeline, view: ClusterView): PipelineInfo {
  const { id, row, reports } = pipeline
  const heard = [...reports]
    .filter(([member]) => view.nodes.get(member)?.health === 'HEALTHY')
    .map(([, report]) => report)
  const open = [...view.containersOf(id)].filter((each) => view.container(each)?.row.state === 'OPEN')
  return {
    id,
    replication: row.kind === 'ONE' ? 'RATIS/ONE' : 'RATIS/THREE',
    members: row.members,
    state: row.state,
    createdMs: row.createdMs,
    leader: leaderOf(pipeline),
    membersReady: heard.filter(({ state }) => state === 'open').length,
    openContainers: open.length,
  }
}

export function nodeInfoOf(
  { id, row, health, live }: ClusterNode,
  view: ClusterView,
  registry: NodeRegistry,
  departure: NodeDepartureProgress | undefined,
): DatanodeInfo {
  const open = [...view.pipelines.values()].filter((each) => each.row.state === 'OPEN' && each.row.members.includes(id))
  return {
    id,
    address: row.address ?? 'local',
    operational: row.operational,
    health,
    registeredMs: row.registeredMs,
    lastHeartbeatMs: registry.lastHeartbeatWallMs(id),
    disks: live?.disks ?? [],
    rack: row.rack,
    pipelines: open.length,
    containers: countOf(view.containersOn(id)),
    ...(row.maintenanceUntilMs === undefined ? {} : { maintenanceUntilMs: row.maintenanceUntilMs }),
    ...(departure === undefined ? {} : { departure }),
  }
}

function countOf(items: Iterable<unknown>): number {
  let count = 0
  for (const _ of items) count += 1
  return count
}

export function countStates(view: ClusterView): Record<ContainerState, number> {
  const counts = { OPEN: 0, CLOSING: 0, QUASI_CLOSED: 0, CLOSED: 0, DELETING: 0, DELETED: 0 }
  for (const id of view.containerIds()) {
    const container = view.container(id)
    if (container !== undefined) counts[container.row.state] += 1
  }
  return counts
}
