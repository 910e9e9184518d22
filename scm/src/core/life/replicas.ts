/** What is known of the replicas of one container, put together for the plans of its life. */

import type { ContainerReport, DatanodeId, NodeHealth, PipelineReport } from '../../api/api.ts'
import type { ClusterContainer, ClusterPipeline, ClusterView } from '../cluster-view.ts'
import { majorityOf } from '../tables.ts'
import type { ContainerRow } from '../tables.ts'

export interface Replica {
  readonly datanode: DatanodeId
  readonly health: NodeHealth
  /** Undefined: its datanode has none, when it `isHeard`; else nothing is known. */
  readonly report: ContainerReport | undefined
  /** It is healthy, and has said to this leader what it has: what it does not report, it has not. */
  readonly isHeard: boolean
  /** An administrator takes its datanode out of service, or has done so. */
  readonly isLeaving: boolean
  /** It is dead, and an administrator has given it up. */
  readonly isGivenUp: boolean
  /** Of the container's pipeline. `unknown`: this datanode says nothing of pipelines, or nothing at all yet. */
  readonly pipeline: PipelineReport | 'none' | 'unknown'
}

export interface ContainerFacts {
  readonly container: ClusterContainer
  readonly row: ContainerRow
  readonly pipeline: ClusterPipeline | undefined
  /** Those of the row, in its order. */
  readonly held: readonly Replica[]
  readonly incoming: readonly Replica[]
  /** Whether the row still counts on them or not. */
  readonly origins: readonly Replica[]
  /** Reported by datanodes that the row does not name, in the order of their ids. */
  readonly strays: readonly Replica[]
  readonly nowMs: number
}

export function factsOf(container: ClusterContainer, view: ClusterView): ContainerFacts {
  const { row } = container
  const named = new Set([...row.datanodes, ...row.incoming])
  const strays = [...container.reports.keys()].filter((id) => !named.has(id)).toSorted((a, b) => (a < b ? -1 : 1))
  const replicaAt = (datanode: DatanodeId): Replica => replicaOf(container, datanode, view)
  return {
    container,
    row,
    pipeline: row.pipeline === undefined ? undefined : view.pipelines.get(row.pipeline),
    held: row.datanodes.map(replicaAt),
    incoming: row.incoming.map(replicaAt),
    origins: row.origins.map(replicaAt),
    strays: strays.map(replicaAt),
    nowMs: view.nowMs,
  }
}

function replicaOf({ row, reports }: ClusterContainer, datanode: DatanodeId, view: ClusterView): Replica {
  const node = view.nodes.get(datanode)
  const pipelines = node?.live?.pipelines
  return {
    datanode,
    health: node?.health ?? 'STALE',
    report: reports.get(datanode),
    isHeard: node?.health === 'HEALTHY' && node.live !== undefined,
    isLeaving: node !== undefined && node.row.operational !== 'IN_SERVICE',
    isGivenUp: node?.health === 'DEAD' && node.row.operational === 'DECOMMISSIONED',
    pipeline: pipelines === undefined ? 'unknown' : (pipelines.get(row.pipeline ?? '') ?? 'none'),
  }
}

/** How many replicas it is to have. */
export function wantedReplicas(row: ContainerRow): number {
  return row.shardOf !== undefined || row.replication === 'RATIS/ONE' ? 1 : 3
}

/** Takes no more blocks, whatever made it so. One that is damaged does, until it is closed like any other: it may lead its pipeline. */
export function isSealed(report: ContainerReport | undefined): report is ContainerReport {
  return report !== undefined && report.state !== 'OPEN' && report.open !== true
}

/** Without hashes, which a datanode may not have counted yet, by what tells most differences. */
export function isSameContent(a: ContainerReport, b: ContainerReport): boolean {
  if (a.contentHash !== undefined && b.contentHash !== undefined) return a.contentHash === b.contentHash
  return a.blockCount === b.blockCount && a.liveBytes === b.liveBytes
}

export function areSameContent(reports: readonly ContainerReport[]): boolean {
  const [first] = reports
  return first === undefined || reports.every((each) => isSameContent(first, each))
}

/**
 * A majority of the origins of which this is so has all that was acknowledged: an origin that still has all that it acknowledged
 * itself; or that has all that anybody did, for it was closed by agreement. A datanode that was one may have lost its disk, and
 * have been given a copy since, or have begun anew.
 */
export function isVouchedFor({ report }: Replica): boolean {
  return report?.isOrigin === true || report?.state === 'CLOSED'
}

/** Of replicas that are not given up, the reports that are `CLOSED`: each has all that was ever acknowledged. */
export function closedReports(replicas: readonly Replica[]): readonly ContainerReport[] {
  return replicas.flatMap(({ report, health }) => (report?.state === 'CLOSED' && health !== 'DEAD' ? [report] : []))
}

/**
 * Whether a majority of the pipeline's members can still agree to something, as far as is known: members that are silent for
 * a moment, or say nothing of pipelines, are given the benefit of the doubt. Those that are there, and know no leader, cannot:
 * it takes a moment to elect one, and one that has lost its log has no vote before a leader has taught it.
 */
export function hasMajority({ row }: ClusterPipeline, view: Pick<ClusterView, 'nodes'>, id: string): boolean {
  const able = row.members.flatMap((member): readonly (PipelineReport | 'unknown')[] => {
    const node = view.nodes.get(member)
    if (node?.health === 'DEAD') return []
    const pipelines = node?.live?.pipelines
    if (pipelines === undefined) return ['unknown']
    const report = pipelines.get(id)
    return report?.state === 'open' ? [report] : []
  })
  const isLed = able.some((report) => report === 'unknown' || report.leader !== undefined)
  return isLed && able.length >= majorityOf(row.members.length)
}
