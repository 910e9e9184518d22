/** What planners are given, made of the cluster view and the tasks under way. */

import type { ContainerId, ContainerReport, DatanodeId } from '../../api/api.ts'
import type { ClusterContainer, ClusterView } from '../cluster-view.ts'
import type { ContainerRow } from '../tables.ts'
import type { ContainerFacts, EcGroupFacts, ReplicaFacts, ShardFacts } from './container-facts.ts'
import { shardBytesOf } from './encoding.ts'
import { topologyOf } from './topology.ts'
import type { NodeFacts, Topology } from './topology.ts'

/** Tasks under way, as far as plans have to know them. */
export interface Work {
  loadOf(): ReadonlyMap<DatanodeId, Pick<NodeFacts, 'incoming' | 'outgoing' | 'reservedBytes'>>
}

const idle = { incoming: 0, outgoing: 0, reservedBytes: 0 }

export function topologyOfView(view: ClusterView, work: Work): Topology {
  const loads = work.loadOf()
  const facts: NodeFacts[] = []
  for (const { id, row, health, live } of view.nodes.values()) {
    // One that has not said what it has is not sent anything, whatever its row says.
    const heard = live === undefined && health === 'HEALTHY' ? 'STALE' : health
    const { rack, operational } = row
    facts.push({ id, rack, operational, health: heard, disks: live?.disks ?? [], ...(loads.get(id) ?? idle) })
  }
  return topologyOf(facts)
}

/**
 * A replica that the row names counts as it was reported; without a report, as what the row says, as long as its datanode has
 * said nothing at all. A datanode that answers and does not report it has lost it.
 */
function replicasIn(container: ClusterContainer, view: ClusterView): Pick<ContainerFacts, 'replicas' | 'absent'> {
  const { row, reports } = container
  const replicas: ReplicaFacts[] = []
  const absent: DatanodeId[] = []
  for (const datanode of row.datanodes) {
    const report = reports.get(datanode)
    if (report !== undefined) replicas.push(replicaOf(datanode, report))
    else if (isHeard(datanode, view)) absent.push(datanode)
    else replicas.push({ datanode, state: row.state === 'CLOSED' ? 'CLOSED' : 'QUASI_CLOSED' })
  }
  for (const [datanode, report] of reports) {
    if (row.datanodes.includes(datanode) || row.incoming.includes(datanode)) continue
    replicas.push({ ...replicaOf(datanode, report), stray: true })
  }
  return { replicas, absent }
}

function replicaOf(datanode: DatanodeId, { state, contentHash, isOrigin }: ContainerReport): ReplicaFacts {
  return { datanode, state, contentHash, isOrigin }
}

function isHeard(datanode: DatanodeId, view: ClusterView): boolean {
  const node = view.nodes.get(datanode)
  return node?.health === 'HEALTHY' && node.live !== undefined
}

/** Of a container that is not erasure-coded, and no shard. */
export function containerFactsOf(
  container: ClusterContainer,
  view: ClusterView,
  moved: DatanodeId | undefined,
): ContainerFacts {
  const { id, row } = container
  return {
    id,
    state: row.state,
    replication: row.replication,
    ...replicasIn(container, view),
    bytes: bytesOf(container),
    origins: row.origins,
    pendingDeletions: container.pendingDeletions > 0,
    arriving: row.incoming,
    // A replica that is to go has left the row before: it is a stray.
    leaving: [],
    moved,
  }
}

/** Undefined for a container that is not encoded. A shard without a row has no replica. */
export function groupFactsOf(
  parent: ClusterContainer,
  view: ClusterView,
  movedOf: (shard: ContainerId) => DatanodeId | undefined,
): EcGroupFacts | undefined {
  const { ec } = parent.row
  if (ec === undefined) return undefined
  const found = ec.shards.map((id) => view.container(id))
  const shards = ec.shards.map((id, index): ShardFacts => {
    const shard = found[index]
    if (shard === undefined) return { container: id, replicas: [], arriving: [], leaving: [] }
    // Strays of shards are taken in or deleted one by one; they say nothing of the group.
    const replicas = replicasIn(shard, view).replicas.filter(({ stray }) => stray !== true)
    return { container: id, replicas, arriving: shard.row.incoming, leaving: [], moved: movedOf(id) }
  })
  const sizes = found.map((shard) => (shard === undefined ? 0 : bytesOf(shard)))
  return { id: parent.id, policy: ec.policy, shards, shardBytes: Math.max(shardBytesOf(0, ec.policy), ...sizes) }
}

/** The largest replica; something for one that nobody has reported yet. */
export function bytesOf(container: Pick<ClusterContainer, 'reports'>): number {
  let bytes = 64 * 1024
  for (const { usedBytes } of container.reports.values()) bytes = Math.max(bytes, usedBytes)
  return bytes
}

/** What is planned as one: a shard is planned with its group, once that is what is read. */
export function unitOf(id: ContainerId, row: Pick<ContainerRow, 'shardOf'> | undefined): ContainerId {
  return row?.shardOf?.container ?? id
}
