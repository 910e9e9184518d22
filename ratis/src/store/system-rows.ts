/**
 * The store's own rows in the key-value store, below all tables (whose prefixes start at 0x21).
 *
 * - identity: which log these rows belong to;
 * - applied: how far the log has been applied, in the same batch as what was applied;
 * - checkpoint: what a checkpoint made durable, written behind it: it says the truth, or lags after a power cut;
 * - incoming: in a store that a snapshot is received into, how far it has come;
 * - configuration: the last configuration entry, in the same batch as the applied index;
 * - ledger chunks: the replies since the checkpoint before, one or more rows for each checkpoint.
 */

import { ByteReader, ByteWriter, readU64Key, u64Key } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvEntry } from '@o3/common/kv'
import type { LogIndex, Term } from '../api/api.ts'
import type { LedgerRecord } from './request-ledger.ts'

export const identityKey: BinaryKey = '\0identity'
export const appliedKey: BinaryKey = '\0applied'
export const checkpointKey: BinaryKey = '\0checkpoint'
export const configurationKey: BinaryKey = '\0configuration'
export const incomingKey: BinaryKey = '\0incoming'
const chunkPrefix = '\0ledger/'
export const ledgerRange: KeyRange = { from: chunkPrefix, to: '\0ledger0' }

/** How far the store is. */
export interface Applied {
  readonly index: LogIndex
  readonly term: Term
  readonly lastSequence: number
}

const version = 1

export function encodeIdentity(groupId: string): Uint8Array {
  return new ByteWriter(40).u8(version).utf8(groupId).finish()
}

export function decodeIdentity(bytes: Uint8Array): string {
  return versioned(bytes).utf8()
}

export function encodeApplied(applied: Applied): Uint8Array {
  return new ByteWriter(24).u8(version).varint(applied.index).varint(applied.term).varint(applied.lastSequence).finish()
}

export function decodeApplied(bytes: Uint8Array): Applied {
  const reader = versioned(bytes)
  return { index: reader.varint(), term: reader.varint(), lastSequence: reader.varint() }
}

/** The place of an entry in the log. */
export interface LogPlace {
  readonly index: LogIndex
  readonly term: Term
}

export function encodeCheckpoint({ index, term }: LogPlace): Uint8Array {
  return new ByteWriter(16).u8(version).varint(index).varint(term).finish()
}

export function decodeCheckpoint(bytes: Uint8Array): LogPlace {
  const reader = versioned(bytes)
  return { index: reader.varint(), term: reader.varint() }
}

/** Whether the row belongs to one member and is no part of a snapshot. */
export function isOwnRow(key: BinaryKey): boolean {
  return key === identityKey || key === checkpointKey || key === incomingKey
}

/** How much of a snapshot was received. */
export interface Incoming {
  readonly snapshot: string
  /** Where the next piece begins; when all are there, where the last one does. */
  readonly position: BinaryKey
  readonly isComplete: boolean
}

export function encodeIncoming({ snapshot, position, isComplete }: Incoming): Uint8Array {
  return new ByteWriter(128).u8(version).utf8(snapshot).binary(position).bool(isComplete).finish()
}

export function decodeIncoming(bytes: Uint8Array): Incoming {
  const reader = versioned(bytes)
  return { snapshot: reader.utf8(), position: reader.binary(), isComplete: reader.bool() }
}

/** `payload` is that of the entry. */
export function encodeConfigurationRow(index: LogIndex, payload: Uint8Array): Uint8Array {
  return new ByteWriter(payload.length + 16).u8(version).varint(index).bytes(payload).finish()
}

export function decodeConfigurationRow(bytes: Uint8Array): { index: LogIndex; payload: Uint8Array } {
  const reader = versioned(bytes)
  return { index: reader.varint(), payload: reader.bytes() }
}

/** Chunks sort by the last entry they cover; `part` tells apart those of one checkpoint. */
export function ledgerChunkKey(lastIndex: LogIndex, part: number): BinaryKey {
  return chunkPrefix + u64Key(lastIndex) + String.fromCharCode(part >>> 8, part & 0xff)
}

/** The last entry that a chunk covers. */
export function ledgerChunkIndex(key: BinaryKey): LogIndex {
  return readU64Key(key, chunkPrefix.length)
}

export function encodeLedgerChunk(records: readonly LedgerRecord[]): Uint8Array {
  return new ByteWriter(4096)
    .u8(version)
    .list(records, (writer, record) =>
      writer.utf8(record.requestId).varint(record.index).varint(record.wallMs).bytes(record.reply),
    )
    .finish()
}

const repliesPerChunk = 1000

/** The rows for these replies, whose entries are all covered by `lastIndex`. */
export function ledgerChunks(lastIndex: LogIndex, records: readonly LedgerRecord[]): readonly KvEntry[] {
  const rows: KvEntry[] = []
  for (let part = 0; part * repliesPerChunk < records.length; part++) {
    const chunk = records.slice(part * repliesPerChunk, (part + 1) * repliesPerChunk)
    rows.push({ key: ledgerChunkKey(lastIndex, part), value: encodeLedgerChunk(chunk) })
  }
  return rows
}

export function decodeLedgerChunk(bytes: Uint8Array): readonly LedgerRecord[] {
  return versioned(bytes).list((reader) => ({
    requestId: reader.utf8(),
    index: reader.varint(),
    wallMs: reader.varint(),
    reply: reader.bytes(),
  }))
}

function versioned(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) throw new StoreError('Incompatible', `system row of version ${found}; known is ${version}`)
  return reader
}
