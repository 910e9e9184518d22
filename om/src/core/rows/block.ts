/** Blocks that several segments name, and blocks that none names any more. */

import { readU32Key, readU64Key, u32Key, u64Key } from '@o3/common/codec'
import type { Table } from '@o3/ratis/api'
import type { BlockId, BlockRange } from '@o3/scm/api'
import { readRange, writeRange } from './lease.ts'
import { openRow, startRow } from './row.ts'

/** How many segments of keys and parts name the block. The row exists only while that is more than one. */
export const blockReferences: Table<BlockId, number> = {
  name: 'block-references',
  prefix: 'r',
  encodeKey: (block) => u64Key(block.container) + u32Key(block.local),
  decodeKey: (binary) => ({ container: readU64Key(binary, 0), local: readU32Key(binary, 8) }),
  encode: (count) => startRow(16).varint(count).finish(),
  decode: (bytes) => openRow(bytes, 'block-references').varint(),
}

export interface DeletedBlocksRow {
  readonly deletedMs: number
  readonly ranges: readonly BlockRange[]
}

/** The queue of blocks to delete, by position. Positions are dense: `queueEnds` says which there are. */
export const deletedBlocks: Table<number, DeletedBlocksRow> = {
  name: 'deleted-blocks',
  prefix: 'x',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) => startRow().varint(row.deletedMs).list(row.ranges, writeRange).finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'deleted-blocks')
    return { deletedMs: reader.varint(), ranges: reader.list(readRange) }
  },
}

/** Positions `first` … `next`−1 are there. */
export interface QueueEnds {
  readonly first: number
  readonly next: number
}

export type QueueName = 'deleted-blocks' | 'completed-uploads'

/** Where the queues begin and end: a plan finds their rows without looking for them. */
export const queueEnds: Table<QueueName, QueueEnds> = {
  name: 'queue-ends',
  prefix: 'q',
  encodeKey: (name) => name,
  decodeKey: (binary) => binary as QueueName,
  encode: (row) => startRow(24).varint(row.first).varint(row.next).finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'queue-ends')
    return { first: reader.varint(), next: reader.varint() }
  },
}
