/** What is to happen to a pipeline, from its row and what its members report. */

import type { DatanodeCommand, DatanodeId, PipelineId, PipelineMember } from '../../api/api.ts'
import type { ClusterNode, ClusterPipeline, ClusterView } from '../cluster-view.ts'
import type { ScmCommand } from '../command.ts'
import { majorityOf, numberOfPipeline } from '../tables.ts'

export interface PipelineLimits {
  /** Pipelines of three that a datanode is a member of; one more where another datanode would have none. */
  readonly pipelinesPerNode: number
  /**
   * A pipeline opens when all its members are there; after so long, when a majority is. Datanodes that have not joined or left
   * for so long may be in more than one pipeline together.
   */
  readonly pipelineGraceMs: number
  /** One that is not open by then is given up; so is an open one that a member has not got by then. */
  readonly pipelineTimeoutMs: number
}

export interface PipelineDue {
  readonly datanode: DatanodeId
  readonly command: Extract<DatanodeCommand, { readonly kind: 'create-pipeline' | 'close-pipeline' }>
}

export interface PipelinePlan {
  readonly change: Extract<ScmCommand, { readonly kind: 'transition-pipeline' }> | undefined
  /** Why it closes, for people. */
  readonly why?: string
  readonly due: readonly PipelineDue[]
}

export function planPipeline(pipeline: ClusterPipeline, view: ClusterView, limits: PipelineLimits): PipelinePlan {
  if (pipeline.row.state === 'CLOSED') return planClosed(pipeline, view)
  const why = whyClose(pipeline, view, limits)
  if (why !== undefined) return { ...moved(pipeline.id, 'CLOSED'), why }
  if (pipeline.row.state === 'OPEN') return { change: undefined, due: [] }
  return isReady(pipeline, view, limits)
    ? moved(pipeline.id, 'OPEN')
    : { change: undefined, due: creations(pipeline, view) }
}

/** A member that is silent for a moment is no reason: writers go on with a majority. */
function whyClose(pipeline: ClusterPipeline, view: ClusterView, limits: PipelineLimits): string | undefined {
  const isOld = view.wallMs - pipeline.row.createdMs >= limits.pipelineTimeoutMs
  for (const member of pipeline.row.members) {
    const node = view.nodes.get(member)
    if (node === undefined || node.health === 'DEAD') return `datanode ${member} is dead`
    if (node.row.operational !== 'IN_SERVICE') return `datanode ${member} is ${node.row.operational}`
    if (pipeline.reports.get(member)?.state === 'failed') return `its log at datanode ${member} has failed`
    if (isOld && isWithout(pipeline, node)) return `datanode ${member} has not got it`
  }
  return isOld && pipeline.row.state === 'ALLOCATED' ? 'its members did not take it up' : undefined
}

/** It is open, and a member that says what it has does not have it. */
function isWithout({ id, row }: ClusterPipeline, { health, live }: ClusterNode): boolean {
  return row.state === 'OPEN' && health === 'HEALTHY' && live?.pipelines?.has(id) === false
}

/** Its members have it, and have elected one of them. */
function isReady({ row, reports }: ClusterPipeline, view: ClusterView, limits: PipelineLimits): boolean {
  const open = [...reports.values()].filter(({ state }) => state === 'open')
  if (!open.some(({ leader }) => leader !== undefined)) return false
  if (open.length === row.members.length) return true
  return open.length >= majorityOf(row.members.length) && view.wallMs - row.createdMs >= limits.pipelineGraceMs
}

/**
 * Only while it is allocated, when nothing has been written through it: a member that had its log and lost it must not begin
 * again with an empty one, for it could vote for what its log would have refused.
 */
function creations({ id, row, reports }: ClusterPipeline, view: ClusterView): readonly PipelineDue[] {
  const members = row.members.flatMap((datanode): readonly PipelineMember[] => {
    const address = view.nodes.get(datanode)?.row.address
    return address === undefined ? [] : [{ datanode, address }]
  })
  return row.members
    .filter((datanode) => !reports.has(datanode))
    .map((datanode) => ({ datanode, command: { kind: 'create-pipeline', pipeline: id, members } }))
}

/** Its containers are sealed first, through its log where that still works. The dead are told when they come back. */
function planClosed({ id, row, reports }: ClusterPipeline, view: ClusterView): PipelinePlan {
  if (view.containersOf(id).size > 0) return { change: undefined, due: [] }
  const isLeft = row.members.every((member) => {
    const node = view.nodes.get(member)
    if (node === undefined || node.health === 'DEAD') return true
    return node.health === 'HEALTHY' && node.live !== undefined && !reports.has(member)
  })
  if (isLeft) return moved(id, 'GONE')
  const due = row.members.filter((member) => reports.has(member)).map((datanode) => closeOf(datanode, id))
  return { change: undefined, due }
}

function moved(pipeline: PipelineId, to: 'OPEN' | 'CLOSED' | 'GONE'): PipelinePlan {
  return { change: { kind: 'transition-pipeline', pipeline, to }, due: [] }
}

function closeOf(datanode: DatanodeId, pipeline: PipelineId): PipelineDue {
  return { datanode, command: { kind: 'close-pipeline', pipeline } }
}

/**
 * What a datanode reports that has no row, and whose number was given out: it was away when the pipeline was closed. A later
 * number, or another form of id, is none of ours.
 */
export function planUnknownPipelines(datanode: DatanodeId, view: ClusterView): readonly PipelineDue[] {
  const reported = view.nodes.get(datanode)?.live?.pipelines
  if (reported === undefined) return []
  return [...reported.keys()].flatMap((id) => {
    const number = numberOfPipeline(id)
    const isOurs = number !== undefined && number <= view.lastPipeline && !view.pipelines.has(id)
    return isOurs ? [closeOf(datanode, id)] : []
  })
}
