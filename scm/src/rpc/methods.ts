/** SCM's doors on the wire: a method for each, and the compiler sees to it that none is missing. */

import type { Method } from '@o3/common/rpc'
import { count, integer, listOf, nothing, optional, pageOf, record, text } from '@o3/common/rpc/record'
import type { Page } from '@o3/common/rpc/record'
import type {
  BlockRange,
  ContainerId,
  ContainerInfo,
  DatanodeCommand,
  DatanodeId,
  DatanodeInfo,
  Heartbeat,
  RegisterRequest,
  Scm,
  ScmSummary,
} from '../api/api.ts'
import * as r from './records.ts'

type QueryOf<Door extends keyof Scm> = Parameters<Scm[Door]>[0]
type AnswerOf<Door extends keyof Scm> = Awaited<ReturnType<Scm[Door]>>

/** Always there: the client draws one, so that its repetitions are the same request. */
interface Named {
  readonly requestId: string
}

export type AllocateRequest = Named & QueryOf<'allocateBlocks'>
export type DeleteBlocksRequest = Named & { readonly blocks: readonly BlockRange[] }
export type CloseContainerRequest = Named & { readonly container: ContainerId }
export interface ListNodesRequest {
  /** Nodes after this one, in the order of their ids. */
  readonly after?: DatanodeId
}

/** What differs from the doors: ids of requests, and what one answer may not hold is asked for in pieces. */
interface Reshaped {
  /** Commands that an answer does not hold come with a later heartbeat: SCM repeats them until they are done. */
  readonly register: Method<RegisterRequest, Page<DatanodeCommand>>
  readonly heartbeat: Method<Heartbeat, Page<DatanodeCommand>>
  readonly allocateBlocks: Method<AllocateRequest, AnswerOf<'allocateBlocks'>>
  readonly deleteBlocks: Method<DeleteBlocksRequest, void>
  readonly closeContainer: Method<CloseContainerRequest, void>
  readonly listNodes: Method<ListNodesRequest, Page<DatanodeInfo>>
  readonly summary: Method<void, ScmSummary>
  readonly listContainers: Method<QueryOf<'listContainers'>, Page<ContainerInfo>>
}

type MethodOf<Door extends keyof Scm> = Door extends keyof Reshaped
  ? Reshaped[Door]
  : Method<QueryOf<Door>, AnswerOf<Door>>

/** All of them read, are idempotent (`register`, `heartbeat`), or carry their id. */
const small = { repeat: 'whenever' } as const
const list = { repeat: 'whenever', tryMs: 10_000 } as const

export const scmMethods = {
  'scm.register.1': { request: r.registerRequest, reply: pageOf(r.datanodeCommand), ...list },
  'scm.heartbeat.1': { request: r.heartbeat, reply: pageOf(r.datanodeCommand), ...small },

  'scm.allocateBlocks.1': {
    request: record<AllocateRequest>({ requestId: text, count: integer, replication: r.replication }),
    reply: listOf(r.blockRange),
    ...small,
  },
  'scm.deleteBlocks.1': {
    request: record<DeleteBlocksRequest>({ requestId: text, blocks: listOf(r.blockRange) }),
    reply: nothing,
    ...small,
  },
  'scm.locate.1': { request: count, reply: listOf(r.replicaLocation), ...small },

  'scm.listNodes.1': {
    request: record<ListNodesRequest>({ after: optional(text) }),
    reply: pageOf(r.datanodeInfo),
    ...list,
  },
  'scm.listContainers.1': { request: r.containerQuery, reply: pageOf(r.containerInfo), ...list },
  'scm.closeContainer.1': {
    request: record<CloseContainerRequest>({ requestId: text, container: count }),
    reply: nothing,
    ...small,
  },
  'scm.summary.1': { request: nothing, reply: r.scmSummary, ...list },
} as const satisfies { readonly [Door in keyof Scm as `scm.${Door}.1`]: MethodOf<Door> }

export type ScmMethods = typeof scmMethods
