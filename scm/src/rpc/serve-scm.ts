import { serveMethods } from '@o3/common/rpc'
import type { MethodHandlers, RpcMethods, ServeOptions } from '@o3/common/rpc'
import type { Scm } from '../api/api.ts'
import { scmMethods } from './methods.ts'
import type { ScmMethods } from './methods.ts'

/** SCM's doors for an `RpcServer`. Refusals cross as they are. What the methods answer is in `methods.ts`. */
export function serveScm<Peer>(scm: Scm, options: ServeOptions<Peer> = {}): RpcMethods<Peer> {
  return serveMethods(scmMethods, handlersOf<Peer>(scm), options)
}

function handlersOf<Peer>(scm: Scm): MethodHandlers<ScmMethods, Peer> {
  return {
    'scm.register.1': async (request) => whole((await scm.register(request)).commands),
    'scm.heartbeat.1': async (request) => whole((await scm.heartbeat(request)).commands),
    'scm.allocateBlocks.1': ({ requestId, ...request }) => scm.allocateBlocks(request, { requestId }),
    'scm.deleteBlocks.1': ({ requestId, blocks }) => scm.deleteBlocks(blocks, { requestId }),
    'scm.locate.1': (container) => scm.locate(container),
    'scm.listNodes.1': async ({ after }) => {
      const nodes = (await scm.listNodes()).toSorted((a, b) => (a.id < b.id ? -1 : 1))
      return whole(after === undefined ? nodes : nodes.filter(({ id }) => id > after))
    },
    'scm.listContainers.1': async (query) => whole(await scm.listContainers(query)),
    'scm.closeContainer.1': ({ requestId, container }) => scm.closeContainer(container, { requestId }),
    'scm.summary.1': () => scm.summary(),
  }
}

/** The codec cuts it where it would not fit. */
function whole<T>(items: readonly T[]): { readonly items: readonly T[]; readonly truncated: boolean } {
  return { items, truncated: false }
}
