import { StoreError } from '@o3/common/errors'
import { serveMethods } from '@o3/common/rpc'
import type { MethodHandlers, RpcMethods, ServeOptions } from '@o3/common/rpc'
import type { ExecuteOptions } from '@o3/ratis/api'
import type {
  BlockRange,
  ContainerId,
  DatanodeAnswer,
  DatanodeId,
  OperationalRequest,
  PipelineId,
  Scm,
} from '../api/api.ts'
import { scmMethods } from './methods.ts'
import type { ScmMethods } from './methods.ts'
import type { PagedAnswer } from './records.ts'

/** An SCM that can be asked from afar: what changes something is `NotLeader` when it does not lead in the term that is named. */
export interface ServedScm extends Scm {
  allocateBlocks(
    request: Parameters<Scm['allocateBlocks']>[0],
    options?: ExecuteOptions,
  ): Promise<readonly BlockRange[]>
  deleteBlocks(blocks: readonly BlockRange[], options?: ExecuteOptions): Promise<void>
  closeContainer(container: ContainerId, options?: ExecuteOptions): Promise<void>
  closePipeline(pipeline: PipelineId, options?: ExecuteOptions): Promise<void>
  setOperational(request: OperationalRequest, options?: ExecuteOptions): Promise<void>
  rotateSecretKey(options?: ExecuteOptions): Promise<number>
}

export interface ServeScmOptions<Peer> extends ServeOptions<Peer> {
  /** Whether this peer may have the secret keys: OM and datanodes may. Default: nobody, `AccessDenied`. */
  readonly mayHaveKeys?: (peer: Peer) => boolean
  /** Whether a connection is of this datanode. Who is not may not report for it: `AccessDenied`. Default: whoever may call. */
  readonly isDatanode?: (peer: Peer, id: DatanodeId) => boolean
}

/** SCM's doors for an `RpcServer`. Refusals cross as they are. What the methods answer is in `methods.ts`. */
export function serveScm<Peer>(scm: ServedScm, options: ServeScmOptions<Peer> = {}): RpcMethods<Peer> {
  return serveMethods(scmMethods, handlersOf<Peer>(scm, options), options)
}

function handlersOf<Peer>(
  scm: ServedScm,
  { isDatanode = () => true, mayHaveKeys }: ServeScmOptions<Peer>,
): MethodHandlers<ScmMethods, Peer> {
  const expectSelf = (peer: Peer, id: DatanodeId): void => {
    if (!isDatanode(peer, id)) throw new StoreError('AccessDenied', `this connection may not report for ${id}`)
  }
  return {
    'scm.register.1': async (request, { peer }) => {
      expectSelf(peer, request.id)
      return paged(await scm.register(request))
    },
    'scm.heartbeat.1': async (request, { peer }) => {
      expectSelf(peer, request.id)
      return paged(await scm.heartbeat(request))
    },
    'scm.allocateBlocks.1': ({ requestId, term, ...request }) => scm.allocateBlocks(request, { requestId, term }),
    'scm.deleteBlocks.1': ({ requestId, term, blocks }) => scm.deleteBlocks(blocks, { requestId, term }),
    'scm.locate.1': (container) => scm.locate(container),
    'scm.secretKeys.1': (_, { peer }) => {
      if (mayHaveKeys?.(peer) !== true) throw new StoreError('AccessDenied', 'the secret keys are for OM and datanodes')
      return scm.secretKeys()
    },
    'scm.rotateSecretKey.1': ({ requestId, term }) => scm.rotateSecretKey({ requestId, term }),
    'scm.listNodes.1': async ({ after }) => {
      const nodes = (await scm.listNodes()).toSorted((a, b) => (a.id < b.id ? -1 : 1))
      return whole(after === undefined ? nodes : nodes.filter(({ id }) => id > after))
    },
    'scm.listContainers.1': async (query) => whole(await scm.listContainers(query)),
    'scm.closeContainer.1': ({ requestId, term, container }) => scm.closeContainer(container, { requestId, term }),
    'scm.summary.1': () => scm.summary(),
    'scm.listPipelines.1': async ({ after }) => {
      const pipelines = (await scm.listPipelines()).toSorted((a, b) => (a.id < b.id ? -1 : 1))
      return whole(after === undefined ? pipelines : pipelines.filter(({ id }) => id > after))
    },
    'scm.closePipeline.1': ({ requestId, term, pipeline }) => scm.closePipeline(pipeline, { requestId, term }),
    'scm.containerInfo.1': (container) => scm.containerInfo(container),
    'scm.setOperational.1': ({ requestId, term, ...request }) => scm.setOperational(request, { requestId, term }),
    'scm.safemode.1': () => scm.safemode(),
    'scm.exitSafemode.1': () => scm.exitSafemode(),
    'scm.deletedBlocks.1': () => scm.deletedBlocks(),
    'scm.replicationReport.1': () => scm.replicationReport(),
    'scm.balancer.1': () => scm.balancer(),
    'scm.setBalancer.1': (to) => scm.setBalancer(to),
  }
}

function paged({ term, commands }: DatanodeAnswer): PagedAnswer {
  return { term, commands: whole(commands) }
}

/** The codec cuts it where it would not fit. */
function whole<T>(items: readonly T[]): { readonly items: readonly T[]; readonly truncated: boolean } {
  return { items, truncated: false }
}
