/**
 * OM: names. Volumes, buckets, keys, uploads, users and their counters, as one set of rules over a replicated store.
 * Every change is one `OmCommand`; every answer is data. Authorisation happens above (protocol-bus); OM checks what only
 * the namespace can know: existence, preconditions, quotas, leases.
 */

import type { ErrorRecord } from '@o3/common/errors'
import type { BlockId, BlockRange, ReplicationConfig } from '@o3/scm/api'

// ------------------------------------------------------------------------------------------------------- records

/** From `Stamp.sequence`; never reused. */
export type BucketId = number & { readonly brand?: 'BucketId' }
/** 0 is the bucket's root. Never reused. */
export type DirectoryId = number & { readonly brand?: 'DirectoryId' }
export type UploadId = string & { readonly brand?: 'UploadId' }
export type LeaseId = number & { readonly brand?: 'LeaseId' }

/**
 * Exact at every index: what a full count would find. `keys` counts keys (directory markers included), not directories.
 * `bytes` is the size of keys and of the parts of uploads in progress: what a caller stored and nobody else could. A copy
 * counts in full, though it shares its source's blocks.
 */
export interface Usage {
  readonly bytes: number
  readonly keys: number
}

/** Absent fields are unlimited. `buckets` is used on volumes only. */
export interface Quota {
  readonly bytes?: number
  readonly keys?: number
  readonly buckets?: number
}

export type VolumeRight = 'read' | 'create-bucket' | 'all'

export interface Volume {
  readonly name: string
  readonly owner: string
  readonly createdMs: number
  readonly modifiedMs: number
  readonly quota: Quota
  readonly usage: Usage & { readonly buckets: number }
  /** Whom the owner lets in, and how far. */
  readonly members: Readonly<Record<string, VolumeRight>>
  readonly metadata: Readonly<Record<string, string>>
}

export type BucketRight = 'read' | 'write' | 'all'

export interface Bucket {
  readonly id: BucketId
  readonly volume: string
  readonly name: string
  readonly owner: string
  readonly createdMs: number
  readonly modifiedMs: number
  readonly replication: ReplicationConfig
  readonly quota: Quota
  readonly usage: Usage
  /** Uploads in progress; a bucket with any is not empty for `deleteBucket`. */
  readonly uploads: number
  readonly members: Readonly<Record<string, BucketRight>>
  readonly tags: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
}

export type ChecksumAlgorithm = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256'

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  readonly type: 'full-object' | 'composite'
  /** Base64, as S3 sends it; a composite one without the `-N`. */
  readonly value: string
}

/** A block as it was just written: all of it. */
export interface Extent {
  readonly block: BlockId
  readonly length: number
  /** As in the block's receipt: what its datanodes signed. Without enough of them the commit is refused. */
  readonly proofs?: readonly Uint8Array[]
}

/**
 * A piece of a key's bytes; the segments of a key follow one another. `offset` is not 0 where a copy took a range; inline
 * bytes stand among blocks where an upload or a copy joined a small part with large ones.
 */
export type Segment =
  | { readonly kind: 'block'; readonly block: BlockId; readonly offset: number; readonly length: number }
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }

/** Where all of a key's bytes are. Objects of at most `inlineLimitBytes` ride in the row itself. */
export type Content =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'blocks'; readonly segments: readonly Segment[] }

export const inlineLimitBytes = 4096
/** Of all inline segments of one key together; a completed upload that would have more is refused: `TooManyEntries`. */
export const maxInlineSegmentBytes = 1_048_576

/** What the caller says of a key's bytes. Opaque to OM. */
export interface KeyAttributes {
  /** Without quotes. Lower-case hex MD5 for a simple S3 PUT, `md5-N` for multipart. */
  readonly etag: string
  readonly contentType?: string
  readonly checksum?: Checksum
  /** Protocol headers kept with the key (`cache-control`, `content-encoding` …), lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** User metadata, names without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
}

export interface PartSummary {
  readonly number: number
  readonly size: number
  readonly checksum?: string
}

export interface Key extends KeyAttributes {
  /** As given; UTF-8, 1 to 1,024 bytes. */
  readonly name: string
  readonly size: number
  readonly modifiedMs: number
  readonly owner: string
  /** Changes with every change of the row; increases within the store. */
  readonly updateId: number
  readonly content: Content
  /** For keys made by multipart: sizes in order, for `partNumber` reads. */
  readonly parts?: readonly PartSummary[]
  /** For who asks from another process: with these it may read the blocks of `content`. */
  readonly access?: KeyAccess
}

export interface KeyAccess {
  /** From the answer on; who reads longer looks the key up again. */
  readonly validMs: number
  /** Every block of the content is in one of them. */
  readonly grants: readonly BlockGrant[]
}

/** A run of blocks, and what a datanode wants to see of who reads them. */
export interface BlockGrant extends BlockRange {
  readonly token: Uint8Array
}

export interface Upload {
  readonly id: UploadId
  readonly key: string
  readonly owner: string
  readonly initiatedMs: number
  readonly attributes: Omit<KeyAttributes, 'etag' | 'checksum'>
  /** What the parts must carry and what the whole will. */
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly type: 'full-object' | 'composite' }
}

export interface Part {
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: Checksum
  readonly content: Content
}

export interface User {
  readonly name: string
  readonly admin: boolean
  readonly enabled: boolean
  readonly createdMs: number
}

/** The secret is sealed by the caller (AES-256-GCM under the cluster's key) and opaque here. */
export interface AccessKey {
  readonly id: string
  readonly user: string
  readonly sealedSecret: Uint8Array
  readonly enabled: boolean
  readonly createdMs: number
}

/** Blocks that a gateway may commit until `expiresMs`; those not committed by then are garbage. */
export interface Lease {
  readonly id: LeaseId
  readonly holder: string
  readonly expiresMs: number
  readonly replication: ReplicationConfig
  readonly ranges: readonly BlockRange[]
  /** For each range what a datanode wants to see of who writes there, until `expiresMs`; a renewal brings new ones. */
  readonly tokens?: readonly Uint8Array[]
}

// ------------------------------------------------------------------------------------------------------- commands

export interface BucketRef {
  readonly volume: string
  readonly bucket: string
}

export interface KeyRef extends BucketRef {
  readonly key: string
}

/** All that are given must hold at commit, atomically. ETags without quotes. */
export interface Preconditions {
  /** The key exists with one of these ETags; `'*'`: it exists. */
  readonly ifMatch?: readonly string[] | '*'
  /** The key is absent or has none of these; `'*'`: it is absent. */
  readonly ifNoneMatch?: readonly string[] | '*'
}

/**
 * The new content of a key or part. Blocks are named with the lease they came from. Inline bytes are kept: nobody may
 * write to the array any more.
 */
export type NewContent =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'leased'; readonly lease: LeaseId; readonly extents: readonly Extent[] }
  /** Several leases, for large objects. */
  | {
      readonly kind: 'leased-many'
      readonly pieces: readonly { readonly lease: LeaseId; readonly extents: readonly Extent[] }[]
    }
  /** Shares the blocks of an existing key: no byte moves. `range` must lie on it; extents are cut by reference. */
  | {
      readonly kind: 'copy'
      readonly source: KeyRef
      readonly sourceUpdateId: number
      readonly range?: { readonly offset: number; readonly length: number }
    }

export type MetadataDirective = 'copy' | 'replace'

export type OmCommand =
  // volumes
  | { readonly kind: 'create-volume'; readonly volume: string; readonly owner: string; readonly quota: Quota }
  | {
      readonly kind: 'update-volume'
      readonly volume: string
      readonly owner?: string
      readonly quota?: Quota
      /** `null` takes a member out. */
      readonly members?: Readonly<Record<string, VolumeRight | null>>
      readonly metadata?: Readonly<Record<string, string>>
    }
  | { readonly kind: 'delete-volume'; readonly volume: string }
  // buckets
  | {
      readonly kind: 'create-bucket'
      readonly volume: string
      readonly bucket: string
      readonly owner: string
      readonly quota: Quota
      readonly replication: ReplicationConfig
      readonly tags?: Readonly<Record<string, string>>
      readonly metadata?: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'update-bucket'
      readonly volume: string
      readonly bucket: string
      readonly owner?: string
      readonly quota?: Quota
      readonly members?: Readonly<Record<string, BucketRight | null>>
      readonly tags?: Readonly<Record<string, string>>
      readonly metadata?: Readonly<Record<string, string>>
    }
  | { readonly kind: 'delete-bucket'; readonly volume: string; readonly bucket: string }
  // keys
  | (KeyRef & {
      readonly kind: 'commit-key'
      readonly owner: string
      readonly size: number
      readonly content: NewContent
      readonly attributes: KeyAttributes
      readonly preconditions: Preconditions
    })
  | (KeyRef & { readonly kind: 'delete-key'; readonly preconditions: Preconditions })
  | (BucketRef & {
      readonly kind: 'delete-keys'
      /** At most 1,000. Each is judged alone. */
      readonly keys: readonly { readonly key: string; readonly ifMatch?: string }[]
    })
  | (KeyRef & { readonly kind: 'set-key-tags'; readonly tags: Readonly<Record<string, string>> })
  /**
   * One key, within its bucket. A directory (name ending in `/`) moves with everything below it, atomically; `replace` is
   * about keys: a directory never takes the place of one that is there (`DirectoryNotEmpty`).
   */
  | (KeyRef & { readonly kind: 'rename-key'; readonly to: string; readonly replace: boolean })
  // uploads
  | (KeyRef & {
      readonly kind: 'create-upload'
      readonly owner: string
      readonly attributes: Upload['attributes']
      readonly checksum?: Upload['checksum']
    })
  | (KeyRef & {
      readonly kind: 'commit-part'
      readonly upload: UploadId
      readonly number: number
      readonly size: number
      readonly etag: string
      readonly checksum?: Checksum
      readonly content: NewContent
    })
  | (KeyRef & {
      readonly kind: 'complete-upload'
      readonly upload: UploadId
      readonly parts: readonly { readonly number: number; readonly etag: string; readonly checksum?: string }[]
      /**
       * Computed by the caller from the parts it names (`getParts`). The repetition of a completion, naming the same
       * parts, gets the same answer though the upload is gone; these two are not looked at then.
       */
      readonly etag: string
      readonly checksum?: Checksum
      readonly preconditions: Preconditions
      /** Every part but the last must have this size at least, else `PartTooSmall`. */
      readonly minPartBytes: number
    })
  | (KeyRef & { readonly kind: 'abort-upload'; readonly upload: UploadId })
  // identities
  | { readonly kind: 'create-user'; readonly user: string; readonly admin: boolean }
  | { readonly kind: 'update-user'; readonly user: string; readonly admin?: boolean; readonly enabled?: boolean }
  /** `UserInUse` while it owns a volume or a bucket. Its access keys go with it. */
  | { readonly kind: 'delete-user'; readonly user: string }
  | {
      readonly kind: 'create-access-key'
      readonly id: string
      readonly user: string
      readonly sealedSecret: Uint8Array
    }
  | { readonly kind: 'update-access-key'; readonly id: string; readonly enabled: boolean }
  | { readonly kind: 'delete-access-key'; readonly id: string }
  // blocks
  | {
      readonly kind: 'grant-lease'
      readonly holder: string
      readonly durationMs: number
      readonly replication: ReplicationConfig
      readonly ranges: readonly BlockRange[]
    }
  | { readonly kind: 'renew-lease'; readonly lease: LeaseId; readonly durationMs: number }
  /** Ends it now: what was not committed becomes garbage. */
  | { readonly kind: 'end-lease'; readonly lease: LeaseId }
  /** The deletions up to and including this queue position were handed to SCM. */
  | { readonly kind: 'purge-deleted-blocks'; readonly through: number }

/**
 * `volume`, `bucket`, `user`: create-* and update-*. `key`: commit-key, complete-upload, set-key-tags. `deleted`,
 * `deleted-many`: delete-key, delete-keys. `upload`: create-upload. `part`: commit-part. `access-key`: create- and
 * update-access-key. `lease`: grant-lease, renew-lease. `done`: all others.
 */
export type OmReply =
  | { readonly kind: 'done' }
  | { readonly kind: 'volume'; readonly volume: Volume }
  | { readonly kind: 'bucket'; readonly bucket: Bucket }
  | {
      readonly kind: 'key'
      readonly etag: string
      readonly modifiedMs: number
      readonly updateId: number
      readonly size: number
    }
  /** `existed` false: there was nothing to delete (S3 answers alike). */
  | { readonly kind: 'deleted'; readonly existed: boolean }
  | {
      readonly kind: 'deleted-many'
      readonly results: readonly ({ readonly key: string } & (
        | { readonly existed: boolean }
        | { readonly error: 'PreconditionFailed' | 'KeyNotFound' | 'InvalidName' | 'KeyTooLong' }
      ))[]
    }
  | { readonly kind: 'upload'; readonly upload: UploadId; readonly initiatedMs: number }
  | { readonly kind: 'part'; readonly etag: string; readonly modifiedMs: number }
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'access-key'; readonly id: string }
  | { readonly kind: 'lease'; readonly lease: Lease }

// ---------------------------------------------------------------------------------------------------------- reads

export interface Page<T> {
  readonly items: readonly T[]
  /** More follow. */
  readonly truncated: boolean
}

export interface ListKeysQuery extends BucketRef {
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  /** Names strictly after this one, in UTF-8 byte order; a common prefix equal to or before it is skipped too. */
  readonly after: string
  /** Keys and common prefixes together; 0 … 1,000 from S3, at most 10,000. */
  readonly limit: number
}

/** A key without what a listing does not show: where its bytes are. */
export type KeySummary = Omit<Key, 'content' | 'parts'>

export type ListedEntry =
  | { readonly kind: 'key'; readonly key: KeySummary }
  | { readonly kind: 'prefix'; readonly prefix: string }

export interface ListUploadsQuery extends BucketRef {
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  /** With `keyMarker`: uploads of that key strictly after this id; empty: all uploads of later keys. */
  readonly uploadIdMarker: string
  readonly limit: number
}

export type ListedUpload =
  | { readonly kind: 'upload'; readonly upload: Upload }
  | { readonly kind: 'prefix'; readonly prefix: string }

/** A row, or what a read of it alone would have been refused with. */
export type Found<T> =
  | { readonly kind: 'row'; readonly row: T }
  | { readonly kind: 'refused'; readonly error: ErrorRecord }

/** Buckets that one lookup may name: a copy has two. */
export const maxLookupPlaces = 2

/** Everything that a request is known to need when it comes in. */
export interface LookupRequest {
  /** With the user behind it. Where one of them is absent or disabled, nothing else is read. */
  readonly accessKey?: string
  /** Volumes, each with one of its buckets or alone; at most `maxLookupPlaces`. */
  readonly places: readonly { readonly volume: string; readonly bucket?: string }[]
  readonly key?: KeyRef
  readonly upload?: KeyRef & { readonly upload: UploadId }
}

/**
 * Rows of one moment. What was asked for and is absent was not read, or is too much for an answer that many requests get
 * before anybody knows whose they are: it is asked for by itself. So is what could not be read; its own read says why.
 */
export interface LookupAnswer {
  readonly accessKey?: Found<AccessKey>
  readonly user?: Found<User>
  /** As `places` of the request, or empty. */
  readonly places: readonly { readonly volume?: Found<Volume>; readonly bucket?: Found<Bucket> }[]
  readonly key?: Found<Key>
  readonly upload?: Found<Upload>
}

/** What the store above asks of OM. In one process a direct call; between processes the same over RPC. */
export interface OmClient {
  /**
   * Every change. Resolves when durable on a majority. Refusals are `StoreError` with the command's codes; see
   * `core/commands/<kind>.ts` for each.
   */
  execute(command: OmCommand, options?: { readonly requestId?: string }): Promise<OmReply>

  /** Synchronous when cached: rights on a bucket may come from its volume. `VolumeNotFound`. */
  getVolume(volume: string): Volume | Promise<Volume>
  listVolumes(query: { readonly after: string; readonly prefix: string; readonly limit: number }): Promise<Page<Volume>>
  getBucket(ref: BucketRef): Bucket | Promise<Bucket>
  listBuckets(query: {
    readonly volume: string
    readonly after: string
    readonly prefix: string
    readonly limit: number
  }): Promise<Page<Bucket>>

  /**
   * `BucketNotFound`, `KeyNotFound`. Synchronous when the rows are cached, refusals included, which it then throws: the hot
   * path of GET. So are `getBucket` and `getAccessKey`.
   */
  getKey(ref: KeyRef): Key | Promise<Key>
  /** One snapshot. O(limit + directories skipped). `BucketNotFound`. */
  listKeys(query: ListKeysQuery): Promise<Page<ListedEntry>>

  getUpload(ref: KeyRef & { readonly upload: UploadId }): Promise<Upload>
  listUploads(query: ListUploadsQuery): Promise<Page<ListedUpload>>
  /** In part-number order, after `after`. `UploadNotFound`. */
  listParts(
    query: KeyRef & { readonly upload: UploadId; readonly after: number; readonly limit: number },
  ): Promise<Page<Part>>
  /** Exactly these parts; those that do not exist are left out. */
  getParts(query: KeyRef & { readonly upload: UploadId; readonly numbers: readonly number[] }): Promise<readonly Part[]>

  /** Asked with every access key, so synchronous when cached, too. `UserNotFound`. */
  getUser(name: string): User | Promise<User>
  listUsers(query: { readonly after: string; readonly limit: number }): Promise<Page<User>>
  /** Hot path of every request: synchronous when cached. `AccessKeyNotFound`. */
  getAccessKey(id: string): AccessKey | Promise<AccessKey>
  listAccessKeys(query: {
    readonly user?: string
    readonly after: string
    readonly limit: number
  }): Promise<Page<AccessKey>>

  /** Grants blocks of SCM under a new lease. OM keeps a stock, so this rarely waits for SCM. `OutOfSpace`. */
  leaseBlocks(
    request: {
      readonly holder: string
      readonly count: number
      readonly replication: ReplicationConfig
    },
    options?: { readonly requestId?: string },
  ): Promise<Lease>
  /**
   * All rows that a request needs, in one answer. Only where to ask is a round trip: who has OM in the same process is
   * answered at once, row by row. Refusals of single rows are in the answer; `TooManyEntries`.
   */
  readonly lookup?: (request: LookupRequest) => Promise<LookupAnswer>

  /** Walks the whole namespace and compares with the counters; for tests and `o3 doctor`. */
  audit(): Promise<readonly string[]>
}

/** Names: S3's bucket rules (3–63, a–z 0–9 - ., no IP form) for buckets, the same for volumes; keys 1–1,024 bytes UTF-8. */
export const maxKeyBytes = 1024
export const maxParts = 10_000
export const maxExtentsPerKey = 100_000
