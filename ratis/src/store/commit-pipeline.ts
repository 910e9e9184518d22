/**
 * From a turn's entry to replies: log → applied in memory → replies → key-value store.
 *
 * An entry is *applied* in one synchronous step, when the log has it durably: its rows enter the cache (pinned until the
 * key-value store has them too), leave the overlay, and only then replies go out. So every read that starts after a reply
 * sees the change, whole, and nobody waits for the key-value store.
 */

import type { Env } from '@o3/common/env'
import { assert, StoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import type { SegmentedLog } from '../log/segmented-log.ts'
import { encodeEntry } from './entry-codec.ts'
import type { KvFlusher } from './kv-flusher.ts'
import type { Overlay } from './overlay.ts'
import { PendingEntry } from './pending-entry.ts'
import type { RequestLedger } from './request-ledger.ts'
import type { RowCache } from './row-cache.ts'
import type { RowFetcher } from './row-fetcher.ts'
import type { StoreCounters } from './store-events.ts'

export interface PipelineParts {
  readonly log: SegmentedLog
  readonly term: Term
  readonly overlay: Overlay
  readonly cache: RowCache
  readonly fetcher: RowFetcher
  readonly flusher: KvFlusher
  readonly ledger: RequestLedger
  readonly counters: StoreCounters
  readonly appliedIndex: LogIndex
  readonly onApplied: () => void
  /** Entries were refused; there may be room for others now. */
  readonly onRefused: (error: StoreError) => void
}

export class CommitPipeline {
  appliedIndex: LogIndex
  private readonly env: Env
  private readonly parts: PipelineParts
  private nextIndex: LogIndex
  private inFlight = 0
  /** Made once: the flusher calls it for each row that an earlier entry had left with it. */
  private readonly unpin = (rowKey: string): void => this.parts.cache.unpin(rowKey)

  constructor(env: Env, parts: PipelineParts) {
    this.env = env
    this.parts = parts
    this.appliedIndex = parts.appliedIndex
    this.nextIndex = parts.appliedIndex + 1
  }

  newEntry(wallMs: number): PendingEntry {
    return new PendingEntry(this.nextIndex++, wallMs)
  }

  /** Hands the entry to the log. All who wait for it are told in any case. */
  submit(entry: PendingEntry, lastSequence: number): void {
    entry.lastSequence = lastSequence
    const { wallMs, replies, index } = entry
    const rows = Array.from(entry.rows.values(), (row) => ({ rowKey: row.rowKey, value: row.bytes }))
    const payload = encodeEntry({ wallMs, lastSequence, rows, replies }, entry.bytes)
    this.env.at('store.turn.before-append')
    try {
      this.parts.log.append([{ index, term: this.parts.term, payload }], (error) => this.logged(entry, payload, error))
      this.inFlight++
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      // Refused at the door. What went before it has been refused already: the log is failed or closed.
      assert(this.inFlight === 0, 'the log refuses an entry only after all entries before it')
      this.refuse(entry, error)
    }
  }

  private logged(entry: PendingEntry, payload: Uint8Array, error: StoreError | undefined): void {
    this.inFlight--
    if (error === undefined) this.apply(entry, payload.length)
    else this.refuse(entry, error)
  }

  private apply(entry: PendingEntry, payloadBytes: number): void {
    const { cache, fetcher, overlay, ledger, flusher, counters, log, term } = this.parts
    this.env.at('store.commit.before-apply')
    for (const { rowKey, value, bytes } of entry.rows.values()) {
      fetcher.supersede(rowKey)
      cache.put(rowKey, value, bytes?.length ?? 0)
      cache.pin(rowKey)
    }
    overlay.settle(entry)
    for (const { requestId, reply } of entry.replies) ledger.rememberReply(requestId, reply, entry)
    this.appliedIndex = entry.index
    flusher.add(entry.rows.values(), { index: entry.index, term, lastSequence: entry.lastSequence }, this.unpin)
    counters.entries++
    counters.entryBytes += payloadBytes
    counters.rowsWritten += entry.rows.size
    log.noteCommitted(entry.index)
    for (const settle of entry.waiting) settle(undefined)
    this.env.at('store.commit.after-replies')
    this.parts.onApplied()
  }

  /**
   * The log refuses this entry and all behind it, so nothing of the overlay will ever happen (what is applied has left
   * it), and the next entry takes the first refused index.
   */
  private refuse(entry: PendingEntry, error: StoreError): void {
    this.parts.overlay.drop()
    this.nextIndex = this.parts.log.lastIndex + 1
    for (const settle of entry.waiting) settle(error)
    this.parts.onRefused(error)
  }
}
