/** SCM's doors on the wire: a method for each, and the compiler sees to it that none is missing. */

import type { Fenced, Method } from '@o3/common/rpc'
import { count, flag, integer, listOf, nothing, optional, pageOf, record, text, word } from '@o3/common/codec/record'
import type { Page } from '@o3/common/codec/record'
import type {
  BalancerStatus,
  BlockRange,
  ContainerId,
  ContainerInfo,
  DatanodeId,
  DatanodeInfo,
  DeletedBlocksSummary,
  Heartbeat,
  PipelineId,
  PipelineInfo,
  RegisterRequest,
  ReplicationReport,
  SafemodeStatus,
  Scm,
  ScmSummary,
} from '../api/api.ts'
import * as r from './records.ts'

type QueryOf<Door extends keyof Scm> = Parameters<Scm[Door]>[0]
type AnswerOf<Door extends keyof Scm> = Awaited<ReturnType<Scm[Door]>>

/** A change of a caller's. */
interface Change extends Fenced {
  /** Always there: the client draws one, so that its repetitions are the same request. */
  readonly requestId: string
}

export type AllocateRequest = Change & QueryOf<'allocateBlocks'>
export type DeleteBlocksRequest = Change & { readonly blocks: readonly BlockRange[] }
export type CloseContainerRequest = Change & { readonly container: ContainerId }
export type ClosePipelineRequest = Change & { readonly pipeline: PipelineId }
export type SetOperationalRequest = Change & QueryOf<'setOperational'>
export interface ListPipelinesRequest {
  /** Pipelines after this one, in the order of their ids. */
  readonly after?: PipelineId
}
export interface ListNodesRequest {
  /** Nodes after this one, in the order of their ids. */
  readonly after?: DatanodeId
}

/** What differs from the doors: ids of requests, and what one answer may not hold is asked for in pieces. */
interface Reshaped {
  readonly register: Method<RegisterRequest, r.PagedAnswer>
  readonly heartbeat: Method<Heartbeat, r.PagedAnswer>
  readonly allocateBlocks: Method<AllocateRequest, AnswerOf<'allocateBlocks'>>
  readonly deleteBlocks: Method<DeleteBlocksRequest, void>
  readonly closeContainer: Method<CloseContainerRequest, void>
  readonly listNodes: Method<ListNodesRequest, Page<DatanodeInfo>>
  readonly summary: Method<void, ScmSummary>
  readonly secretKeys: Method<void, AnswerOf<'secretKeys'>>
  readonly rotateSecretKey: Method<Change, number>
  readonly listContainers: Method<QueryOf<'listContainers'>, Page<ContainerInfo>>
  readonly listPipelines: Method<ListPipelinesRequest, Page<PipelineInfo>>
  readonly closePipeline: Method<ClosePipelineRequest, void>
  readonly setOperational: Method<SetOperationalRequest, void>
  readonly safemode: Method<void, SafemodeStatus>
  readonly exitSafemode: Method<void, void>
  readonly deletedBlocks: Method<void, DeletedBlocksSummary>
  readonly replicationReport: Method<void, ReplicationReport>
  readonly balancer: Method<void, BalancerStatus>
  readonly setBalancer: Method<'on' | 'off', void>
}

type MethodOf<Door extends keyof Scm> = Door extends keyof Reshaped
  ? Reshaped[Door]
  : Method<QueryOf<Door>, AnswerOf<Door>>

/** They read, or tell each member, whether it leads or not, how things are (`register`, `heartbeat`). */
const small = { repeat: 'whenever', fence: 'none' } as const
const list = { repeat: 'whenever', fence: 'none', tryMs: 10_000 } as const
/** It carries its id, so it may be repeated, and a term, so that no copy is carried out after the answer. */
const change = { repeat: 'whenever', fence: 'term' } as const
/** What `change` is about, in every request of that kind. */
const named = { requestId: text, term: count }

export const scmMethods = {
  'scm.register.1': { request: r.registerRequest, reply: r.datanodeAnswer, ...list },
  'scm.heartbeat.1': { request: r.heartbeat, reply: r.datanodeAnswer, ...small },

  'scm.allocateBlocks.1': {
    request: record<AllocateRequest>({ ...named, count: integer, replication: r.replication }),
    reply: listOf(r.blockRange),
    ...change,
  },
  'scm.deleteBlocks.1': {
    request: record<DeleteBlocksRequest>({ ...named, blocks: listOf(r.blockRange) }),
    reply: nothing,
    ...change,
  },
  'scm.locate.1': { request: count, reply: r.containerPlace, ...small },

  'scm.secretKeys.1': { request: nothing, reply: r.secretKeys, ...small },
  'scm.rotateSecretKey.1': { request: record<Change>(named), reply: count, ...change },

  'scm.listNodes.1': {
    request: record<ListNodesRequest>({ after: optional(text) }),
    reply: pageOf(r.datanodeInfo),
    ...list,
  },
  'scm.listContainers.1': { request: r.containerQuery, reply: pageOf(r.containerInfo), ...list },
  'scm.closeContainer.1': {
    request: record<CloseContainerRequest>({ ...named, container: count }),
    reply: nothing,
    ...change,
  },
  'scm.summary.1': { request: nothing, reply: r.scmSummary, ...list },

  'scm.listPipelines.1': {
    request: record<ListPipelinesRequest>({ after: optional(text) }),
    reply: pageOf(r.pipelineInfo),
    ...list,
  },
  'scm.closePipeline.1': {
    request: record<ClosePipelineRequest>({ ...named, pipeline: text }),
    reply: nothing,
    ...change,
  },
  'scm.containerInfo.1': { request: count, reply: r.containerDetails, ...small },
  'scm.setOperational.1': {
    request: record<SetOperationalRequest>({
      ...named,
      datanode: text,
      wanted: r.wantedOperational,
      untilMs: optional(count),
      force: optional(flag),
    }),
    reply: nothing,
    ...change,
  },
  'scm.safemode.1': { request: nothing, reply: r.safemodeStatus, ...small },
  // It changes nothing that is written down, and twice is as good as once.
  'scm.exitSafemode.1': { request: nothing, reply: nothing, ...small },
  'scm.deletedBlocks.1': { request: nothing, reply: r.deletedBlocks, ...list },
  'scm.replicationReport.1': { request: nothing, reply: r.replicationReport, ...list },
  'scm.balancer.1': { request: nothing, reply: r.balancerStatus, ...small },
  'scm.setBalancer.1': { request: word('on', 'off'), reply: nothing, ...small },
} as const satisfies { readonly [Door in keyof Scm as `scm.${Door}.1`]: MethodOf<Door> }

export type ScmMethods = typeof scmMethods
