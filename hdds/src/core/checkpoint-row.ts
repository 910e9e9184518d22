/**
 * How far the durable index knows a container file. It is written after the rows that it vouches for are durable, so it
 * never claims too much; a start scans the file from `scanFrom` on.
 */

import { StoreError } from '@o3/common/errors'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { ContentHash } from './content-hash.ts'
import type { LedgerSums } from './container-ledger.ts'

export interface IndexCheckpoint {
  readonly generation: number
  /** At most `sums.end`: earlier where a block was under way. */
  readonly scanFrom: number
  readonly sums: LedgerSums
}

/** Of a release that knew no content hash, and no container that was sealed alone. */
const bareVersion = 1
const version = 2
/** The order is persisted: append, never reorder. */
const seals = ['none', 'agreed', 'alone', 'origin'] as const

export function encodeCheckpoint({ generation, scanFrom, sums }: IndexCheckpoint): Uint8Array {
  return new ByteWriter(64)
    .u8(version)
    .varint(generation)
    .varint(scanFrom)
    .varint(sums.end)
    .varint(Math.max(0, sums.liveBytes))
    .varint(Math.max(0, sums.blockCount))
    .u8(seals.indexOf(sums.seal))
    .optional(sums.hash, (writer, { high, low }) => writer.u32(high).u32(low))
    .list(sums.damaged, (writer, range) => writer.varint(range.from).varint(range.to))
    .finish()
}

/** Throws `Damaged`. */
export function decodeCheckpoint(bytes: Uint8Array): IndexCheckpoint {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version && found !== bareVersion) {
    throw new StoreError('Damaged', 'an index checkpoint has an unknown version')
  }
  const generation = reader.varint()
  const scanFrom = reader.varint()
  const end = reader.varint()
  const liveBytes = reader.varint()
  const blockCount = reader.varint()
  const seal = seals[reader.u8()]
  if (seal === undefined) throw new StoreError('Damaged', 'an index checkpoint has an unknown seal')
  const hash = found === version ? reader.optional(readHash) : undefined
  const damaged = reader.list((item) => ({ from: item.varint(), to: item.varint() }))
  return { generation, scanFrom, sums: { end, liveBytes, blockCount, seal, hash, damaged } }
}

function readHash(reader: ByteReader): ContentHash {
  return { high: reader.u32(), low: reader.u32() }
}
