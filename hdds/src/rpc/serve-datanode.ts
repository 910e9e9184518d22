/** A datanode behind the wire: the table between its interface and the calls of other processes. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { RpcBody, RpcCall, RpcHandler, RpcLimits, RpcMethods, RpcReply } from '@o3/common/rpc'
import { maxChunkBytes } from '../api/api.ts'
import type { Datanode, PipelineMembership, ReadAccess, ReplicaSource } from '../api/api.ts'
import { assertArrived } from './arrival.ts'
import { LimitedWriter, longerThanAllowed } from './limited-writer.ts'
import { pagesOf } from './listing.ts'
import { exchanges, listings } from './methods.ts'
import type { ExchangeName, ItemOf, ListingName, ReplyOf, RequestOf } from './methods.ts'
import { PatientBody } from './patient-body.ts'
import type { Patience } from './patient-body.ts'
import type { Addressed, Codec, ItemCodec, NewBlock } from './records.ts'
import { ByteFeed } from './runs.ts'
import { ServedRead } from './served-read.ts'
import { ServedWriter } from './served-writer.ts'
import { admitCall } from './token-check.ts'
import type { TokenCheck } from './token-check.ts'

export interface ServeDatanodeOptions {
  readonly clock: Clock
  /** Looks at the token of every call that is about blocks. There is no way to serve without: a `Vouching` over SCM's keys. */
  readonly tokens: TokenCheck
  /**
   * A caller that neither sends the next bytes of a write, nor takes those of a read, for so long is cut off: what it
   * held is free then. Longer than gateways wait for their own callers. Default five minutes.
   */
  readonly silenceMs?: number
}

/**
 * For the server that serves a datanode. A writer is a call for as long as its block is open, and most of them wait for
 * somebody far away: many are allowed on one connection, and what each may hold is small. A window, and the run of at most
 * a MiB that is gathered: a connection whose 1,024 writers all stop in the middle of a run holds 1.25 GiB, until they are
 * cut off; the same writers between two runs hold nothing.
 */
export const datanodeRpcLimits = {
  maxConcurrentCalls: 1024,
  windowBytes: 256 * 1024,
} as const satisfies Partial<RpcLimits>

const defaultSilenceMs = 5 * 60_000

interface Answer<Reply> {
  readonly reply: Reply
  readonly body?: RpcBody
}

/** What is called from elsewhere. */
export type ServedDatanode = Datanode & PipelineMembership & ReplicaSource

interface Served {
  readonly datanode: ServedDatanode
  readonly patience: Patience
}

/** One call that was let in. */
interface Admitted extends Served {
  /** The longest block that its token allows to write. */
  readonly maxBytes: number
}

type Handler<Name extends ExchangeName> = (
  served: Admitted,
  request: RequestOf<Name>,
  call: RpcCall<unknown>,
) => Promise<Answer<ReplyOf<Name>>>

type Lister<Name extends ListingName> = (
  datanode: ServedDatanode,
  request: RequestOf<Name>,
) => readonly ItemOf<Name>[] | Promise<readonly ItemOf<Name>[]>

const answerers: { readonly [Name in ExchangeName]: Handler<Name> } = {
  async 'hdds.writeBlock.1'({ datanode, patience, maxBytes }, request, call) {
    if (request.lengthBytes > maxBytes) throw longerThanAllowed(maxBytes)
    return { reply: await datanode.writeBlock(request.block, await receiveBlock(request, call, patience), request) }
  },

  async 'hdds.openWriter.1'({ datanode, patience, maxBytes }, request, call) {
    const writer = new LimitedWriter(await datanode.openWriter(request.block, request), maxBytes)
    return { reply: undefined, body: new ServedWriter(writer, new PatientBody(call.body ?? nothing(), patience)) }
  },

  async 'hdds.read.1'({ datanode, patience }, request) {
    const { block, range } = request
    return { reply: undefined, body: new ServedRead(datanode.read(block, range, request), patience) }
  },

  async 'hdds.readSmall.1'({ datanode }, request, call) {
    const { block, range } = request
    if (range.length > maxChunkBytes) {
      throw new StoreError('InvalidArgument', `a small read is of at most ${maxChunkBytes} bytes`)
    }
    return { reply: undefined, body: await datanode.readSmall(block, range, cancelledWith(call)) }
  },

  async 'hdds.createContainer.1'({ datanode }, container) {
    return { reply: await nothingFrom(datanode.createContainer(container)) }
  },

  async 'hdds.closeContainer.1'({ datanode }, container) {
    return { reply: await nothingFrom(datanode.closeContainer(container)) }
  },

  async 'hdds.deleteContainer.1'({ datanode }, container) {
    return { reply: await nothingFrom(datanode.deleteContainer(container)) }
  },

  async 'hdds.deleteBlocks.1'({ datanode }, ranges) {
    return { reply: await nothingFrom(datanode.deleteBlocks(ranges)) }
  },

  async 'hdds.compact.1'({ datanode }) {
    return { reply: await datanode.compact() }
  },

  async 'hdds.summarizeReplica.1'({ datanode }, container) {
    return { reply: await datanode.summarizeReplica(container) }
  },

  async 'hdds.readBlocks.1'({ datanode, patience }, ranges) {
    return { reply: undefined, body: new ServedRead(datanode.readBlocks(ranges), patience) }
  },

  async 'hdds.createPipeline.1'({ datanode }, { pipeline, members }) {
    return { reply: await nothingFrom(datanode.createPipeline(pipeline, members)) }
  },

  async 'hdds.closePipeline.1'({ datanode }, pipeline) {
    return { reply: await nothingFrom(datanode.closePipeline(pipeline)) }
  },

  async 'hdds.agreeBlock.1'({ datanode }, request) {
    return { reply: await nothingFrom(datanode.agreeBlock(request.agreed, request)) }
  },
}

const listers: { readonly [Name in ListingName]: Lister<Name> } = {
  'hdds.listBlocks.2': (datanode, container) => datanode.listBlocks(container),
  'hdds.containers.3': (datanode) => datanode.containers(),
  'hdds.disks.2': (datanode) => datanode.disks(),
  'hdds.scrubContainer.1': (datanode, container) => datanode.scrubContainer(container),
  'hdds.findings.1': (datanode) => datanode.findings(),
  'hdds.listReplica.1': (datanode, page) => datanode.listReplica(page),
  'hdds.pipelines.1': (datanode) => datanode.pipelines(),
}

/**
 * The methods of an RPC server, for the other services of the cluster, which have proved to that server who they are. A call
 * about blocks is let in by its token (`deeds.ts`), whoever makes it: `AccessDenied` without a genuine one, for another deed
 * or other blocks, or after its time.
 */
export function serveDatanode(datanode: ServedDatanode, options: ServeDatanodeOptions): RpcMethods<unknown> {
  const { clock, tokens, silenceMs = defaultSilenceMs } = options
  const served = { datanode, patience: { clock, silenceMs } }
  const methods: Record<string, RpcHandler<unknown>> = {}
  for (const name of Object.keys(exchanges) as ExchangeName[]) methods[name] = exchangeHandler(served, name, tokens)
  for (const name of Object.keys(listings) as ListingName[]) methods[name] = listingHandler(served, name, tokens)
  return methods
}

function exchangeHandler(served: Served, name: ExchangeName, tokens: TokenCheck): RpcHandler<unknown> {
  const { request: codec, reply: replyCodec } = exchanges[name] as unknown as {
    readonly request: Codec<Addressed<unknown>>
    readonly reply: Codec<unknown>
  }
  const answer = answerers[name] as (
    served: Admitted,
    request: unknown,
    call: RpcCall<unknown>,
  ) => Promise<Answer<unknown>>
  return async (call): Promise<RpcReply> => {
    const addressed = readRequest(served.datanode, codec, call.payload)
    const admitting = admitCall(tokens, name, addressed)
    const maxBytes = admitting instanceof Promise ? await admitting : admitting
    const { reply, body } = await answer({ ...served, maxBytes }, addressed.request, call)
    const payload = replyCodec.encode(reply)
    return body === undefined ? { payload } : { payload, body }
  }
}

function listingHandler({ datanode }: Served, name: ListingName, tokens: TokenCheck): RpcHandler<unknown> {
  const { request: codec, items: itemCodec } = listings[name] as unknown as {
    readonly request: Codec<Addressed<unknown>>
    readonly items: ItemCodec<unknown>
  }
  const list = listers[name] as (
    datanode: ServedDatanode,
    request: unknown,
  ) => readonly unknown[] | Promise<readonly unknown[]>
  return async (call): Promise<RpcReply> => {
    const addressed = readRequest(datanode, codec, call.payload)
    await admitCall(tokens, name, addressed)
    const items = await list(datanode, addressed.request)
    return { body: pages(itemCodec, items) }
  }
}

async function* pages<T>(codec: ItemCodec<T>, items: readonly T[]): AsyncGenerator<Uint8Array> {
  yield* pagesOf(codec, items)
}

/** `InvalidArgument` for what cannot be read; `Unavailable` when the caller looks for another datanode. */
function readRequest<T>(datanode: Datanode, codec: Codec<Addressed<T>>, payload: Uint8Array): Addressed<T> {
  const addressed = decoded(codec, payload)
  const { datanode: wanted } = addressed
  if (wanted === datanode.id) return addressed
  // A first write makes its container: at the wrong datanode it would be acknowledged and never found again.
  throw new StoreError('Unavailable', `datanode ${wanted} is not here`, { details: { datanode: datanode.id } })
}

function decoded<T>(codec: Codec<T>, payload: Uint8Array): T {
  try {
    return codec.decode(payload)
  } catch (cause) {
    throw new StoreError('InvalidArgument', 'the request cannot be read', { cause })
  }
}

/** The block as it arrived, without a copy. Exactly what was said, or it is not written. */
async function receiveBlock(
  { lengthBytes, checksum }: NewBlock,
  { body }: RpcCall<unknown>,
  patience: Patience,
): Promise<readonly Uint8Array[]> {
  if (lengthBytes > maxChunkBytes) {
    throw new StoreError('InvalidArgument', `a block in one message has at most ${maxChunkBytes} bytes`)
  }
  const feed = new ByteFeed(new PatientBody(body ?? nothing(), patience))
  const pieces = await feed.take(lengthBytes)
  await feed.end()
  assertArrived(pieces, checksum)
  return pieces
}

/** The signal of a call is made when somebody asks for it: most reads never do. */
function cancelledWith(call: RpcCall<unknown>): ReadAccess {
  return {
    get signal() {
      return call.signal
    },
  }
}

async function nothingFrom(action: Promise<void>): Promise<undefined> {
  await action
  return undefined
}

async function* nothing(): AsyncGenerator<Uint8Array, undefined> {}
