/** What each call does: the table between the wire and a session. The compiler sees to it that none is missing. */

import { createHash } from 'node:crypto'
import { StoreError } from '@o3/common/errors'
import type { RpcCall } from '@o3/common/rpc'
import type { ByteSource, Digests, O3Session } from '@o3/protocol-bus/api'
import { partTrailer, seenParts, trailer } from '../core/calls.ts'
import type { CompleteRequest, Method, ReplyOf, RequestOf } from '../core/calls.ts'
import { encode } from '../core/codec.ts'
import { snapshotDifference } from '../core/records.ts'
import { runOf } from '../core/runs.ts'
import { agreeOn, receiveBody, sendable } from './call-bodies.ts'

/** A reply and, where there is one, the body behind it. */
export interface Answer<Reply> {
  readonly reply: Reply
  readonly body?: ByteSource
}

type Handler<M extends Method> = (
  session: O3Session,
  request: RequestOf<M>,
  call: RpcCall<unknown>,
) => Promise<Answer<ReplyOf<M>>>
type Plain<M extends Method> = (session: O3Session, request: RequestOf<M>) => Promise<ReplyOf<M>>

export type Handlers = { readonly [M in Method]: Handler<M> }

/** The calls without bytes. */
const plain = {
  'session.principal.1': async (session) => session.principal,

  'volumes.create.1': ({ volumes }, { volume, ...options }) => volumes.create(volume, options),
  'volumes.list.1': ({ volumes }, options) => volumes.list(options),
  'volumes.info.1': ({ volumes }, { volume }) => volumes.info(volume),
  'volumes.update.1': ({ volumes }, { volume, ...changes }) => volumes.update(volume, changes),
  'volumes.delete.1': ({ volumes }, { volume }) => volumes.delete(volume),

  'buckets.create.1': ({ buckets }, { ref, ...options }) => buckets.create(ref, options),
  'buckets.list.1': ({ buckets }, { volume, ...options }) => buckets.list(volume, options),
  'buckets.info.1': ({ buckets }, ref) => buckets.info(ref),
  'buckets.update.1': ({ buckets }, { ref, ...changes }) => buckets.update(ref, changes),
  'buckets.delete.1': ({ buckets }, ref) => buckets.delete(ref),
  'buckets.link.1': ({ buckets }, { ref, target }) => buckets.link(ref, target),

  'keys.head.1': ({ keys }, { ref, ...options }) => keys.head(ref, options),
  'keys.list.1': ({ keys }, { ref, ...options }) => keys.list(ref, options),
  'keys.copy.1': ({ keys }, { source, target, ...options }) => keys.copy(source, target, options),
  'keys.rename.1': ({ keys }, { ref, to, ...options }) => keys.rename(ref, to, options),
  'keys.delete.1': ({ keys }, { ref, ...options }) => keys.delete(ref, options),
  'keys.delete-many.1': (session, { ref, keys }) => session.keys.deleteMany(ref, keys),
  'keys.set-tags.1': ({ keys }, { ref, tags }) => keys.setTags(ref, tags),

  'uploads.start.1': ({ uploads }, { ref, ...options }) => uploads.start(ref, options),
  'uploads.info.1': ({ uploads }, ref) => uploads.info(ref, ref.upload),
  'uploads.copy-part.1': ({ uploads }, { ref, number, source, ...options }) =>
    uploads.copyPart(ref, ref.upload, number, source, options),
  'uploads.parts.1': ({ uploads }, { ref, ...options }) => uploads.parts(ref, ref.upload, options),
  'uploads.complete.1': complete,
  'uploads.abort.1': ({ uploads }, ref) => uploads.abort(ref, ref.upload),
  'uploads.list.1': ({ uploads }, { ref, ...options }) => uploads.list(ref, options),

  'tree.stat.1': ({ tree }, ref) => tree.stat(ref),
  'tree.list.1': ({ tree }, { ref, ...options }) => tree.list(ref, options),
  'tree.mkdirs.1': ({ tree }, ref) => tree.mkdirs(ref),
  'tree.rename.1': ({ tree }, { ref, to, ...options }) => tree.rename(ref, to, options),
  'tree.remove.1': ({ tree }, { ref, ...options }) => tree.remove(ref, options),
  'tree.truncate.1': ({ tree }, { ref, size }) => tree.truncate(ref, size),
  'tree.set-attributes.1': ({ tree }, { ref, attributes }) => tree.setAttributes(ref, attributes),
  'tree.summary.1': ({ tree }, ref) => tree.summary(ref),

  'snapshots.create.1': ({ snapshots }, { ref, name }) => snapshots.create(ref, name),
  'snapshots.list.1': ({ snapshots }, { ref, ...options }) => snapshots.list(ref, options),
  'snapshots.info.1': ({ snapshots }, { ref, name }) => snapshots.info(ref, name),
  'snapshots.restore.1': ({ snapshots }, { ref, name }) => snapshots.restore(ref, name),
  'snapshots.delete.1': ({ snapshots }, { ref, name }) => snapshots.delete(ref, name),

  'identities.create-user.1': ({ identities }, { user, ...options }) => identities.createUser(user, options),
  'identities.update-user.1': ({ identities }, { user, ...changes }) => identities.updateUser(user, changes),
  'identities.delete-user.1': ({ identities }, { user }) => identities.deleteUser(user),
  'identities.list-users.1': ({ identities }, options) => identities.listUsers(options),
  'identities.get-user.1': ({ identities }, { user }) => identities.getUser(user),
  'identities.create-access-key.1': ({ identities }, { user, given }) => identities.createAccessKey(user, given),
  'identities.update-access-key.1': ({ identities }, { id, ...changes }) => identities.updateAccessKey(id, changes),
  'identities.delete-access-key.1': ({ identities }, { id }) => identities.deleteAccessKey(id),
  'identities.list-access-keys.1': ({ identities }, options) => identities.listAccessKeys(options),

  'admin.summary.1': ({ admin }) => admin.summary(),
  'admin.nodes.1': ({ admin }) => admin.nodes(),
  'admin.containers.1': ({ admin }, options) => admin.containers(options),
  'admin.audit.1': ({ admin }) => admin.audit(),
} as const satisfies { readonly [M in Exclude<Method, BodyMethod>]: Plain<M> }

type BodyMethod = 'keys.put.1' | 'keys.get.1' | 'uploads.put-part.1' | 'tree.append.1' | 'snapshots.diff.1'

/** The calls with bytes on one side. */
const withBodies: { readonly [M in BodyMethod]: Handler<M> } = {
  async 'keys.put.1'(session, { ref, trailer: given, ...options }, call) {
    const { source, trailer: said } = await receiveBody(call, trailer, given)
    const finish = (digests: Digests) => {
      const { digests: claimed, attributes } = said()
      agreeOn(digests, claimed)
      return attributes
    }
    return { reply: await session.keys.put(ref, source, { ...options, finish, signal: call.signal }) }
  },

  async 'uploads.put-part.1'(session, { ref, number, trailer: given, ...options }, call) {
    const { source, trailer: said } = await receiveBody(call, partTrailer, given)
    const finish = (digests: Digests) => {
      const { digests: claimed, part } = said()
      agreeOn(digests, claimed)
      return part
    }
    const reply = await session.uploads.putPart(ref, ref.upload, number, source, {
      ...options,
      finish,
      signal: call.signal,
    })
    return { reply }
  },

  async 'tree.append.1'({ tree }, ref, call) {
    return { reply: await tree.append(ref, call.body ?? new Uint8Array(0)) }
  },

  async 'keys.get.1'({ keys }, { ref, ...options }, call) {
    const { info, start, end, body } = await keys.get(ref, { ...options, signal: call.signal })
    return { reply: { info, start, end }, body: sendable(body.bytes) }
  },

  async 'snapshots.diff.1'({ snapshots }, { ref, from, to }) {
    return { reply: undefined, body: differences(snapshots.diff(ref, from, to)) }
  },
}

async function* differences(found: ReturnType<O3Session['snapshots']['diff']>): AsyncGenerator<Uint8Array> {
  for await (const difference of found) yield runOf(encode(snapshotDifference, difference))
}

/** `finish` runs where the caller is, so what it said goes for the parts that it saw and for no others. */
function complete({ uploads }: O3Session, { ref, parts, whole, ...options }: CompleteRequest) {
  return uploads.complete(ref, ref.upload, parts, {
    ...options,
    finish(stored) {
      const seen = createHash('sha256').update(encode(seenParts, stored)).digest()
      if (whole === undefined || seen.compare(whole.seen) !== 0) {
        throw new StoreError('ConcurrentChange', 'the parts have changed since they were listed')
      }
      const { etag, checksum } = whole
      return checksum === undefined ? { etag } : { etag, checksum }
    },
  })
}

function answered<M extends Exclude<Method, BodyMethod>>(handler: Plain<M>): Handler<M> {
  return async (session, request) => ({ reply: await handler(session, request) })
}

type AnyPlain = Plain<Exclude<Method, BodyMethod>>

export const handlers = {
  ...Object.fromEntries(
    Object.entries(plain).map(([method, handler]) => [method, answered(handler as unknown as AnyPlain)]),
  ),
  ...withBodies,
} as Handlers
