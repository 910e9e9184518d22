/** The soft state of all datanodes, kept from registrations and heartbeats. */

import { StoreError } from '@o3/common/errors'
import type { Clock } from '@o3/common/env'
import type {
  ContainerId,
  ContainerReport,
  DatanodeId,
  DiskReport,
  Heartbeat,
  NodeHealth,
  PipelineId,
  PipelineReport,
  RegisterRequest,
  TaskReport,
} from '../api/api.ts'
import { healthOf, takesWrites } from '../core/cluster-view.ts'
import type { HealthLimits, NodeView } from '../core/cluster-view.ts'

interface LiveNode extends NodeView {
  lastHeartbeatMs: number
  lastHeartbeatWallMs: number
  disks: readonly DiskReport[]
  readonly containers: Map<ContainerId, ContainerReport>
  pipelines: ReadonlyMap<PipelineId, PipelineReport> | undefined
  tasks: ReadonlyMap<string, TaskReport>
}

export class NodeRegistry {
  private readonly clock: Clock
  private readonly limits: HealthLimits
  private readonly nodes = new Map<DatanodeId, LiveNode>()

  constructor(clock: Clock, limits: HealthLimits) {
    this.clock = clock
    this.limits = limits
  }

  register(request: RegisterRequest): void {
    this.nodes.set(request.id, {
      id: request.id,
      address: request.address,
      rack: request.rack,
      lastHeartbeatMs: this.clock.monotonicMs(),
      lastHeartbeatWallMs: this.clock.wallMs(),
      disks: request.disks,
      containers: byId(request.containers),
      pipelines: byId(request.pipelines),
      tasks: new Map(),
    })
  }

  /** False when the node must register first: this member restarted, or never heard of it. */
  heartbeat(heartbeat: Heartbeat): boolean {
    const node = this.nodes.get(heartbeat.id)
    if (node === undefined) return false
    node.lastHeartbeatMs = this.clock.monotonicMs()
    node.lastHeartbeatWallMs = this.clock.wallMs()
    node.disks = heartbeat.disks
    if (heartbeat.full) node.containers.clear()
    for (const report of heartbeat.containers) node.containers.set(report.id, report)
    if (heartbeat.pipelines !== undefined) node.pipelines = byId(heartbeat.pipelines)
    node.tasks = new Map(heartbeat.tasks?.map((task) => [task.task, task]))
    return true
  }

  view(id: DatanodeId): NodeView | undefined {
    return this.nodes.get(id)
  }

  health(id: DatanodeId): NodeHealth {
    return healthOf(this.nodes.get(id), this.clock.monotonicMs(), this.limits)
  }

  lastHeartbeatWallMs(id: DatanodeId): number {
    return this.nodes.get(id)?.lastHeartbeatWallMs ?? 0
  }

  isWritable(id: DatanodeId): boolean {
    const node = this.nodes.get(id)
    return node !== undefined && this.health(id) === 'HEALTHY' && takesWrites(node)
  }

  writable(): readonly DatanodeId[] {
    return [...this.nodes.keys()].filter((id) => this.isWritable(id))
  }

  /** The error for a caller who wanted to write and finds no place. */
  whyNoWrites(): StoreError {
    const live = [...this.nodes.values()].filter((node) => this.health(node.id) === 'HEALTHY')
    if (live.length === 0) return new StoreError('Unavailable', 'no datanode is alive')
    if (this.writable().length > 0) return new StoreError('Unavailable', 'no datanode is in service yet')
    const failed = live.every((node) => node.disks.every((disk) => disk.state === 'failed'))
    return failed
      ? new StoreError('VolumeFailed', 'every disk has failed; restart the datanode to have them verified')
      : new StoreError('OutOfSpace', 'no datanode has space left')
  }

  space(): { readonly totalBytes: number; readonly availableBytes: number } {
    const disks = [...this.nodes.values()].flatMap((node) => node.disks)
    return {
      totalBytes: disks.reduce((sum, disk) => sum + disk.totalBytes, 0),
      availableBytes: disks.reduce((sum, disk) => sum + disk.availableBytes, 0),
    }
  }
}

function byId<Id, Report extends { readonly id: Id }>(reports: readonly Report[]): Map<Id, Report>
function byId<Id, Report extends { readonly id: Id }>(
  reports: readonly Report[] | undefined,
): Map<Id, Report> | undefined
function byId<Id, Report extends { readonly id: Id }>(
  reports: readonly Report[] | undefined,
): Map<Id, Report> | undefined {
  return reports === undefined ? undefined : new Map(reports.map((report) => [report.id, report]))
}
