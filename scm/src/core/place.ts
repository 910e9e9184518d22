/** Where a reader or a writer of a container is sent. */

import type { ContainerPlace, DatanodeId, EcLayout, NodeHealth, ReplicaLocation } from '../api/api.ts'
import type { ContainerId } from '../api/api.ts'
import { leaderOf } from './cluster-view.ts'
import type { ClusterView } from './cluster-view.ts'
import { defaultRack } from './tables.ts'
import type { ContainerRow } from './tables.ts'

const byHealth: Readonly<Record<NodeHealth, number>> = { HEALTHY: 0, STALE: 2, DEAD: 4 }

/**
 * The row says where, the view says in which order: who answers before who is suspected before who is given up; of those that
 * are alike, a replica that is whole before one that is damaged, and the pipeline's leader first. `shards`: the rows of the
 * shards, in their order.
 */
export function placeOf(
  container: ContainerId,
  row: ContainerRow,
  shards: readonly (ContainerRow | undefined)[],
  view: ClusterView,
): ContainerPlace {
  const isWritten = row.state === 'OPEN' || row.state === 'CLOSING'
  return {
    container,
    state: row.state,
    replication: row.replication,
    pipeline: isWritten ? row.pipeline : undefined,
    replicas: row.ec === undefined ? replicasOf(container, row, view) : [],
    ec: layoutOf(row, shards, view),
  }
}

function layoutOf(
  row: ContainerRow,
  shards: readonly (ContainerRow | undefined)[],
  view: ClusterView,
): EcLayout | undefined {
  if (row.ec === undefined) return undefined
  const { policy, shards: ids } = row.ec
  return {
    policy,
    shards: ids.map((container, n) => {
      const shard = shards[n]
      return { container, replicas: shard === undefined ? [] : replicasOf(container, shard, view) }
    }),
  }
}

function replicasOf(container: ContainerId, row: ContainerRow, view: ClusterView): readonly ReplicaLocation[] {
  const pipeline = row.pipeline === undefined ? undefined : view.pipelines.get(row.pipeline)
  const leader = pipeline === undefined ? undefined : leaderOf(pipeline)
  const rank = (datanode: DatanodeId): number => {
    const health = view.nodes.get(datanode)?.health ?? 'STALE'
    const isDamaged = view.container(container)?.reports.get(datanode)?.state === 'UNHEALTHY'
    return byHealth[health] + (isDamaged ? 1 : 0) - (datanode === leader ? 0.5 : 0)
  }
  const ranked = row.datanodes.map((datanode) => ({ datanode, rank: rank(datanode) }))
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ datanode }) => locationOf(datanode, view))
}

/** Racks are named where somebody has named one. */
export function locationOf(datanode: DatanodeId, view: Pick<ClusterView, 'nodes'>): ReplicaLocation {
  const row = view.nodes.get(datanode)?.row
  if (row === undefined || row.rack === defaultRack) return { datanode, address: row?.address }
  return { datanode, address: row.address, rack: row.rack }
}
