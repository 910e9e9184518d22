/**
 * A checkpoint: everything applied so far is made durable in the key-value store, the group's member is told, which
 * remembers it durably and cuts the log behind it. The order is the point: each step only relies on what the steps before
 * it made durable.
 */

import type { Env } from '@o3/common/env'
import type { BinaryKey, KvStore, KvWrite } from '@o3/common/kv'
import type { LogIndex } from '../api/api.ts'
import type { KvFlusher } from './kv-flusher.ts'
import type { RequestLedger } from './request-ledger.ts'
import { checkpointKey, encodeCheckpoint, ledgerChunkIndex, ledgerChunks } from './system-rows.ts'

export interface CheckpointParts {
  readonly kv: KvStore
  readonly flusher: KvFlusher
  readonly ledger: RequestLedger
  /** The keys of the ledger's rows, in order. */
  readonly ledgerChunks: readonly BinaryKey[]
  /** What the last checkpoint covered. */
  readonly checkpointIndex: LogIndex
  /** `Consensus.checkpointed`. */
  readonly tell: (index: LogIndex, keepBytes: number) => Promise<void>
  /** Newest bytes of the log that stay for followers of the change stream, now. */
  readonly keepLogBytes: () => number
}

export class Checkpointer {
  /** Everything up to here is durable in the key-value store. */
  checkpointIndex: LogIndex
  private readonly env: Env
  private readonly parts: CheckpointParts
  private running: Promise<void> | undefined
  private ledgerChunks: readonly BinaryKey[]

  constructor(env: Env, parts: CheckpointParts) {
    this.env = env
    this.parts = parts
    this.ledgerChunks = parts.ledgerChunks
    this.checkpointIndex = parts.checkpointIndex
  }

  /** Covers what was applied when it was called. One at a time: a second call waits for the first, then runs. */
  checkpoint(appliedIndex: LogIndex): Promise<void> {
    return this.alone(() => this.take(appliedIndex))
  }

  /** Runs `action` while no checkpoint runs. */
  async alone(action: () => Promise<void>): Promise<void> {
    while (this.running !== undefined) await this.running.catch(() => undefined)
    this.running = action()
    try {
      await this.running
    } finally {
      this.running = undefined
    }
  }

  /** The rows are others now, and durable: those of a snapshot. */
  startBehind(index: LogIndex, chunks: readonly BinaryKey[]): void {
    this.checkpointIndex = index
    this.ledgerChunks = chunks
  }

  private async take(appliedIndex: LogIndex): Promise<void> {
    const { kv, flusher, tell, keepLogBytes } = this.parts
    if (appliedIndex > this.checkpointIndex) {
      await flusher.reached(appliedIndex)
      const { index, term } = flusher.flushed
      this.env.at('store.checkpoint.before-ledger')
      await this.saveLedger(index)
      this.env.at('store.checkpoint.before-kv')
      await kv.checkpoint()
      // Only now, so that it is true whenever it is there. A power cut may take it: the member knows as well.
      await kv.write([{ kind: 'put', key: checkpointKey, value: encodeCheckpoint({ index, term }) }])
      this.checkpointIndex = index
      this.env.at('store.checkpoint.before-hard-state')
    }
    this.env.at('store.checkpoint.before-cut')
    await tell(this.checkpointIndex, keepLogBytes())
    this.env.at('store.checkpoint.after-cut')
  }

  /**
   * Replies of entries that the checkpoint covers can no longer be replayed: they go into rows, once each, and the rows
   * of replies that have left the window go.
   */
  private async saveLedger(index: LogIndex): Promise<void> {
    const { kv, ledger } = this.parts
    const records = ledger.repliesAfter(this.checkpointIndex).filter((record) => record.index <= index)
    const batch: KvWrite[] = []
    const oldest = ledger.oldestIndex(this.env.clock.wallMs()) ?? index + 1
    const kept = this.ledgerChunks.filter((key) => ledgerChunkIndex(key) >= oldest)
    for (const key of this.ledgerChunks) if (ledgerChunkIndex(key) < oldest) batch.push({ kind: 'delete', key })
    for (const { key, value } of ledgerChunks(index, records)) {
      batch.push({ kind: 'put', key, value })
      kept.push(key)
    }
    if (batch.length > 0) await kv.write(batch)
    this.ledgerChunks = kept
  }
}
