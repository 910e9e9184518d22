/** Which open containers blocks may be handed out from, which are lacking, and why there is none. */

import { StoreError } from '@o3/common/errors'
import type { ContainerId, DatanodeId, PipelineId, ReplicationConfig } from '../api/api.ts'
import { takesWrites } from './cluster-view.ts'
import type { ClusterNode, ClusterPipeline, ClusterView } from './cluster-view.ts'
import { majorityOf } from './tables.ts'
import type { ContainerRow } from './tables.ts'

export interface AllocationLimits {
  /** Containers of `RATIS/ONE` kept open for writing per datanode, so that concurrent writers do not share one file. */
  readonly openContainersPerNode: number
  /** Containers of each other replication kept open per pipeline. */
  readonly openContainersPerPipeline: number
}

/** Open containers of one replication. */
export type OpenContainers = ReadonlyMap<ContainerId, ContainerRow>

/** Where a container is to be opened. */
export interface NewContainer {
  readonly pipeline: PipelineId | undefined
  readonly datanodes: readonly DatanodeId[]
}

export function isWritable(node: ClusterNode | undefined): boolean {
  if (node?.health !== 'HEALTHY' || node.row.operational !== 'IN_SERVICE') return false
  return node.live !== undefined && takesWrites(node.live)
}

export interface UsableContainers {
  readonly ids: readonly ContainerId[]
  /** False: a majority of their replicas is all that takes writes. Better ones had better be opened. */
  readonly areWhole: boolean
}

/**
 * Those with all replicas at datanodes that take writes; where there are none, those where a majority does: a block can be
 * written there, and is repaired later.
 */
export function usableContainers(open: OpenContainers, view: ClusterView): UsableContainers {
  const whole: ContainerId[] = []
  const partly: ContainerId[] = []
  for (const [id, row] of open) {
    if (row.pipeline !== undefined && view.pipelines.get(row.pipeline)?.row.state !== 'OPEN') continue
    const writable = row.datanodes.filter((datanode) => isWritable(view.nodes.get(datanode))).length
    if (writable === row.datanodes.length) whole.push(id)
    else if (writable >= majorityOf(row.datanodes.length)) partly.push(id)
  }
  return whole.length > 0 ? { ids: whole, areWhole: true } : { ids: partly, areWhole: false }
}

/** One entry for each container that is to be opened, so that there are as many as there should be. */
export function lackingContainers(
  replication: ReplicationConfig,
  open: OpenContainers,
  view: ClusterView,
  limits: AllocationLimits,
): readonly NewContainer[] {
  if (replication === 'RATIS/ONE') return lackingOnNodes(open, view, limits.openContainersPerNode)
  return lackingInPipelines(open, view, limits.openContainersPerPipeline)
}

function lackingOnNodes(open: OpenContainers, view: ClusterView, each: number): readonly NewContainer[] {
  const counts = countBy([...open.values()].flatMap(({ datanodes }) => datanodes))
  return [...view.nodes.values()].filter(isWritable).flatMap(({ id }) => {
    return repeated({ pipeline: undefined, datanodes: [id] }, each - (counts.get(id) ?? 0))
  })
}

function lackingInPipelines(open: OpenContainers, view: ClusterView, each: number): readonly NewContainer[] {
  const counts = countBy([...open.values()].flatMap(({ pipeline }) => pipeline ?? []))
  return usablePipelines(view).flatMap(({ id, row }) => {
    return repeated({ pipeline: id, datanodes: row.members }, each - (counts.get(id) ?? 0))
  })
}

/** As `usableContainers`: whole ones, and where there are none those that a majority of takes writes. */
function usablePipelines(view: ClusterView): readonly ClusterPipeline[] {
  const open = [...view.pipelines.values()].filter(({ row }) => row.state === 'OPEN' && row.kind === 'THREE')
  const writable = (pipeline: ClusterPipeline) =>
    pipeline.row.members.filter((member) => isWritable(view.nodes.get(member))).length
  const whole = open.filter((pipeline) => writable(pipeline) === pipeline.row.members.length)
  if (whole.length > 0) return whole
  return open.filter((pipeline) => writable(pipeline) >= majorityOf(pipeline.row.members.length))
}

function countBy<Key>(keys: readonly Key[]): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

function repeated(place: NewContainer, times: number): readonly NewContainer[] {
  return Array.from({ length: Math.max(0, times) }, () => place)
}

/** The error for a caller who wanted to write and finds no place. */
export function whyNoPlace(replication: ReplicationConfig, view: Pick<ClusterView, 'nodes'>): StoreError {
  const nodes = [...view.nodes.values()]
  const alive = nodes.filter(({ health }) => health === 'HEALTHY')
  if (alive.length === 0) return new StoreError('Unavailable', 'no datanode is alive')
  const inService = alive.filter(({ row }) => row.operational === 'IN_SERVICE')
  const wanted = replication === 'RATIS/ONE' ? 1 : 3
  if (inService.length < wanted) {
    const message =
      wanted === 1
        ? 'no datanode is in service'
        : `${replication} needs three datanodes in service, there are ${inService.length}`
    return new StoreError('Unavailable', message)
  }
  const disks = inService.flatMap(({ live }) => live?.disks ?? [])
  if (disks.every(({ state }) => state === 'failed')) {
    return new StoreError('VolumeFailed', 'every disk has failed; restart the datanode to have them verified')
  }
  if (inService.filter(isWritable).length < wanted) {
    return new StoreError('OutOfSpace', wanted === 1 ? 'no datanode has space left' : tooFewWithSpace(replication))
  }
  if (wanted === 1) return new StoreError('Unavailable', 'no container could be opened')
  return new StoreError('Unavailable', `${replication} waits for its first pipeline`)
}

function tooFewWithSpace(replication: ReplicationConfig): string {
  return `${replication} needs three datanodes with space left`
}
