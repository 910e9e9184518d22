import type { LogIndex, Term } from '../api/api.ts'

/** A member's name: 1 to 64 bytes of printable ASCII. Given once, never to another machine or disk. */
export type NodeId = string & { readonly brand?: 'NodeId' }

/**
 * One entry of the log. What it is follows from its payload, so that the log on disk needs no field for it:
 *
 * | payload | kind |
 * |---|---|
 * | empty | blank: what a new leader commits to learn how far its log is committed |
 * | first byte 0 | configuration (`encodeConfiguration`) |
 * | else | a command of the state machine, whose first byte is a version and never 0 |
 */
export interface Entry {
  readonly index: LogIndex
  readonly term: Term
  readonly payload: Uint8Array
  /**
   * Bytes that belong to the entry and live elsewhere (chunks of a block). Opaque to the core: it counts them against the
   * limits and tells the other members how many there are; the driver brings them there, and calls an entry persisted only
   * when these are durable too. `RaftNode` has none: blocks are durable before their entry is proposed (docs/adr/0011).
   */
  readonly external?: ExternalData
}

export interface ExternalData {
  readonly sizeBytes: number
}

export type EntryKind = 'blank' | 'configuration' | 'command'

export function entryKind(payload: Uint8Array): EntryKind {
  if (payload.length === 0) return 'blank'
  return payload[0] === 0 ? 'configuration' : 'command'
}

/** What an entry counts against limits: payload, external bytes, and what it costs to carry. */
export function entryBytes(entry: Entry): number {
  return entry.payload.length + (entry.external?.sizeBytes ?? 0) + entryOverheadBytes
}

const entryOverheadBytes = 32
