import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { RequestId } from '../api/api.ts'

/** The payload of one log entry: all that the plans of one turn decided. */
export interface EntryRecord {
  readonly wallMs: number
  /** The highest `Stamp.sequence` given out up to and including this entry. */
  readonly lastSequence: number
  /** One per row key. */
  readonly rows: readonly EntryRow[]
  readonly replies: readonly EntryReply[]
}

export interface EntryRow {
  readonly rowKey: BinaryKey
  /** Undefined deletes the row. */
  readonly value: Uint8Array | undefined
}

/** For exactly-once: what the request was answered. */
export interface EntryReply {
  readonly requestId: RequestId
  readonly reply: Uint8Array
}

/**
 * | version 1 | varint wallMs | varint lastSequence | rows | replies |
 *
 * A row is its key, then 0 for a delete or the value's length + 1 and the value. A reply is its request id and its bytes.
 */
const version = 1

export function encodeEntry(record: EntryRecord, sizeHint: number): Uint8Array {
  const writer = new ByteWriter(sizeHint)
  writer.u8(version).varint(record.wallMs).varint(record.lastSequence)
  writer.varint(record.rows.length)
  for (const { rowKey, value } of record.rows) {
    writer.binary(rowKey)
    if (value === undefined) writer.varint(0)
    else writer.varint(value.length + 1).raw(value)
  }
  writer.varint(record.replies.length)
  for (const { requestId, reply } of record.replies) writer.utf8(requestId).bytes(reply)
  return writer.finish()
}

/** Values are views of `payload`. Throws `Damaged`, or `Incompatible` for a version that this release does not know. */
export function decodeEntry(payload: Uint8Array): EntryRecord {
  const reader = new ByteReader(payload)
  const found = reader.u8()
  if (found !== version) {
    throw new StoreError('Incompatible', `log entry of version ${found}; this release reads version ${version}`)
  }
  return {
    wallMs: reader.varint(),
    lastSequence: reader.varint(),
    rows: reader.list(decodeRow),
    replies: reader.list((item) => ({ requestId: item.utf8(), reply: item.bytes() })),
  }
}

function decodeRow(reader: ByteReader): EntryRow {
  const rowKey = reader.binary()
  const length = reader.varint()
  return { rowKey, value: length === 0 ? undefined : reader.raw(length - 1) }
}
