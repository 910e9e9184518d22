/**
 * Every call of the native protocol, by the name of its method, with what goes and what comes back. A method's name ends
 * with its version: a changed payload is a new method beside the old one. Five of them also carry bytes; what those mean
 * is said there.
 */

import type {
  AccessKeyInfo,
  Bucket,
  BucketRef,
  Checksum,
  CopyOptions,
  Digests,
  GetOptions,
  GetResult,
  IdentityAdmin,
  KeyAttributes,
  KeyRef,
  O3Session,
  Preconditions,
  PutOptions,
} from '@o3/protocol-bus/api'
import * as r from './records.ts'
import { bytes, count, flag, listOf, mapOf, nothing, nullable, optional, record, text } from './codec.ts'
import type { Codec } from './codec.ts'

/** What a call sends and what it answers. */
export interface Call<Request, Reply> {
  readonly request: Codec<Request>
  readonly reply: Codec<Reply>
}

function call<Request, Reply>(request: Codec<Request>, reply: Codec<Reply>): Call<Request, Reply> {
  return { request, reply }
}

/** The second parameter of a method of the session, and its others, by name. */
type Options<Method, Place extends number> = Method extends (...args: infer Args) => unknown
  ? NonNullable<Args[Place & keyof Args]>
  : never
type PageOptions = { readonly after?: string; readonly limit: number }

export type UploadRef = KeyRef & { readonly upload: string }

/** What the caller's `finish` said, and the digests it saw: the server stores the former if it computed the latter. */
export interface Trailer {
  readonly digests: Digests
  readonly attributes: KeyAttributes
}

export interface PartTrailer {
  readonly digests: Digests
  readonly part: { readonly etag: string; readonly checksum?: Checksum }
}

/**
 * The head of a body. With `trailer`, the bytes follow as they are, all of them at hand; without, as runs (`runs.ts`) with
 * the trailer behind the last one, because nobody knows it before.
 */
export interface PutRequest<T> {
  readonly ref: KeyRef
  readonly size?: number
  readonly digests: PutOptions['digests']
  readonly preconditions: Preconditions
  readonly requestId?: string
  readonly trailer?: T
}

export type PutPartRequest = Omit<PutRequest<PartTrailer>, 'preconditions' | 'ref'> & {
  readonly ref: UploadRef
  readonly number: number
}

export interface CompleteRequest {
  readonly ref: UploadRef
  readonly parts: readonly { readonly number: number; readonly etag: string; readonly checksum?: string }[]
  readonly preconditions: Preconditions
  readonly minPartBytes: number
  /** Absent when the caller could not see the parts: enough for a repetition, and for being told why. */
  readonly whole?: Whole
}

/** What the caller's `finish` said of the parts that it saw. */
export interface Whole {
  /** SHA-256 of their records: the server's are the same, or the answer is `ConcurrentChange`. */
  readonly seen: Uint8Array
  readonly etag: string
  readonly checksum?: Checksum
}

type GetRequest = { readonly ref: KeyRef } & Omit<GetOptions, 'signal'>
type HeadReply = Omit<GetResult, 'body'>
type VolumeChanges = Options<O3Session['volumes']['update'], 1>
type BucketChanges = Options<O3Session['buckets']['update'], 1>
type BucketOptions = Options<O3Session['buckets']['create'], 1>
type CopyPartOptions = Options<O3Session['uploads']['copyPart'], 4>
type ListUploadsOptions = Options<O3Session['uploads']['list'], 1>

const head = { info: r.keyInfo, start: count, end: count }
const get = record<GetRequest>({
  ref: r.keyRef,
  range: optional(r.rangeRequest),
  conditions: optional(r.readConditions),
})
const uploadRef = record<UploadRef>({ volume: text, bucket: text, key: text, upload: text })
const after = optional(text)
const named = { volume: text }
const part = { etag: text, checksum: optional(r.checksum) }

export const trailer = record<Trailer>({ digests: r.digests, attributes: r.keyAttributes })
export const partTrailer = record<PartTrailer>({ digests: r.digests, part: record<PartTrailer['part']>(part) })
export const whole = record<Whole>({ seen: bytes, ...part })
/** Of the parts that `finish` was shown, for the digest in `Whole`. */
export const seenParts = listOf(r.partInfo)

export const calls = {
  /** Who the connection is bound to. */
  'session.principal.1': call(nothing, r.principal),

  'volumes.create.1': call(
    record<{ readonly volume: string } & Options<O3Session['volumes']['create'], 1>>({
      ...named,
      owner: optional(text),
      quota: optional(r.quota),
    }),
    r.volume,
  ),
  'volumes.list.1': call(
    record<Options<O3Session['volumes']['list'], 0>>({ after, prefix: optional(text), limit: count }),
    r.pageOf(r.volume),
  ),
  'volumes.info.1': call(record<{ readonly volume: string }>(named), r.volume),
  'volumes.update.1': call(
    record<{ readonly volume: string } & VolumeChanges>({
      ...named,
      owner: optional(text),
      quota: optional(r.quota),
      members: optional(mapOf(nullable(r.volumeRight))),
      metadata: optional(r.texts),
    }),
    r.volume,
  ),
  'volumes.delete.1': call(record<{ readonly volume: string }>(named), nothing),

  'buckets.create.1': call(
    record<{ readonly ref: BucketRef } & BucketOptions>({
      ref: r.bucketRef,
      quota: optional(r.quota),
      replication: optional(r.replication),
      tags: optional(r.texts),
    }),
    r.bucket,
  ),
  'buckets.list.1': call(
    record<{ readonly volume: string } & Options<O3Session['buckets']['list'], 1>>({
      ...named,
      after,
      prefix: optional(text),
      limit: count,
    }),
    r.pageOf<Bucket>(r.bucket),
  ),
  'buckets.info.1': call(r.bucketRef, r.bucket),
  'buckets.update.1': call(
    record<{ readonly ref: BucketRef } & BucketChanges>({
      ref: r.bucketRef,
      owner: optional(text),
      quota: optional(r.quota),
      members: optional(mapOf(nullable(r.bucketRight))),
      tags: optional(r.texts),
      metadata: optional(r.texts),
    }),
    r.bucket,
  ),
  'buckets.delete.1': call(r.bucketRef, nothing),
  'buckets.link.1': call(
    record<{ readonly ref: BucketRef; readonly target: BucketRef }>({ ref: r.bucketRef, target: r.bucketRef }),
    r.bucket,
  ),

  /** The call's body is the key's. */
  'keys.put.1': call(
    record<PutRequest<Trailer>>({
      ref: r.keyRef,
      size: optional(count),
      digests: listOf(r.digestAlgorithm),
      preconditions: r.preconditions,
      requestId: optional(text),
      trailer: optional(trailer),
    }),
    r.keyCommit,
  ),
  /** The reply's body is the key's, from `start` to `end`. */
  'keys.get.1': call(get, record<HeadReply>(head)),
  'keys.head.1': call(get, record<HeadReply>(head)),
  'keys.list.1': call(
    record<{ readonly ref: BucketRef } & Options<O3Session['keys']['list'], 1>>({
      ref: r.bucketRef,
      prefix: optional(text),
      delimiter: optional(text),
      after,
      limit: count,
    }),
    r.pageOf(r.listedKey),
  ),
  'keys.copy.1': call(
    record<{ readonly source: KeyRef; readonly target: KeyRef } & CopyOptions>({
      source: r.keyRef,
      target: r.keyRef,
      sourceConditions: optional(r.readConditions),
      attributes: optional(r.replacedAttributes),
      checksum: optional(r.checksumAlgorithm),
      preconditions: r.preconditions,
      requestId: optional(text),
    }),
    record<Awaited<ReturnType<O3Session['keys']['copy']>>>({
      etag: text,
      modifiedMs: count,
      size: count,
      updateId: count,
      info: r.keyInfo,
    }),
  ),
  'keys.rename.1': call(
    record<{ readonly ref: KeyRef; readonly to: string; readonly replace?: boolean }>({
      ref: r.keyRef,
      to: text,
      replace: optional(flag),
    }),
    nothing,
  ),
  'keys.delete.1': call(
    record<{ readonly ref: KeyRef } & Options<O3Session['keys']['delete'], 1>>({
      ref: r.keyRef,
      preconditions: optional(r.preconditions),
      requestId: optional(text),
    }),
    record<{ readonly existed: boolean }>({ existed: flag }),
  ),
  'keys.delete-many.1': call(
    record<{ readonly ref: BucketRef; readonly keys: Parameters<O3Session['keys']['deleteMany']>[1] }>({
      ref: r.bucketRef,
      keys: listOf(record<{ readonly key: string; readonly ifMatch?: string }>({ key: text, ifMatch: optional(text) })),
    }),
    listOf(r.deleteManyResult),
  ),
  'keys.set-tags.1': call(
    record<{ readonly ref: KeyRef; readonly tags: Readonly<Record<string, string>> }>({ ref: r.keyRef, tags: r.texts }),
    nothing,
  ),

  'uploads.start.1': call(
    record<{ readonly ref: KeyRef } & Options<O3Session['uploads']['start'], 1>>({
      ref: r.keyRef,
      attributes: r.uploadAttributes,
      checksum: optional(r.uploadChecksum),
    }),
    r.upload,
  ),
  'uploads.info.1': call(uploadRef, r.upload),
  /** The call's body is the part's. */
  'uploads.put-part.1': call(
    record<PutPartRequest>({
      ref: uploadRef,
      number: count,
      size: optional(count),
      digests: listOf(r.digestAlgorithm),
      requestId: optional(text),
      trailer: optional(partTrailer),
    }),
    r.partInfo,
  ),
  'uploads.copy-part.1': call(
    record<{ readonly ref: UploadRef; readonly number: number; readonly source: KeyRef } & CopyPartOptions>({
      ref: uploadRef,
      number: count,
      source: r.keyRef,
      range: optional(record<NonNullable<CopyPartOptions['range']>>({ start: count, end: count })),
      sourceConditions: optional(r.readConditions),
    }),
    r.partInfo,
  ),
  'uploads.parts.1': call(
    record<{ readonly ref: UploadRef } & Options<O3Session['uploads']['parts'], 2>>({
      ref: uploadRef,
      after: optional(count),
      limit: count,
    }),
    r.pageOf(r.partInfo),
  ),
  'uploads.complete.1': call(
    record<CompleteRequest>({
      ref: uploadRef,
      parts: listOf(record<CompleteRequest['parts'][number]>({ number: count, etag: text, checksum: optional(text) })),
      preconditions: r.preconditions,
      minPartBytes: count,
      whole: optional(whole),
    }),
    r.keyCommit,
  ),
  'uploads.abort.1': call(uploadRef, nothing),
  'uploads.list.1': call(
    record<{ readonly ref: BucketRef } & ListUploadsOptions>({
      ref: r.bucketRef,
      prefix: optional(text),
      delimiter: optional(text),
      keyMarker: optional(text),
      uploadIdMarker: optional(text),
      limit: count,
    }),
    r.pageOf(r.listedUpload),
  ),

  'tree.stat.1': call(r.keyRef, r.treeEntry),
  'tree.list.1': call(
    record<{ readonly ref: KeyRef } & PageOptions>({ ref: r.keyRef, after, limit: count }),
    r.pageOf(r.treeEntry),
  ),
  'tree.mkdirs.1': call(r.keyRef, nothing),
  'tree.rename.1': call(
    record<{ readonly ref: KeyRef; readonly to: string; readonly replace?: boolean }>({
      ref: r.keyRef,
      to: text,
      replace: optional(flag),
    }),
    nothing,
  ),
  'tree.remove.1': call(
    record<{ readonly ref: KeyRef; readonly recursive: boolean }>({ ref: r.keyRef, recursive: flag }),
    nothing,
  ),
  /** The call's body is what is appended, as it is. */
  'tree.append.1': call(r.keyRef, r.keyCommit),
  'tree.truncate.1': call(
    record<{ readonly ref: KeyRef; readonly size: number }>({ ref: r.keyRef, size: count }),
    r.keyCommit,
  ),
  'tree.set-attributes.1': call(
    record<{ readonly ref: KeyRef; readonly attributes: Readonly<Record<string, string>> }>({
      ref: r.keyRef,
      attributes: r.texts,
    }),
    nothing,
  ),
  'tree.summary.1': call(
    r.keyRef,
    record<Awaited<ReturnType<O3Session['tree']['summary']>>>({ bytes: count, keys: count, directories: count }),
  ),

  'snapshots.create.1': call(
    record<{ readonly ref: BucketRef; readonly name: string }>({ ref: r.bucketRef, name: text }),
    r.snapshotInfo,
  ),
  'snapshots.list.1': call(
    record<{ readonly ref: BucketRef } & PageOptions>({ ref: r.bucketRef, after, limit: count }),
    r.pageOf(r.snapshotInfo),
  ),
  'snapshots.info.1': call(
    record<{ readonly ref: BucketRef; readonly name: string }>({ ref: r.bucketRef, name: text }),
    r.snapshotInfo,
  ),
  /** The reply's body is the differences, each a message with its length in front. */
  'snapshots.diff.1': call(
    record<{ readonly ref: BucketRef; readonly from: string; readonly to: string }>({
      ref: r.bucketRef,
      from: text,
      to: text,
    }),
    nothing,
  ),
  'snapshots.restore.1': call(
    record<{ readonly ref: BucketRef; readonly name: string }>({ ref: r.bucketRef, name: text }),
    nothing,
  ),
  'snapshots.delete.1': call(
    record<{ readonly ref: BucketRef; readonly name: string }>({ ref: r.bucketRef, name: text }),
    nothing,
  ),

  'identities.create-user.1': call(
    record<{ readonly user: string; readonly admin?: boolean }>({ user: text, admin: optional(flag) }),
    r.user,
  ),
  'identities.update-user.1': call(
    record<{ readonly user: string; readonly admin?: boolean; readonly enabled?: boolean }>({
      user: text,
      admin: optional(flag),
      enabled: optional(flag),
    }),
    r.user,
  ),
  'identities.delete-user.1': call(record<{ readonly user: string }>({ user: text }), nothing),
  'identities.list-users.1': call(record<PageOptions>({ after, limit: count }), r.pageOf(r.user)),
  'identities.get-user.1': call(record<{ readonly user: string }>({ user: text }), r.user),
  'identities.create-access-key.1': call(
    record<{ readonly user: string; readonly given?: Options<IdentityAdmin['createAccessKey'], 1> }>({
      user: text,
      given: optional(record<Options<IdentityAdmin['createAccessKey'], 1>>({ id: text, secret: text })),
    }),
    record<Awaited<ReturnType<IdentityAdmin['createAccessKey']>>>({ id: text, secret: text }),
  ),
  'identities.update-access-key.1': call(
    record<{ readonly id: string; readonly enabled: boolean }>({ id: text, enabled: flag }),
    nothing,
  ),
  'identities.delete-access-key.1': call(record<{ readonly id: string }>({ id: text }), nothing),
  'identities.list-access-keys.1': call(
    record<Options<IdentityAdmin['listAccessKeys'], 0>>({ user: optional(text), after, limit: count }),
    r.pageOf<AccessKeyInfo>(r.accessKeyInfo),
  ),

  'admin.summary.1': call(nothing, r.scmSummary),
  'admin.nodes.1': call(nothing, listOf(r.datanodeInfo)),
  'admin.containers.1': call(
    record<{ readonly after?: number; readonly limit: number }>({ after: optional(count), limit: count }),
    listOf(r.containerInfo),
  ),
  'admin.audit.1': call(nothing, listOf(text)),
} as const

export type Method = keyof typeof calls
export type RequestOf<M extends Method> = (typeof calls)[M]['request'] extends Codec<infer Request> ? Request : never
export type ReplyOf<M extends Method> = (typeof calls)[M]['reply'] extends Codec<infer Reply> ? Reply : never

/** A body that is all there and this small is sent in one frame with its trailer ahead of it. */
export const wholeBodyBytes = 64 * 1024
