import { StoreError } from '@o3/common/errors'
import { serveMethods } from '@o3/common/rpc'
import type { MethodHandlers, RpcMethods, ServeOptions } from '@o3/common/rpc'
import type { ExecuteOptions } from '@o3/ratis/api'
import { maxParts } from '../api/api.ts'
import type { Key, KeyRef, Lease, LookupAnswer, LookupRequest, OmClient, OmCommand, OmReply } from '../api/api.ts'
import { omMethods } from './methods.ts'
import type { OmMethods } from './methods.ts'

/** An OM that can be asked from afar. */
export interface ServedOm extends OmClient {
  /** `NotLeader` when it does not lead in that term. */
  execute(command: OmCommand, options?: ExecuteOptions): Promise<OmReply>
  leaseBlocks(request: Parameters<OmClient['leaseBlocks']>[0], options?: ExecuteOptions): Promise<Lease>
  getReadableKey(ref: KeyRef): Key | Promise<Key>
  lookupRows(request: LookupRequest): LookupAnswer | Promise<LookupAnswer>
}

/**
 * OM's doors for an `RpcServer`, to be put together with those of other services: `{ ...serveOm(om), ...serveScm(scm) }`.
 * Refusals cross as they are, `NotLeader` with its hint too. What the methods answer is in `methods.ts`.
 */
export function serveOm<Peer>(om: ServedOm, options: ServeOptions<Peer> = {}): RpcMethods<Peer> {
  return serveMethods(omMethods, handlersOf<Peer>(om), options)
}

function handlersOf<Peer>(om: ServedOm): MethodHandlers<OmMethods, Peer> {
  return {
    'om.execute.1': ({ command, requestId, term }) => om.execute(command, { requestId, term }),
    'om.getVolume.1': (volume) => om.getVolume(volume),
    'om.listVolumes.1': (query) => om.listVolumes(query),
    'om.getBucket.1': (ref) => om.getBucket(ref),
    'om.listBuckets.1': (query) => om.listBuckets(query),
    'om.getKey.1': (ref) => om.getReadableKey(ref),
    'om.listKeys.1': (query) => om.listKeys(query),
    'om.getUpload.1': (ref) => om.getUpload(ref),
    'om.listUploads.1': (query) => om.listUploads(query),
    'om.listParts.1': (query) => om.listParts(query),
    'om.getParts.1': async (query) => {
      if (query.numbers.length > maxParts) throw new StoreError('TooManyEntries', `an upload has ${maxParts} parts`)
      return { items: await om.getParts(query), truncated: false }
    },
    'om.getUser.1': (name) => om.getUser(name),
    'om.listUsers.1': (query) => om.listUsers(query),
    'om.getAccessKey.1': (id) => om.getAccessKey(id),
    'om.listAccessKeys.1': (query) => om.listAccessKeys(query),
    'om.leaseBlocks.1': ({ requestId, term, ...request }) => om.leaseBlocks(request, { requestId, term }),
    'om.lookup.1': (request) => om.lookupRows(request),
    'om.audit.1': async () => ({ items: await om.audit(), truncated: false }),
  }
}
