/** One table for both ends of an interface: by the name of each method, what goes, what comes back, and what may be repeated. */

import type { ByteReader, ByteWriter } from '../codec/codec.ts'
import { StoreError, assert } from '../errors.ts'
import type { GroupCallOptions, GroupPayload } from './group-client.ts'
import { decode, encode } from '../codec/record.ts'
import type { Codec } from '../codec/record.ts'
import type { RpcMethods } from './rpc-server.ts'
import type { RpcCall } from './server-call.ts'

/** What a call sends, what it answers, and how a client of a group treats it. */
export interface Method<Request, Reply> extends GroupCallOptions {
  readonly request: Codec<Request>
  readonly reply: Codec<Reply>
  /**
   * `term`: the request names the term of the leader that it is meant for, and no other carries it out, for it changes
   * something; the client fills it in. `none`: it reads, or is for every member, whether it leads or not.
   */
  readonly fence: Request extends Fenced ? 'term' : 'none'
}

/** A request that changes something. */
export interface Fenced {
  /** 0: no leader is known, so that any refuses it and says its term. */
  readonly term: number
}

/** By name. A name ends with its version (`om.getKey.1`): a changed payload is a new method beside the old one. */
export type MethodTable = Readonly<Record<string, AnyMethod>>

interface AnyCodec {
  readonly write: (writer: ByteWriter, value: never) => void
  readonly read: (reader: ByteReader) => unknown
}

interface AnyMethod extends GroupCallOptions {
  readonly request: AnyCodec
  readonly reply: AnyCodec
  readonly fence: 'term' | 'none'
}

export type RequestOf<M extends AnyMethod> = ReturnType<M['request']['read']>
export type ReplyOf<M extends AnyMethod> = ReturnType<M['reply']['read']>

/** What answers each method of a table. */
export type MethodHandlers<Table extends MethodTable, Peer> = {
  readonly [Name in keyof Table]: (
    request: RequestOf<Table[Name]>,
    call: RpcCall<Peer>,
  ) => ReplyOf<Table[Name]> | Promise<ReplyOf<Table[Name]>>
}

export interface ServeOptions<Peer> {
  /** Asked before each call; throws (`AccessDenied`) when this peer may not. */
  readonly admit?: (call: RpcCall<Peer>) => void | Promise<void>
}

/**
 * The methods for an `RpcServer`. A payload that cannot be read is refused with `InvalidArgument`. A call whose caller has
 * gone or whose deadline has passed before its turn is not begun; what was begun is finished, and its answer dropped.
 */
export function serveMethods<Table extends MethodTable, Peer>(
  table: Table,
  handlers: MethodHandlers<Table, Peer>,
  options: ServeOptions<Peer> = {},
): RpcMethods<Peer> {
  return Object.fromEntries(
    Object.entries(table).map(([name, entry]) => {
      const method = entry as unknown as Method<unknown, unknown>
      const handler = handlers[name] as ((request: unknown, call: RpcCall<Peer>) => unknown) | undefined
      assert(handler !== undefined, `${name} has a handler`)
      return [
        name,
        async (call: RpcCall<Peer>) => {
          if (options.admit !== undefined) {
            await options.admit(call)
            call.signal.throwIfAborted()
          }
          const request = decode(method.request, call.payload)
          return { payload: encode(method.reply, await handler(request, call)) }
        },
      ]
    }),
  )
}

/** Whatever carries a payload to where it is answered: a `GroupClient`. */
export interface MethodCaller {
  call(method: string, payload: GroupPayload, options: GroupCallOptions): Promise<Uint8Array>
}

/** What a caller says of it: the term is for the client of the group to fill in. */
type Said<M extends AnyMethod> = M['fence'] extends 'term' ? Omit<RequestOf<M>, 'term'> : RequestOf<M>

/** Calls a method of the table. `Incompatible` for an answer that cannot be read: the server is another release. */
export type Ask<Table extends MethodTable> = <Name extends keyof Table & string>(
  name: Name,
  request: Said<Table[Name]>,
) => Promise<ReplyOf<Table[Name]>>

export function askerOf<Table extends MethodTable>(caller: MethodCaller, table: Table): Ask<Table> {
  return async (name, request) => {
    const method = table[name] as unknown as Asked<ReplyOf<Table[typeof name]>>
    const payload = await caller.call(name, payloadOf(method, request), method)
    try {
      return decode(method.reply, payload)
    } catch (cause) {
      throw new StoreError('Incompatible', `the answer of ${name} cannot be read`, { cause })
    }
  }
}

interface Asked<Reply> extends GroupCallOptions {
  readonly request: Codec<unknown>
  readonly reply: Codec<Reply>
  readonly fence: 'term' | 'none'
}

function payloadOf(
  { request: codec, fence }: Pick<Asked<unknown>, 'request' | 'fence'>,
  request: unknown,
): GroupPayload {
  if (fence === 'none') return encode(codec, request)
  return (term) => encode(codec, { ...(request as object), term })
}
