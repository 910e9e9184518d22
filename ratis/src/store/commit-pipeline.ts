/**
 * The leader's path from a turn's entry to the log: proposed entries wait here, in order, until they are applied, or until
 * it is clear that this member will not answer for them.
 */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { encodeEntry } from './entry-codec.ts'
import type { Overlay } from './overlay.ts'
import { PendingEntry, type Loss } from './pending-entry.ts'

export interface PipelineParts {
  readonly overlay: Overlay
  /** Hands an entry to the group (`Consensus.propose`). */
  readonly propose: (payload: Uint8Array) => LogIndex
  /** Entries were refused; there may be room for others now. */
  readonly onRefused: (error: StoreError) => void
}

export class CommitPipeline {
  /** In which this member leads. */
  term: Term = 0
  /** Of proposed entries that are not applied. */
  underWayBytes = 0
  private readonly env: Env
  private readonly parts: PipelineParts
  private readonly underWay: PendingEntry[] = []
  private lastOrdinal = 0

  constructor(env: Env, parts: PipelineParts) {
    this.env = env
    this.parts = parts
  }

  newEntry(wallMs: number): PendingEntry {
    return new PendingEntry(++this.lastOrdinal, wallMs)
  }

  /** Proposes the entry. All who wait for it are told in any case. */
  submit(entry: PendingEntry, lastSequence: number): void {
    entry.lastSequence = lastSequence
    const { wallMs, replies } = entry
    const rows = Array.from(entry.rows.values(), (row) => ({ rowKey: row.rowKey, value: row.bytes }))
    const payload = encodeEntry({ wallMs, lastSequence, rows, replies }, entry.bytes)
    this.env.at('store.turn.before-append')
    try {
      entry.index = this.parts.propose(payload)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.drop([entry], { changed: error, unchanged: error })
      this.parts.onRefused(error)
      return
    }
    entry.term = this.term
    this.underWay.push(entry)
    this.underWayBytes += entry.bytes
  }

  /** The proposal that has become this entry of the log, if it was made here; it is no longer under way. */
  take(index: LogIndex, term: Term): PendingEntry | undefined {
    const entry = this.underWay[0]
    if (entry === undefined || entry.index !== index || entry.term !== term) return undefined
    this.underWay.shift()
    this.underWayBytes -= entry.bytes
    return entry
  }

  /** Nothing of the proposals from this index on happened, or ever will. */
  refuse(from: LogIndex, error: StoreError): void {
    const kept = this.underWay.findIndex(({ index }) => index >= from)
    if (kept < 0) return
    this.drop(this.underWay.splice(kept), { changed: error, unchanged: error })
    this.parts.onRefused(error)
  }

  /** Nobody here will learn what becomes of the proposals under way. */
  lose(loss: Loss): void {
    this.drop(this.underWay.splice(0), loss)
  }

  private drop(entries: readonly PendingEntry[], loss: Loss): void {
    this.underWayBytes = this.underWay.reduce((sum, { bytes }) => sum + bytes, 0)
    this.parts.overlay.keepOnly(this.underWay)
    for (const { waiting } of entries) for (const settle of waiting) settle(loss)
  }
}
