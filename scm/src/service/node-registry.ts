/** The soft state of all datanodes, kept from registrations and heartbeats. */

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
  ReportOrder,
  TaskReport,
} from '../api/api.ts'
import { isSameReport } from '../api/api.ts'
import { healthOf } from '../core/cluster-view.ts'
import type { ClusterEvent, HealthLimits, NodeView } from '../core/cluster-view.ts'

interface LiveNode extends NodeView {
  lastHeartbeatMs: number
  lastHeartbeatWallMs: number
  disks: readonly DiskReport[]
  readonly containers: Map<ContainerId, ContainerReport>
  pipelines: ReadonlyMap<PipelineId, PipelineReport> | undefined
  tasks: ReadonlyMap<string, TaskReport>
  order: ReportOrder | undefined
}

const none: ReadonlyMap<DatanodeId, ContainerReport> = new Map()

/** Every member keeps one, whether it leads or not, for as long as it runs. */
export class NodeRegistry {
  /** Told of each change, by the leader's view of the cluster. Heartbeats that say nothing new are none. */
  listener: ((event: ClusterEvent) => void) | undefined
  /** Since when this member has been listening. */
  readonly startedMs: number
  private readonly clock: Clock
  private readonly limits: HealthLimits
  private readonly nodes = new Map<DatanodeId, LiveNode>()
  /** The reports of all datanodes again, by container. */
  private readonly replicas = new Map<ContainerId, Map<DatanodeId, ContainerReport>>()

  constructor(clock: Clock, limits: HealthLimits) {
    this.clock = clock
    this.limits = limits
    this.startedMs = clock.monotonicMs()
  }

  register(request: RegisterRequest): void {
    const { id, address, rack, disks, order } = request
    const before = this.nodes.get(id)
    if (before !== undefined && isLate(order, before.order)) return
    const node: LiveNode = {
      id,
      address,
      rack,
      disks,
      lastHeartbeatMs: this.clock.monotonicMs(),
      lastHeartbeatWallMs: this.clock.wallMs(),
      containers: before?.containers ?? new Map<ContainerId, ContainerReport>(),
      pipelines: before?.pipelines,
      tasks: new Map(),
      order,
    }
    this.nodes.set(id, node)
    this.takeContainers(node, request.containers, true)
    this.takePipelines(node, request.pipelines)
    this.listener?.({ kind: 'node', datanode: id })
  }

  /**
   * False when the node must register first: this member restarted, or never heard of it, or has a late registration of another
   * process of it. What comes late is answered, and not believed.
   */
  heartbeat(heartbeat: Heartbeat): boolean {
    const { order } = heartbeat
    const node = this.nodes.get(heartbeat.id)
    if (node === undefined || order?.process !== node.order?.process) return false
    if (isLate(order, node.order)) return true
    node.order = order
    node.lastHeartbeatMs = this.clock.monotonicMs()
    node.lastHeartbeatWallMs = this.clock.wallMs()
    node.disks = heartbeat.disks
    node.tasks = new Map(heartbeat.tasks?.map((task) => [task.task, task]))
    this.takeContainers(node, heartbeat.containers, heartbeat.full)
    if (heartbeat.pipelines !== undefined) this.takePipelines(node, heartbeat.pipelines)
    return true
  }

  view(id: DatanodeId): NodeView | undefined {
    return this.nodes.get(id)
  }

  /** What every datanode that has a replica said of it last. */
  reportsOf(container: ContainerId): ReadonlyMap<DatanodeId, ContainerReport> {
    return this.replicas.get(container) ?? none
  }

  /** All containers that were ever reported and not taken back. */
  reported(): Iterable<ContainerId> {
    return this.replicas.keys()
  }

  /** One that was never heard is suspected, until this member has listened for long enough to call it dead. */
  health(id: DatanodeId): NodeHealth {
    return healthOf(this.nodes.get(id), this.clock.monotonicMs(), this.limits, this.startedMs)
  }

  lastHeartbeatWallMs(id: DatanodeId): number {
    return this.nodes.get(id)?.lastHeartbeatWallMs ?? 0
  }

  space(): { readonly totalBytes: number; readonly availableBytes: number } {
    let [totalBytes, availableBytes] = [0, 0]
    for (const { disks } of this.nodes.values()) {
      for (const disk of disks) {
        totalBytes += disk.totalBytes
        availableBytes += disk.availableBytes
      }
    }
    return { totalBytes, availableBytes }
  }

  private takeContainers(node: LiveNode, reports: readonly ContainerReport[], isFull: boolean): void {
    if (isFull) this.dropUnreported(node, reports)
    for (const report of reports) {
      const before = node.containers.get(report.id)
      // A full report says mostly what is known. Told as news, all that a datanode has would be planned again.
      if (before !== undefined && isSameReport(before, report)) continue
      node.containers.set(report.id, report)
      const known = this.replicas.get(report.id)
      if (known === undefined) this.replicas.set(report.id, new Map([[node.id, report]]))
      else known.set(node.id, report)
      this.listener?.({ kind: 'container', container: report.id })
    }
  }

  private dropUnreported(node: LiveNode, reports: readonly ContainerReport[]): void {
    const reported = new Set(reports.map(({ id }) => id))
    for (const id of [...node.containers.keys()].filter((each) => !reported.has(each))) {
      node.containers.delete(id)
      const known = this.replicas.get(id)
      known?.delete(node.id)
      if (known?.size === 0) this.replicas.delete(id)
      this.listener?.({ kind: 'container', container: id })
    }
  }

  private takePipelines(node: LiveNode, reports: readonly PipelineReport[] | undefined): void {
    const before = node.pipelines ?? new Map<PipelineId, PipelineReport>()
    const after = new Map(reports?.map((report) => [report.id, report]))
    node.pipelines = reports === undefined ? undefined : after
    for (const id of new Set([...before.keys(), ...after.keys()])) {
      if (factsOf(before.get(id)) !== factsOf(after.get(id))) this.listener?.({ kind: 'pipeline', pipeline: id })
    }
  }
}

function factsOf(report: PipelineReport | undefined): string {
  return report === undefined ? '' : `${report.state} ${report.leader ?? ''} ${report.term}`
}

/** Something that was sent behind it has been taken. The same again is a repetition whose first answer may have been lost. */
function isLate(order: ReportOrder | undefined, taken: ReportOrder | undefined): boolean {
  return order !== undefined && order.process === taken?.process && order.number < taken.number
}
