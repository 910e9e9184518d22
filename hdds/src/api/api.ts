/**
 * HDDS: bytes. A datanode stores blocks in container files; the block client writes and reads them. Neither knows a
 * name.
 */

import type { BlockId, BlockRange, ContainerId, ContainerReport, DatanodeId, DiskReport } from '@o3/scm/api'

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
  /** Resolves when the pieces were handed to the disk's cache (back-pressure), in order. `OutOfSpace`, `VolumeFailed`. */
  write(pieces: readonly Uint8Array[]): Promise<void>
  /** Durable when it resolves: `fdatasync` of the container has covered every chunk. */
  commit(): Promise<BlockReceipt>
  /** Forgets the block; its bytes are garbage that compaction reclaims. Idempotent, also after a failure. */
  abort(): Promise<void>
}

export interface BlockReceipt {
  readonly block: BlockId
  readonly lengthBytes: number
  readonly datanodes: readonly DatanodeId[]
}

export interface ReadRange {
  readonly offset: number
  /** Exact: reading past the block's end is `InvalidRange`. */
  readonly length: number
}

/** The block client: what the store above sees. */
export interface BlockStore {
  /** One small block in one message: durable when it resolves. At most `maxChunkBytes` in all. */
  writeBlock(block: BlockId, pieces: readonly Uint8Array[]): Promise<BlockReceipt>
  openWriter(block: BlockId): Promise<BlockWriter>
  /**
   * The bytes of `range`, in pieces of at most `maxChunkBytes`, each verified against its checksum before it is handed
   * out; at most two pieces are read ahead. A piece is valid until the next one is asked for.
   * Errors: `BlockNotFound`, `InvalidRange`, `Damaged` (details: container, local, offset, path) when every replica is
   * rotten, `Unavailable`.
   */
  read(block: BlockId, range: ReadRange): AsyncIterable<Uint8Array>
  /** The whole of a small range in one piece (≤ `maxChunkBytes`), without an iterator. Same errors. */
  readSmall(block: BlockId, range: ReadRange): Promise<Uint8Array>
}

export interface BlockInfo {
  readonly block: BlockId
  readonly lengthBytes: number
}

export interface ScrubFinding {
  readonly kind: 'damaged-chunk' | 'unreadable' | 'index-mismatch'
  readonly container: ContainerId
  readonly local?: number
  readonly path: string
  readonly fileOffset: number
  readonly message: string
}

type MaybePromise<T> = T | Promise<T>

/** One datanode, as its clients and SCM's executor see it: in this process, where it answers at once, or over the wire. */
export interface Datanode extends BlockStore {
  readonly id: DatanodeId
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
