/**
 * A checkpoint: everything applied so far is made durable in the key-value store, the hard state is told, the log is cut
 * behind it. The order is the point: each step only relies on what the steps before it made durable.
 */

import type { Env } from '@o3/common/env'
import type { BinaryKey, KvStore, KvWrite } from '@o3/common/kv'
import type { LogIndex } from '../api/api.ts'
import type { SegmentedLog } from '../log/segmented-log.ts'
import type { KvFlusher } from './kv-flusher.ts'
import type { RequestLedger } from './request-ledger.ts'
import { encodeLedgerChunk, ledgerChunkIndex, ledgerChunkKey } from './system-rows.ts'

export interface CheckpointParts {
  readonly log: SegmentedLog
  readonly kv: KvStore
  readonly flusher: KvFlusher
  readonly ledger: RequestLedger
  /** The keys of the ledger's rows, in order. */
  readonly ledgerChunks: readonly BinaryKey[]
  /** Newest bytes of the log that stay for followers of the change stream, now. */
  readonly keepLogBytes: () => number
}

const repliesPerChunk = 1000

export class Checkpointer {
  private readonly env: Env
  private readonly parts: CheckpointParts
  private running: Promise<void> | undefined
  private ledgerChunks: readonly BinaryKey[]

  constructor(env: Env, parts: CheckpointParts) {
    this.env = env
    this.parts = parts
    this.ledgerChunks = parts.ledgerChunks
  }

  /** Covers what was applied when it was called. One at a time: a second call waits for the first, then runs. */
  async checkpoint(appliedIndex: LogIndex): Promise<void> {
    while (this.running !== undefined) await this.running.catch(() => undefined)
    this.running = this.take(appliedIndex)
    try {
      await this.running
    } finally {
      this.running = undefined
    }
  }

  private async take(appliedIndex: LogIndex): Promise<void> {
    const { log, kv, flusher } = this.parts
    if (appliedIndex > log.hardState.checkpointIndex) {
      await flusher.reached(appliedIndex)
      const { index } = flusher.flushed
      this.env.at('store.checkpoint.before-ledger')
      await this.saveLedger(index)
      this.env.at('store.checkpoint.before-kv')
      await kv.checkpoint()
      this.env.at('store.checkpoint.before-hard-state')
      await log.saveHardState({ checkpointIndex: index, commitFloor: Math.max(index, log.hardState.commitFloor) })
    }
    this.env.at('store.checkpoint.before-cut')
    await log.truncateBefore(log.hardState.checkpointIndex + 1, this.parts.keepLogBytes())
    this.env.at('store.checkpoint.after-cut')
  }

  /**
   * Replies of entries that the checkpoint covers can no longer be replayed: they go into rows, once each, and the rows
   * of replies that have left the window go.
   */
  private async saveLedger(index: LogIndex): Promise<void> {
    const { kv, ledger, log } = this.parts
    const records = ledger.repliesAfter(log.hardState.checkpointIndex).filter((record) => record.index <= index)
    const batch: KvWrite[] = []
    const oldest = ledger.oldestIndex(this.env.clock.wallMs()) ?? index + 1
    const kept = this.ledgerChunks.filter((key) => ledgerChunkIndex(key) >= oldest)
    for (const key of this.ledgerChunks) if (ledgerChunkIndex(key) < oldest) batch.push({ kind: 'delete', key })
    for (let part = 0; part * repliesPerChunk < records.length; part++) {
      const chunk = records.slice(part * repliesPerChunk, (part + 1) * repliesPerChunk)
      const key = ledgerChunkKey(index, part)
      batch.push({ kind: 'put', key, value: encodeLedgerChunk(chunk) })
      kept.push(key)
    }
    if (batch.length > 0) await kv.write(batch)
    this.ledgerChunks = kept
  }
}
