/**
 * HDDS: bytes. A datanode stores blocks in container files; the block client writes and reads them. Neither knows a
 * name.
 */

import type {
  BlockId,
  BlockRange,
  ContainerId,
  ContainerReport,
  DatanodeId,
  DiskReport,
  LocalId,
  PipelineId,
  PipelineMember,
  PipelineReport,
} from '@o3/scm/api'

/** A chunk of a block may be at most this long; it is the unit of a write and of the record in the container file. */
export const maxChunkBytes = 1024 * 1024
/** Checksums cover this much. */
export const checksumUnitBytes = 64 * 1024

/**
 * Writes one block front to back. Not durable, and not readable, before `commit`.
 * One call at a time; a chunk's memory may be reused once `write` has resolved.
 */
export interface BlockWriter {
  readonly block: BlockId
  /**
   * Resolves when the pieces were handed to the disk's cache (back-pressure), in order. `OutOfSpace`, `VolumeFailed`. With
   * `known` they are at most a chunk.
   */
  write(pieces: readonly Uint8Array[], known?: KnownChecksums): Promise<void>
  /** Durable when it resolves: `fdatasync` of the container has covered every chunk. */
  commit(): Promise<BlockReceipt>
  /** Forgets the block; its bytes are garbage that compaction reclaims. Idempotent, also after a failure. */
  abort(): Promise<void>
}

/** CRC32Cs of the pieces of one `write` that its caller has computed from these very bytes, so that nobody does it again. */
export interface KnownChecksums {
  /** Of all pieces as one. */
  readonly whole?: number
  /** Of each 64 KiB of them, wherever the pieces are cut; the last may be of fewer bytes. */
  readonly units?: readonly number[]
}

export interface BlockReceipt {
  readonly block: BlockId
  readonly lengthBytes: number
  readonly datanodes: readonly DatanodeId[]
  /** CRC32C over the CRC32Cs of its units, little-endian, in order. */
  readonly checksum?: number
  /** What each of `datanodes` signed after its sync: OM checks them before it commits a key. */
  readonly proofs?: readonly Uint8Array[]
}

/** How a caller reaches a block. */
export interface BlockAccess {
  /** That OM allows it, as bytes that only SCM, OM and datanodes can check. Not needed within a process. */
  readonly token?: Uint8Array
}

/** At one replica. */
export interface ReplicaAccess extends BlockAccess {
  /** Writing through its log; without it the replica is written directly, which only `RATIS/ONE` allows. */
  readonly pipeline?: PipelineId
}

/** As much of an `AbortSignal` as a read needs. */
export interface ReadSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(kind: 'abort', listener: () => void, options?: { readonly once: boolean }): void
  removeEventListener(kind: 'abort', listener: () => void): void
}

/** Of a read at one replica. */
export interface ReadAccess extends BlockAccess {
  /** Aborted when the answer is not wanted any more: the read then ends, with its reason, before it does anything else. */
  readonly signal?: ReadSignal
}

export interface ReadRange {
  readonly offset: number
  /** Exact: reading past the block's end is `InvalidRange`. */
  readonly length: number
}

/** The block client: what the store above sees. */
export interface BlockStore {
  /** One small block in one message: durable when it resolves. At most `maxChunkBytes` in all. */
  writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: BlockAccess): Promise<BlockReceipt>
  openWriter(block: BlockId, access?: BlockAccess): Promise<BlockWriter>
  /**
   * The bytes of `range`, in pieces of at most `maxChunkBytes`, each verified against its checksum before it is handed
   * out; at most two pieces are read ahead. A piece is valid until the next one is asked for.
   * Errors: `BlockNotFound`, `InvalidRange`, `Damaged` (details: container, local, offset, path) when every replica is
   * rotten, `Unavailable`.
   */
  read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array>
  /** The whole of a small range in one piece (≤ `maxChunkBytes`), without an iterator. Same errors. */
  readSmall(block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array>
}

export interface BlockInfo {
  readonly block: BlockId
  readonly lengthBytes: number
  /** As in `BlockReceipt`. */
  readonly checksum?: number
}

/** A block whose bytes are durable on `holders`, a majority of the pipeline; where they are not, they are fetched from those. */
export interface AgreedBlock {
  readonly pipeline: PipelineId
  readonly block: BlockId
  readonly lengthBytes: number
  readonly checksum: number
  readonly holders: readonly DatanodeId[]
}

export interface ScrubFinding {
  /** `quarantined`: the file of a damaged replica that was deleted here; a person may look at it for some time. */
  readonly kind: 'damaged-chunk' | 'unreadable' | 'index-mismatch' | 'quarantined'
  readonly container: ContainerId
  readonly local?: number
  readonly path: string
  readonly fileOffset: number
  readonly message: string
}

type MaybePromise<T> = T | Promise<T>

/** A replica, as whoever makes another one of it sees it. */
export interface ReplicaSummary {
  /**
   * `none`: it takes blocks. `alone`: closed when its pipeline was lost; it may lack blocks (`QUASI_CLOSED`). `origin`: so too, by a
   * member that still had all that it ever acknowledged.
   */
  readonly seal: 'none' | 'agreed' | 'alone' | 'origin'
  /** Some of it does not verify (`UNHEALTHY`). */
  readonly damaged: boolean
  readonly generation: number
  /** What its blocks take in a container file. */
  readonly liveBytes: number
  readonly blockCount: number
  /** As in `ContainerReport`. */
  readonly contentHash?: string
}

export interface BlockPage {
  readonly container: ContainerId
  /** Only blocks with higher local ids. 0: from the first on. */
  readonly after: LocalId
  /** At most 16,384. */
  readonly limit: number
}

/** The replicas of a datanode, for whoever makes others of them. */
export interface ReplicaSource {
  readonly id: DatanodeId
  /**
   * Blocks of a closed replica that have no checksum, because an earlier release wrote them, get one first: that may take
   * long. `ContainerNotFound`, `Damaged` when its file is missing.
   */
  summarizeReplica(container: ContainerId): Promise<ReplicaSummary>
  /** By local id; fewer than `limit` only at the end. One without a checksum cannot be read. */
  listReplica(page: BlockPage): Promise<readonly BlockInfo[]>
  /**
   * These blocks of one container, framed (`BlockFrames`), in the order of the ranges. One that is not there, or does not
   * verify, has a frame that says so; a large one that turns out damaged midway ends the stream with `Damaged`.
   */
  readBlocks(blocks: readonly BlockRange[]): AsyncIterable<Uint8Array>
}

/** A datanode as a member of pipelines. */
export interface PipelineMembership {
  /** Takes part in the pipeline's group from now on, also after a restart. Idempotent. */
  createPipeline(pipeline: PipelineId, members: readonly PipelineMember[]): Promise<void>
  /** Leaves it for good and drops its log, after sealing what is still open of it (`QUASI_CLOSED`). Idempotent. */
  closePipeline(pipeline: PipelineId): Promise<void>
  pipelines(): MaybePromise<readonly PipelineReport[]>
  /**
   * At the leader: every member has the block, or will. Resolves when the pipeline's log says so durably on a majority.
   * `NotLeader` (details: `leader`), `Unavailable` for an unknown pipeline or a closed container, `OutcomeUnknown`.
   */
  agreeBlock(agreed: AgreedBlock, access?: BlockAccess): Promise<void>
}

/**
 * One datanode, as its clients and SCM's executor see it: in this process, where it answers at once, or over the wire. Its
 * `writeBlock` through a pipeline is durable on a majority of the members when it resolves, and wants the leader
 * (`NotLeader`); its `openWriter` and their `commit` are of this replica alone, also where there is a pipeline.
 */
export interface Datanode extends BlockStore {
  readonly id: DatanodeId
  writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: ReplicaAccess): Promise<BlockReceipt>
  openWriter(block: BlockId, access?: ReplicaAccess): Promise<BlockWriter>
  readSmall(block: BlockId, range: ReadRange, access?: ReadAccess): Promise<Uint8Array>
  createContainer(container: ContainerId): Promise<void>
  /** No more writes; resolves when durable. Idempotent. */
  closeContainer(container: ContainerId): Promise<void>
  deleteContainer(container: ContainerId): Promise<void>
  /** Durable (a tombstone is synced) when it resolves; space comes back by compaction. Unknown blocks are ignored. */
  deleteBlocks(blocks: readonly BlockRange[]): Promise<void>
  listBlocks(container: ContainerId): Promise<readonly BlockInfo[]>
  containers(): MaybePromise<readonly ContainerReport[]>
  disks(): MaybePromise<readonly DiskReport[]>
  /** Verifies every checksum of one container from the disk. */
  scrubContainer(container: ContainerId): Promise<readonly ScrubFinding[]>
  /** What the background scrubber and readers have found since the start, newest last, at most 1,000. */
  findings(): MaybePromise<readonly ScrubFinding[]>
  /** Rewrites containers whose garbage is worth it; resolves with the bytes given back. Runs by itself as well. */
  compact(): Promise<number>
}
