/**
 * What a member of SCM knows of the cluster, and what planners read.
 *
 * Rows are what is written down. Reports are soft: every member keeps what datanodes say, whether it leads or not; they are
 * lost at a restart and made anew by the next ones. Planners read both through a `ClusterView`, which a leader has for
 * its term; they never ask a node, and what they are given are values of one moment.
 */

import type {
  ContainerId,
  ContainerReport,
  DatanodeId,
  DiskReport,
  NodeHealth,
  PipelineId,
  PipelineReport,
  TaskReport,
} from '../api/api.ts'
import type { ContainerRow, NodeRow, PipelineRow } from './tables.ts'

/** A datanode as it described itself to this member. */
export interface NodeView {
  readonly id: DatanodeId
  /** As it registered here last; undefined when it is called in its process. */
  readonly address: string | undefined
  /** Undefined: it did not say. */
  readonly rack: string | undefined
  readonly lastHeartbeatMs: number
  readonly disks: readonly DiskReport[]
  /** All that it has: it registered with all of them. */
  readonly containers: ReadonlyMap<ContainerId, ContainerReport>
  /** All that it is a member of; undefined for one that says nothing of pipelines. */
  readonly pipelines: ReadonlyMap<PipelineId, PipelineReport> | undefined
  /** Those under way, and those whose end it told last. */
  readonly tasks: ReadonlyMap<string, TaskReport>
}

export interface HealthLimits {
  readonly staleAfterMs: number
  readonly deadAfterMs: number
}

/** All times from the same monotonic clock. `sinceMs`: from when on a datanode could have been heard at all. */
export function healthOf(
  node: Pick<NodeView, 'lastHeartbeatMs'> | undefined,
  nowMs: number,
  limits: HealthLimits,
  sinceMs = -Infinity,
): NodeHealth {
  const silentMs = nowMs - (node?.lastHeartbeatMs ?? sinceMs)
  if (silentMs >= limits.deadAfterMs) return 'DEAD'
  return node === undefined || silentMs >= limits.staleAfterMs ? 'STALE' : 'HEALTHY'
}

/** True while one of its disks is neither failed nor full. */
export function takesWrites(node: Pick<NodeView, 'disks'>): boolean {
  return node.disks.some((disk) => disk.state === 'healthy')
}

/** A datanode that has a row. */
export interface ClusterNode {
  readonly id: DatanodeId
  readonly row: NodeRow
  readonly health: NodeHealth
  /** Undefined: not heard since this member started, so nothing is known of what it has. */
  readonly live: NodeView | undefined
}

export interface ClusterPipeline {
  readonly id: PipelineId
  readonly row: PipelineRow
  /** Of its members, as far as they report it. */
  readonly reports: ReadonlyMap<DatanodeId, PipelineReport>
  /** Since when fewer than a majority of its members are able to agree to anything. Undefined while a majority is. */
  readonly minoritySinceMs: number | undefined
}

/** As its members report: of those that name one, the one of the latest term. */
export function leaderOf({ reports }: Pick<ClusterPipeline, 'reports'>): DatanodeId | undefined {
  let latest: PipelineReport | undefined
  for (const report of reports.values()) {
    if (report.leader !== undefined && (latest === undefined || report.term > latest.term)) latest = report
  }
  return latest?.leader
}

export interface ClusterContainer {
  readonly id: ContainerId
  /** `nextLocal` may be behind. */
  readonly row: ContainerRow
  /** Of every datanode that has a replica, also of those that the row does not name. */
  readonly reports: ReadonlyMap<DatanodeId, ContainerReport>
  /** Deletions of its blocks that are not done; and when the leader first saw the oldest of them. */
  readonly pendingDeletions: number
  readonly deletingSinceMs: number | undefined
}

/** The cluster at one moment, of a leader, in its term. */
export interface ClusterView {
  /** Monotonic. */
  readonly nowMs: number
  readonly wallMs: number
  readonly nodes: ReadonlyMap<DatanodeId, ClusterNode>
  readonly pipelines: ReadonlyMap<PipelineId, ClusterPipeline>
  /** Undefined when there is no row. */
  container(id: ContainerId): ClusterContainer | undefined
  /** In no order. */
  containerIds(): Iterable<ContainerId>
  /** Whose row names it, or that it reports, each once. Also ids that have no row. Of this moment: not for after an `await`. */
  containersOn(datanode: DatanodeId): Iterable<ContainerId>
  /** Those that are open or closing. */
  containersOf(pipeline: PipelineId): ReadonlySet<ContainerId>
  /** The last id that was given out: one up to this without a row is gone for good. */
  readonly lastContainer: ContainerId
  /** The same for the numbers of pipelines. */
  readonly lastPipeline: number
}

/** What may have made a plan out of date since it was made. */
export type ClusterEvent =
  /** Its row, or what a datanode says of it. */
  | { readonly kind: 'container'; readonly container: ContainerId }
  /** Its row, or its health; not each heartbeat. */
  | { readonly kind: 'node'; readonly datanode: DatanodeId }
  | { readonly kind: 'pipeline'; readonly pipeline: PipelineId }
