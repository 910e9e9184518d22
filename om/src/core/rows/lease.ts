/** Leases: the blocks that a gateway may commit, and which of them it has. */

import type { ByteReader, ByteWriter } from '@o3/common/codec'
import { readU64Key, u64Key } from '@o3/common/codec'
import type { Table } from '@o3/ratis/api'
import type { BlockRange } from '@o3/scm/api'
import type { Lease, LeaseId } from '../../api/api.ts'
import { replications } from './bucket.ts'
import { choice, openRow, startRow } from './row.ts'

export interface LeaseRow extends Omit<Lease, 'id'> {
  /** One bit a block, in the order of `ranges` (rows/bits.ts). */
  readonly committed: Uint8Array
}

export const leases: Table<LeaseId, LeaseRow> = {
  name: 'leases',
  prefix: 'l',
  encodeKey: u64Key,
  decodeKey: (binary) => readU64Key(binary, 0),
  encode: (row) =>
    startRow(64 + row.committed.length)
      .utf8(row.holder)
      .varint(row.expiresMs)
      .u8(replications.indexOf(row.replication))
      .list(row.ranges, writeRange)
      .bytes(row.committed)
      .finish(),
  decode: (bytes) => {
    const reader = openRow(bytes, 'leases')
    return {
      holder: reader.utf8(),
      expiresMs: reader.varint(),
      replication: choice(replications, reader.u8()),
      ranges: reader.list(readRange),
      committed: reader.bytes(),
    }
  },
}

export function writeRange(writer: ByteWriter, range: BlockRange): void {
  writer.varint(range.container).varint(range.firstLocal).varint(range.count)
}

export function readRange(reader: ByteReader): BlockRange {
  return { container: reader.varint(), firstLocal: reader.varint(), count: reader.varint() }
}
