/**
 * What the log of a pipeline says: an entry is a version, a kind and its fields. Entries are kept for as long as a member
 * may need them, so every version that was ever written is read.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, DatanodeId } from '@o3/scm/api'

/** A block with its bytes. */
export interface WriteBlockEntry {
  readonly kind: 'write-block'
  readonly block: BlockId
  readonly bytes: Uint8Array
}

/** A block whose bytes are durable on `holders`. */
export interface AgreeBlockEntry {
  readonly kind: 'agree-block'
  readonly block: BlockId
  readonly lengthBytes: number
  /** As in `BlockReceipt`. */
  readonly checksum: number
  readonly holders: readonly DatanodeId[]
}

/** No block of the container follows. */
export interface CloseContainerEntry {
  readonly kind: 'close-container'
  readonly container: ContainerId
  /**
   * Of all blocks that were agreed to, as the leader knows it (`ContainerReport.contentHash`): a replica that has another
   * one lacks a block, or has one that it should not. Undefined when the leader lacks some itself.
   */
  readonly contentHash: string | undefined
}

export type PipelineEntry = WriteBlockEntry | AgreeBlockEntry | CloseContainerEntry

/** Never 0: that is how Raft tells its own entries. */
const version = 1
// The order is persisted: append, never reorder.
const kinds = ['write-block', 'agree-block', 'close-container'] as const satisfies readonly PipelineEntry['kind'][]
const headBytes = 24

/** The block in one piece, which is the copy that the log keeps: the caller's memory is free when this returns. */
export function encodeWriteBlock(block: BlockId, pieces: readonly Uint8Array[]): Uint8Array {
  let lengthBytes = 0
  for (const piece of pieces) lengthBytes += piece.length
  const writer = head('write-block', headBytes + lengthBytes)
  writer.varint(block.container).varint(block.local)
  for (const piece of pieces) writer.raw(piece)
  return writer.finish()
}

/** Of an entry without bytes. */
export function encodeEntry(entry: AgreeBlockEntry | CloseContainerEntry): Uint8Array {
  const writer = head(entry.kind, 64)
  if (entry.kind === 'close-container') {
    return writer
      .varint(entry.container)
      .optional(entry.contentHash, (each, hash) => each.utf8(hash))
      .finish()
  }
  const { block, lengthBytes, checksum, holders } = entry
  writer.varint(block.container).varint(block.local).varint(lengthBytes).u32(checksum)
  return writer.list(holders, (each, holder) => each.utf8(holder)).finish()
}

function head(kind: PipelineEntry['kind'], initialBytes: number): ByteWriter {
  return new ByteWriter(initialBytes).u8(version).u8(kinds.indexOf(kind))
}

/** `bytes` are a view of the payload. Throws `Incompatible` for an entry of a later release, `Damaged`. */
export function decodeEntry(payload: Uint8Array): PipelineEntry {
  const reader = new ByteReader(payload)
  const found = reader.u8()
  if (found !== version) throw new StoreError('Incompatible', `a pipeline's entry has the unknown version ${found}`)
  const kind = kinds[reader.u8()]
  if (kind === undefined) throw new StoreError('Incompatible', `a pipeline's entry is of an unknown kind`)
  const container = reader.varint()
  if (kind === 'close-container') return { kind, container, contentHash: reader.optional((each) => each.utf8()) }
  const block = { container, local: reader.varint() }
  if (kind === 'write-block') return { kind, block, bytes: reader.raw(reader.remaining) }
  return {
    kind,
    block,
    lengthBytes: reader.varint(),
    checksum: reader.u32(),
    holders: reader.list((each) => each.utf8()),
  }
}
