import type { Table } from '@o3/ratis/api'
import { ByteReader, ByteWriter, readU64Key, u64Key } from '@o3/common/codec'
import type { BlockRange, ContainerId, DatanodeId } from '../../api/api.ts'
import { readRange, readText, readVersion, writeRange, writeText } from './row-codec.ts'

/**
 * Blocks of one container that are to be deleted. It is done when every replica in the container's row has said so, whichever
 * those are by then.
 */
export interface DeletionRow {
  readonly blocks: readonly BlockRange[]
  readonly done: readonly DatanodeId[]
  /**
   * `ContainerRow.copies` when the first of `done` said so. A copy that was begun since may have taken the blocks along, from a
   * source that had them, to a datanode that had said so of an earlier replica: then all are asked anew.
   */
  readonly copies: number
}

const version = 2

/** By transaction number: the order in which deletions were asked for. */
export const deletions: Table<number, DeletionRow> = {
  name: 'deletions',
  prefix: 'd',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    new ByteWriter().u8(version).list(row.blocks, writeRange).list(row.done, writeText).varint(row.copies).finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    const found = readVersion(reader, 'deletion', version)
    const blocks = reader.list(readRange)
    const names = reader.list(readText)
    // Version 1 named those that had not said so: of the one replica that there was, all.
    if (found === 1) return { blocks, done: [], copies: 0 }
    return { blocks, done: names, copies: reader.varint() }
  },
}

export interface EncodedDeletionKey {
  readonly container: ContainerId
  readonly transaction: number
}

/**
 * Blocks of encoded containers that were deleted: nobody refers to them, and their bytes stay until the container is encoded
 * anew without them. By container, so that the encoder finds its own.
 */
export const encodedDeletions: Table<EncodedDeletionKey, readonly BlockRange[]> = {
  name: 'encoded deletions',
  prefix: 'e',
  encodeKey: ({ container, transaction }) => u64Key(container) + u64Key(transaction),
  decodeKey: (binary) => ({ container: readU64Key(binary, 0), transaction: readU64Key(binary, 8) }),
  encode: (blocks) => new ByteWriter().u8(1).list(blocks, writeRange).finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes)
    readVersion(reader, 'encoded deletion', 1)
    return reader.list(readRange)
  },
}
