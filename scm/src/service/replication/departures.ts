import type { Logger } from '@o3/common/logger'
import type { ContainerId, DatanodeId, EcPolicy, NodeDepartureProgress, NodeOperationalState } from '../../api/api.ts'
import type { ClusterNode, ClusterView } from '../../core/cluster-view.ts'
import { groupNeeds, needs, planDeparture, whyNotLeave } from '../../core/planners/departure.ts'
import type { Topology } from '../../core/planners/topology.ts'
import { bytesOf } from '../../core/planners/view-facts.ts'
import { replicasOf } from '../../core/planners/container-facts.ts'
import type { Judged } from './judgements.ts'

interface Leaving {
  /** Everything that it has was judged since it is in this state. */
  isJudged: boolean
  readonly operational: NodeOperationalState
  /** Units that need what it has, with their size. */
  readonly needed: Map<ContainerId, number>
  copiedBytes: number
  readonly sinceMs: number
}

export interface DepartureStep {
  readonly datanode: DatanodeId
  readonly to: NodeOperationalState
}

/** Follows datanodes on their way out: what still needs them, kept as containers are judged. */
export class Departures {
  private readonly log: Logger
  private readonly leaving = new Map<DatanodeId, Leaving>()
  private readonly progress = new Map<DatanodeId, NodeDepartureProgress>()

  constructor(log: Logger) {
    this.log = log
  }

  /** Undefined for a datanode that stays. */
  progressOf(datanode: DatanodeId): NodeDepartureProgress | undefined {
    return this.progress.get(datanode)
  }

  /** Datanodes that leave since the last time: all that they have is to be judged, for being there counts differently now. */
  begin(view: ClusterView): readonly DatanodeId[] {
    const leaving = leavingNodes(view)
    const ids = new Set(leaving.map(({ id }) => id))
    for (const id of this.leaving.keys()) if (!ids.has(id)) this.leaving.delete(id)
    const begun = leaving.filter(({ id, row }) => this.leaving.get(id)?.operational !== row.operational)
    for (const { id, row } of begun) {
      const { operational } = row
      const needed = new Map<ContainerId, number>()
      this.leaving.set(id, { isJudged: false, operational, needed, copiedBytes: 0, sinceMs: view.nowMs })
    }
    return begun.map(({ id }) => id)
  }

  /** Nothing is left to judge of what was to be. */
  noteJudged(): void {
    for (const leaving of this.leaving.values()) leaving.isJudged = true
  }

  /** After each judgement: whether datanodes that leave are needed by this unit. */
  note(unit: ContainerId, judged: Judged | undefined, view: ClusterView): void {
    for (const [datanode, { needed }] of this.leaving) {
      const bytes = judged === undefined ? undefined : neededBytes(judged, datanode, view)
      if (bytes === undefined) needed.delete(unit)
      else needed.set(unit, bytes)
    }
  }

  noteCopied(source: DatanodeId, bytes: number): void {
    const leaving = this.leaving.get(source)
    if (leaving !== undefined) leaving.copiedBytes += bytes
  }

  /** The steps to take now; `isUnjudged`: whether something of a datanode has changed since. Asked only of those that leave. */
  due(view: ClusterView, nowMs: number, isUnjudged: (datanode: DatanodeId) => boolean): readonly DepartureStep[] {
    const steps: DepartureStep[] = []
    for (const node of view.nodes.values()) {
      const leaving = this.leaving.get(node.id)
      const isKnown = leaving?.operational === node.row.operational && leaving.isJudged
      if (isLeaving(node) && (!isKnown || isUnjudged(node.id))) continue
      const { to, progress } = planDeparture(this.factsOf(node, leaving, view, nowMs))
      if (progress === undefined) this.progress.delete(node.id)
      else this.progress.set(node.id, progress)
      if (to === undefined) continue
      steps.push({ datanode: node.id, to })
      this.log.info({ datanode: node.id, state: to }, 'datanode changes its operational state')
    }
    return steps
  }

  /** `whyNotLeave`, with what is in use. */
  whyNotLeave(
    asked: { readonly datanode: DatanodeId; readonly to: 'DECOMMISSIONED' | 'IN_MAINTENANCE' },
    view: ClusterView,
    topology: Topology,
  ): string | undefined {
    let bytes = 0
    for (const id of view.containersOn(asked.datanode)) {
      const report = view.container(id)?.reports.get(asked.datanode)
      bytes += report?.usedBytes ?? 0
    }
    let three = false
    const ec = new Set<EcPolicy>()
    for (const id of view.containerIds()) {
      const row = view.container(id)?.row
      if (row?.ec !== undefined) ec.add(row.ec.policy)
      else if (row !== undefined && replicasOf(row.replication) === 3) three = true
    }
    return whyNotLeave({ ...asked, inUse: { three, ec: [...ec] }, bytes }, topology)
  }

  private factsOf(
    node: ClusterNode,
    leaving: Leaving | undefined,
    view: ClusterView,
    nowMs: number,
  ): Parameters<typeof planDeparture>[0] {
    const sizes = [...(leaving?.needed.values() ?? [])]
    const seconds = leaving === undefined ? 0 : (nowMs - leaving.sinceMs) / 1000
    return {
      operational: node.row.operational,
      maintenanceUntilMs: node.row.maintenanceUntilMs,
      wallMs: view.wallMs,
      pipelines: leaving === undefined ? 0 : pipelinesOf(node.id, view),
      unclosed: leaving === undefined ? 0 : unclosedOn(node.id, view),
      needed: sizes.length,
      neededBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
      bytesPerSecond: leaving === undefined || seconds <= 0 ? 0 : leaving.copiedBytes / seconds,
    }
  }
}

function isLeaving({ row }: ClusterNode): boolean {
  return row.operational === 'DECOMMISSIONING' || row.operational === 'ENTERING_MAINTENANCE'
}

function leavingNodes(view: ClusterView): readonly ClusterNode[] {
  return [...view.nodes.values()].filter(isLeaving)
}

function neededBytes(judged: Judged, datanode: DatanodeId, view: ClusterView): number | undefined {
  if (judged.kind === 'group') {
    return groupNeeds(judged.facts, judged.found, datanode) ? judged.facts.shardBytes : undefined
  }
  const container = view.container(judged.unit)
  return container !== undefined && needs(judged.facts, judged.found, datanode) ? bytesOf(container) : undefined
}

function pipelinesOf(datanode: DatanodeId, view: ClusterView): number {
  let count = 0
  for (const { row } of view.pipelines.values()) {
    if (row.state !== 'CLOSED' && row.members.includes(datanode)) count += 1
  }
  return count
}

/** Open and closing ones; also shards that are being made. */
function unclosedOn(datanode: DatanodeId, view: ClusterView): number {
  let count = 0
  for (const id of view.containersOn(datanode)) {
    const row = view.container(id)?.row
    if (row?.datanodes.includes(datanode) === true && (row.state === 'OPEN' || row.state === 'CLOSING')) count += 1
  }
  return count
}
