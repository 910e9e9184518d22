/**
 * The O3 native interface: what every front end translates into, and what the plugin host gives it. Pure types; they
 * are the documentation. A session binds the caller once, and nothing can be reached without one.
 *
 * Names are those of O3 (volume, bucket, key); S3's objects become keys at the S3 plugin's door.
 */

import type {
  Bucket,
  BucketRef,
  BucketRight,
  Checksum,
  ChecksumAlgorithm,
  KeyAttributes,
  KeyRef,
  Page,
  PartSummary,
  Preconditions,
  Quota,
  Upload,
  UploadId,
  User,
  Volume,
  VolumeRight,
} from '@o3/om/api'
import { replicationConfigs } from '@o3/scm/api'
import type { ContainerInfo, DatanodeInfo, ReplicationConfig, ScmSummary } from '@o3/scm/api'
import type { Clock, Random, Tasks } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { Metrics } from '@o3/common/metrics'

export type {
  Bucket,
  BucketRef,
  BucketRight,
  Checksum,
  ChecksumAlgorithm,
  ContainerInfo,
  DatanodeInfo,
  KeyAttributes,
  KeyRef,
  Page,
  PartSummary,
  Preconditions,
  Quota,
  ReplicationConfig,
  ScmSummary,
  Upload,
  UploadId,
  User,
  Volume,
  VolumeRight,
}
export { replicationConfigs }

// ---------------------------------------------------------------------------------------------------------- bytes

/**
 * Bytes on their way in: either all of them (small bodies; the fast path), which are the receiver's from then on, or a
 * stream with back-pressure, of which a piece belongs to the receiver until it asks for the next one.
 */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>

export type DigestAlgorithm = 'md5' | ChecksumAlgorithm
/** Raw digest bytes, big-endian, by algorithm. */
export type Digests = Partial<Readonly<Record<DigestAlgorithm, Uint8Array>>>

/** Bytes on their way out. */
export interface KeyBody {
  /** The exact number of bytes that `bytes` yields. */
  readonly length: number
  /** All at once when they were at hand (inline and small keys), else a stream that verifies as it goes. */
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>
}

// --------------------------------------------------------------------------------------------------------- session

export interface Principal {
  readonly user: string
  readonly admin: boolean
}

/** Everything about a key but its bytes and where they lie. */
export interface KeyInfo extends KeyAttributes {
  readonly name: string
  readonly size: number
  readonly modifiedMs: number
  readonly owner: string
  readonly updateId: number
  readonly parts?: readonly PartSummary[]
}

export interface PutOptions {
  /** Bytes of the body where known; a body that ends early or late is `IncompleteBody`. */
  readonly size?: number
  /** Computed while the bytes pass. MD5 becomes the ETag unless `finish` says otherwise. */
  readonly digests: readonly DigestAlgorithm[]
  /**
   * Called once, after the last byte and before anything is committed, with the digests: compares them with what the
   * client promised (trailers are known by now) and says what is stored. Throwing stores nothing.
   */
  readonly finish: (digests: Digests, size: number) => KeyAttributes
  readonly preconditions: Preconditions
  readonly signal?: AbortSignal
  /** Makes a retry exactly-once. */
  readonly requestId?: string
}

export interface PartPutOptions extends Omit<PutOptions, 'finish' | 'preconditions'> {
  readonly finish: (digests: Digests, size: number) => { readonly etag: string; readonly checksum?: Checksum }
}

/** What a write of a key answers. */
export interface KeyCommit {
  readonly etag: string
  readonly modifiedMs: number
  readonly size: number
  readonly updateId: number
}

/** Inclusive start, exclusive end; `suffix` = the last n bytes. Clipped to the key; nothing left of it is `InvalidRange`. */
export type RangeRequest =
  | { readonly kind: 'from-to'; readonly start: number; readonly end?: number }
  | { readonly kind: 'suffix'; readonly length: number }
  | { readonly kind: 'part'; readonly number: number }

export interface ReadConditions {
  readonly ifMatch?: readonly string[] | '*'
  readonly ifNoneMatch?: readonly string[] | '*'
  readonly ifModifiedSinceMs?: number
  readonly ifUnmodifiedSinceMs?: number
}

export interface GetOptions {
  readonly range?: RangeRequest
  /** RFC 9110 §13.2.2 order; `PreconditionFailed` or `NotModified` (details carry etag and modifiedMs). */
  readonly conditions?: ReadConditions
  readonly signal?: AbortSignal
}

export interface GetResult {
  readonly info: KeyInfo
  /** The bytes served: [start, end). */
  readonly start: number
  readonly end: number
  readonly body: KeyBody
}

export interface CopyOptions {
  /** Of the source, judged first; `PreconditionFailed` when they fail (never `NotModified`). */
  readonly sourceConditions?: ReadConditions
  /** Replaces the attributes; undefined keeps the source's. The ETag and checksum of the bytes stay. */
  readonly attributes?: Partial<Omit<KeyAttributes, 'etag' | 'checksum'>>
  /** Asks for this checksum on the copy where the source has another or none: the bytes are then read once. */
  readonly checksum?: ChecksumAlgorithm
  readonly preconditions: Preconditions
  readonly requestId?: string
}

export interface ListKeysOptions {
  readonly prefix?: string
  readonly delimiter?: string
  readonly after?: string
  readonly limit: number
}

export type ListedKey =
  | { readonly kind: 'key'; readonly key: KeyInfo }
  | { readonly kind: 'prefix'; readonly prefix: string }

export type ListedUploadEntry =
  | { readonly kind: 'upload'; readonly upload: Upload }
  | { readonly kind: 'prefix'; readonly prefix: string }

export interface PartInfo {
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: Checksum
}

export type DeleteManyResult = { readonly key: string } & (
  | { readonly kind: 'deleted'; readonly existed: boolean }
  | {
      readonly kind: 'refused'
      readonly code: 'PreconditionFailed' | 'KeyNotFound' | 'InvalidName' | 'KeyTooLong'
      readonly message: string
    }
)

export interface Volumes {
  /** Administrators only. `VolumeAlreadyExists`, `InvalidName`. */
  create(volume: string, options?: { readonly owner?: string; readonly quota?: Quota }): Promise<Volume>
  /** Those the caller may see. */
  list(options: { readonly after?: string; readonly prefix?: string; readonly limit: number }): Promise<Page<Volume>>
  info(volume: string): Promise<Volume>
  update(
    volume: string,
    changes: {
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, VolumeRight | null>>
      readonly metadata?: Readonly<Record<string, string>>
    },
  ): Promise<Volume>
  /** `VolumeNotEmpty`. */
  delete(volume: string): Promise<void>
}

export interface Buckets {
  create(
    ref: BucketRef,
    options?: {
      readonly quota?: Quota
      readonly replication?: ReplicationConfig
      readonly tags?: Readonly<Record<string, string>>
    },
  ): Promise<Bucket>
  /** Those the caller may see. */
  list(
    volume: string,
    options: { readonly after?: string; readonly prefix?: string; readonly limit: number },
  ): Promise<Page<Bucket>>
  info(ref: BucketRef): Promise<Bucket>
  update(
    ref: BucketRef,
    changes: {
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, BucketRight | null>>
      readonly tags?: Readonly<Record<string, string>>
      readonly metadata?: Readonly<Record<string, string>>
    },
  ): Promise<Bucket>
  /** `BucketNotEmpty`. */
  delete(ref: BucketRef): Promise<void>
  /** A name in one volume for a bucket of another. `NotImplemented` in this release. */
  link(ref: BucketRef, target: BucketRef): Promise<Bucket>
}

export interface Keys {
  /** Visible whole, or not at all. Durable when it resolves. Replaces. */
  put(ref: KeyRef, body: ByteSource, options: PutOptions): Promise<KeyCommit>
  get(ref: KeyRef, options?: GetOptions): Promise<GetResult>
  /** Like `get` without the bytes; `range` is judged too. */
  head(ref: KeyRef, options?: GetOptions): Promise<Omit<GetResult, 'body'>>
  list(ref: BucketRef, options: ListKeysOptions): Promise<Page<ListedKey>>
  /** By block reference: no data moves, however large. */
  copy(source: KeyRef, target: KeyRef, options: CopyOptions): Promise<KeyCommit & { readonly info: KeyInfo }>
  /** Within one bucket, atomic. A name ending in `/` moves the directory with all below it. */
  rename(ref: KeyRef, to: string, options?: { readonly replace?: boolean }): Promise<void>
  delete(
    ref: KeyRef,
    options?: { readonly preconditions?: Preconditions; readonly requestId?: string },
  ): Promise<{ readonly existed: boolean }>
  /** At most 1,000 in one call. */
  deleteMany(
    ref: BucketRef,
    keys: readonly { readonly key: string; readonly ifMatch?: string }[],
  ): Promise<readonly DeleteManyResult[]>
  setTags(ref: KeyRef, tags: Readonly<Record<string, string>>): Promise<void>
}

export interface Uploads {
  start(ref: KeyRef, options: Pick<Upload, 'attributes' | 'checksum'>): Promise<Upload>
  info(ref: KeyRef, upload: UploadId): Promise<Upload>
  putPart(ref: KeyRef, upload: UploadId, number: number, body: ByteSource, options: PartPutOptions): Promise<PartInfo>
  /**
   * By reference: no byte is read, so the part's ETag is the source's (a simple key, whole) or 32 hex digits made from
   * the source's ETag and the range. Only where the upload wants checksums are the bytes read, once, and the ETag is
   * their MD5. `range` is exact: one that reaches over the end is `InvalidRange`.
   */
  copyPart(
    ref: KeyRef,
    upload: UploadId,
    number: number,
    source: KeyRef,
    options: {
      readonly range?: { readonly start: number; readonly end: number }
      readonly sourceConditions?: ReadConditions
    },
  ): Promise<PartInfo>
  parts(
    ref: KeyRef,
    upload: UploadId,
    options: { readonly after?: number; readonly limit: number },
  ): Promise<Page<PartInfo>>
  /**
   * Joins the named parts, in ascending order (`InvalidPartOrder`, `InvalidPart`, `PartTooSmall`). `finish` gets them as
   * stored and answers the ETag and checksum of the whole. Repeating a completed one with the same parts answers the
   * same.
   */
  complete(
    ref: KeyRef,
    upload: UploadId,
    parts: readonly { readonly number: number; readonly etag: string; readonly checksum?: string }[],
    options: {
      readonly finish: (parts: readonly PartInfo[]) => { readonly etag: string; readonly checksum?: Checksum }
      readonly preconditions: Preconditions
      readonly minPartBytes: number
    },
  ): Promise<KeyCommit>
  abort(ref: KeyRef, upload: UploadId): Promise<void>
  list(
    ref: BucketRef,
    options: {
      readonly prefix?: string
      readonly delimiter?: string
      readonly keyMarker?: string
      readonly uploadIdMarker?: string
      readonly limit: number
    },
  ): Promise<Page<ListedUploadEntry>>
}

/** What a file system needs. All but `rename` (= `keys.rename`) answer `NotImplemented` in this release. */
export interface Tree {
  stat(ref: KeyRef): Promise<TreeEntry>
  list(ref: KeyRef, options: { readonly after?: string; readonly limit: number }): Promise<Page<TreeEntry>>
  mkdirs(ref: KeyRef): Promise<void>
  rename(ref: KeyRef, to: string, options?: { readonly replace?: boolean }): Promise<void>
  remove(ref: KeyRef, options: { readonly recursive: boolean }): Promise<void>
  append(ref: KeyRef, body: ByteSource): Promise<KeyCommit>
  truncate(ref: KeyRef, size: number): Promise<KeyCommit>
  setAttributes(ref: KeyRef, attributes: Readonly<Record<string, string>>): Promise<void>
  summary(ref: KeyRef): Promise<{ readonly bytes: number; readonly keys: number; readonly directories: number }>
}

export interface TreeEntry {
  readonly name: string
  readonly kind: 'file' | 'directory'
  readonly size: number
  readonly modifiedMs: number
  readonly owner: string
}

/** All answer `NotImplemented` in this release. */
export interface Snapshots {
  create(ref: BucketRef, name: string): Promise<SnapshotInfo>
  list(ref: BucketRef, options: { readonly after?: string; readonly limit: number }): Promise<Page<SnapshotInfo>>
  info(ref: BucketRef, name: string): Promise<SnapshotInfo>
  diff(ref: BucketRef, from: string, to: string): AsyncIterable<SnapshotDifference>
  restore(ref: BucketRef, name: string): Promise<void>
  delete(ref: BucketRef, name: string): Promise<void>
}

export interface SnapshotInfo {
  readonly name: string
  readonly createdMs: number
}

export interface SnapshotDifference {
  readonly kind: 'added' | 'removed' | 'changed' | 'renamed'
  readonly key: string
  readonly to?: string
}

/** Administrators, and users for their own access keys. */
export interface IdentityAdmin {
  createUser(user: string, options?: { readonly admin?: boolean }): Promise<User>
  updateUser(user: string, changes: { readonly admin?: boolean; readonly enabled?: boolean }): Promise<User>
  deleteUser(user: string): Promise<void>
  listUsers(options: { readonly after?: string; readonly limit: number }): Promise<Page<User>>
  getUser(user: string): Promise<User>
  /** The secret is shown here and never again. */
  createAccessKey(
    user: string,
    given?: { readonly id: string; readonly secret: string },
  ): Promise<{ readonly id: string; readonly secret: string }>
  updateAccessKey(id: string, changes: { readonly enabled: boolean }): Promise<void>
  deleteAccessKey(id: string): Promise<void>
  listAccessKeys(options: {
    readonly user?: string
    readonly after?: string
    readonly limit: number
  }): Promise<Page<AccessKeyInfo>>
}

export interface AccessKeyInfo {
  readonly id: string
  readonly user: string
  readonly enabled: boolean
  readonly createdMs: number
}

export interface Admin {
  summary(): Promise<ScmSummary>
  nodes(): Promise<readonly DatanodeInfo[]>
  containers(options: { readonly after?: number; readonly limit: number }): Promise<readonly ContainerInfo[]>
  /** Empty when counters equal a full count. */
  audit(): Promise<readonly string[]>
}

export interface O3Session {
  readonly principal: Principal
  readonly volumes: Volumes
  readonly buckets: Buckets
  readonly keys: Keys
  readonly uploads: Uploads
  readonly tree: Tree
  readonly snapshots: Snapshots
  readonly identities: IdentityAdmin
  readonly admin: Admin
}

/**
 * What a request is about to touch, as far as its head tells, so that a store whose OM is another process can ask for all of
 * it at once, with the access key. A hint and no more: it grants nothing, and what it leaves out or names in vain costs
 * time only. One object for each request: the one that went to `Identities.lookup` goes to `O3Store.session` too.
 */
export interface Foreseen {
  /** Volumes, each with one of its buckets or alone: at most 2, further ones are passed over. */
  readonly places: readonly { readonly volume: string; readonly bucket?: string }[]
  /** The key that is read: by get and head, or as the source of a copy. A key that is only written needs no look. */
  readonly key?: KeyRef
  readonly upload?: KeyRef & { readonly upload: UploadId }
}

/** The door: what the host hands to a plugin that declares `store`. */
export interface O3Store {
  /**
   * Cheap; made per request. Every call on it is authorised for `principal` before it reaches OM or a block. With
   * `foreseen` the session is of one request: it may answer from rows as they were when the identity was looked up, but
   * not for longer than about a second, and never from before a change of its own.
   */
  session(principal: Principal, foreseen?: Foreseen): O3Session
}

// ------------------------------------------------------------------------------------------------------ identities

/** What a plugin needs to check credentials. */
export interface Identities {
  /**
   * The secret and the user behind an access key. Synchronous when cached: every request asks. Undefined when there is
   * no such key, or it or its user is disabled (a front end must not tell these apart).
   */
  lookup(accessKeyId: string, foreseen?: Foreseen): Credential | undefined | Promise<Credential | undefined>
}

export interface Credential {
  readonly accessKeyId: string
  readonly secret: string
  readonly principal: Principal
}

// --------------------------------------------------------------------------------------------------- plugin contract

/** The canonical action vocabulary of `authorize`. */
export type Action =
  | 'volume:create'
  | 'volume:read'
  | 'volume:update'
  | 'volume:delete'
  | 'bucket:create'
  | 'bucket:read'
  | 'bucket:update'
  | 'bucket:delete'
  | 'bucket:list'
  | 'key:read'
  | 'key:write'
  | 'key:delete'
  | 'identity:admin'
  | 'identity:read'
  | 'access-key:manage'
  | 'cluster:admin'

/**
 * A request as it came, unparsed: front ends verify signatures over exactly these bytes.
 */
export interface HttpRequest {
  readonly id: string
  readonly method: string
  /** The request target, raw. */
  readonly target: string
  /** Name, value, name, value … as received, duplicates kept. */
  readonly rawHeaders: readonly string[]
  readonly remoteAddress: string
  readonly body: HttpBody
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal
}

export interface HttpBody {
  /** From Content-Length; undefined for a chunked body; 0 for none. */
  readonly length: number | undefined
  /** The whole body, at most `limit` bytes, else `TooLarge`. A client that breaks off: `IncompleteBody`. */
  all(limit: number): Promise<Uint8Array>
  /** Once. Pieces as they come, with back-pressure; a client that breaks off or stalls: `IncompleteBody`. Sends `100 Continue` first where it was asked for. */
  stream(): AsyncIterable<Uint8Array>
}

export interface HttpResponse {
  readonly status: number
  /** Name, value, name, value …: written as they are. CR or LF in one is a bug and throws. */
  readonly headers: readonly string[]
  /** A stream must yield exactly the content-length that `headers` state; when it rejects, the connection is cut. */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>
}

/** What a plugin wants to have served. */
export type Mount =
  | {
      readonly kind: 'http'
      readonly name: string
      readonly host: string
      readonly port: number
      /** Never rejects for a request's fault; a rejection is a bug: 500 and a log line. */
      readonly handle: (request: HttpRequest) => Promise<HttpResponse>
      /**
       * The answer to what never becomes a request: unparsable HTTP, headers too large, a stall, overload. `status` is
       * the host's proposal.
       */
      readonly refuse?: (status: number, reason: string, requestId: string) => HttpResponse
    }
  | {
      readonly kind: 'framed'
      readonly name: string
      readonly host: string
      readonly port: number
      readonly serve: (connection: import('@o3/common/env').Connection) => Promise<void>
      /** The listener stops: says goodbye, so that idle connections end at once and busy ones after their answers. */
      readonly drain?: () => void
    }

/** The services a plugin may ask for; it reaches nothing else. */
export interface PluginServices {
  readonly store: O3Store
  readonly identities: Identities
  readonly clock: Clock
  readonly random: Random
  /** For what goes on beside calls. */
  readonly tasks: Tasks
  readonly log: Logger
  readonly metrics: Metrics
}

export interface PluginInstance {
  readonly mounts: readonly Mount[]
  /** Idempotent; after it the plugin refuses. Mounts were drained before. */
  close(): Promise<void>
}

/** `config` and `create` are methods so that a plugin of any configuration can stand in one list with all others. */
export interface Plugin<Config, Needs extends keyof PluginServices> {
  readonly name: string
  readonly needs: readonly Needs[]
  /** Turns raw configuration into `Config` or throws `InvalidArgument` with a sentence that names the field. */
  config(raw: Readonly<Record<string, unknown>>): Config
  create(services: Pick<PluginServices, Needs>, config: Config): Promise<PluginInstance> | PluginInstance
}

/** Types a plugin's parts against one another; adds nothing. */
export function definePlugin<Config, Needs extends keyof PluginServices>(
  plugin: Plugin<Config, Needs>,
): Plugin<Config, Needs> {
  return plugin
}
