/**
 * What a member of SCM currently believes about datanodes: soft state from heartbeats, kept by every member whether it leads
 * or not, lost at a restart and made anew by the next reports. Planners read it; they never ask a node.
 */

import type { ContainerId, ContainerReport, DatanodeId, DiskReport, NodeHealth } from '../api/api.ts'

export interface NodeView {
  readonly id: DatanodeId
  /** As it registered here last; undefined when it is called in its process. */
  readonly address: string | undefined
  readonly lastHeartbeatMs: number
  readonly disks: readonly DiskReport[]
  readonly containers: ReadonlyMap<ContainerId, ContainerReport>
}

export interface HealthLimits {
  readonly staleAfterMs: number
  readonly deadAfterMs: number
}

/** Both times from the same monotonic clock. */
export function healthOf(node: NodeView | undefined, nowMs: number, limits: HealthLimits): NodeHealth {
  if (node === undefined) return 'DEAD'
  const silentMs = nowMs - node.lastHeartbeatMs
  if (silentMs >= limits.deadAfterMs) return 'DEAD'
  return silentMs >= limits.staleAfterMs ? 'STALE' : 'HEALTHY'
}

/** True while one of its disks is neither failed nor full. */
export function takesWrites(node: NodeView): boolean {
  return node.disks.some((disk) => disk.state === 'healthy')
}
