/**
 * The index of one disk: block → where its bytes are. Changes are visible at once, from memory, and go to the key-value
 * store in batches behind the back of the writers; nothing here is synced, because the container files are the truth
 * and `checkpoint` says from where on they must be read again.
 *
 * Bounded: `isBehind` asks writers to wait when more than `maxStagedRows` are not in the store yet.
 */

import type { Cancel, Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvWrite } from '@o3/common/kv'
import { LRUCache } from 'lru-cache'
import { decodeRow, encodeRow } from '../core/block-row.ts'
import type { BlockRow } from '../core/block-row.ts'
import type { IndexStore } from './index-store.ts'

export interface BlockIndexOptions {
  readonly env: Pick<Env, 'at' | 'clock'>
  readonly store: IndexStore
  readonly cachedExtents: number
}

interface StagedRow {
  readonly key: BinaryKey
  readonly row: BlockRow | null
}

const batchRows = 1024
/** So many rows, or so much time, make a batch: a batch of one row would cost a lone writer as much as its sync. */
const rowsWorthABatch = 256
const flushDelayMs = 20
const maxStagedRows = 16 * 1024
const retryFullDiskMs = 500

export class BlockIndex {
  readonly store: IndexStore
  private readonly env: BlockIndexOptions['env']
  private readonly cache: LRUCache<BinaryKey, BlockRow>
  /** Not in the store yet; null is a deletion. In order of staging. */
  private readonly staged = new Map<BinaryKey, BlockRow | null>()
  private flushing: Promise<void> | undefined
  private timer: Cancel | undefined
  /** Why nothing more is flushed. */
  private stopped: StoreError | undefined
  /** The store had no room; it is tried again later. */
  private full: StoreError | undefined
  private deletions = 0

  constructor(options: BlockIndexOptions) {
    this.store = options.store
    this.env = options.env
    this.cache = new LRUCache({
      maxSize: options.cachedExtents,
      sizeCalculation: (row) => 1 + row.extents.length,
    })
  }

  /** Synchronous when the row is in memory. */
  get(key: BinaryKey): BlockRow | undefined | Promise<BlockRow | undefined> {
    const staged = this.staged.get(key)
    if (staged !== undefined) return staged ?? undefined
    return this.cache.get(key) ?? this.load(key)
  }

  /** In the order asked. */
  async getMany(keys: readonly BinaryKey[]): Promise<(BlockRow | undefined)[]> {
    // Taken before the trip: what is staged now may be in the store, and staged no more, when it ends.
    const before = keys.map((key) => this.staged.get(key))
    const missing = keys.filter((_, i) => before[i] === undefined)
    const values = missing.length === 0 ? [] : await this.store.getMany(missing)
    let next = 0
    return keys.map((key, i) => {
      const value = before[i] === undefined ? values[next++] : undefined
      const now = this.staged.get(key)
      const staged = now === undefined ? before[i] : now
      if (staged !== undefined) return staged ?? undefined
      return value === undefined ? undefined : decodeRow(value)
    })
  }

  put(key: BinaryKey, row: BlockRow): void {
    this.stage(key, row)
  }

  delete(key: BinaryKey): void {
    this.deletions++
    this.cache.delete(key)
    this.stage(key, null)
  }

  get isBehind(): boolean {
    return this.staged.size > maxStagedRows
  }

  /** For writers, when `isBehind`. Rejects with `OutOfSpace` when the store cannot write for want of room. */
  async catchUp(): Promise<void> {
    if (this.full !== undefined) throw this.full
    await this.startFlush()
  }

  /** Resolves when every change made before is in the store (visible, not durable). `OutOfSpace`, `VolumeFailed`. */
  async flush(): Promise<void> {
    while (this.staged.size > 0) await this.startFlush()
  }

  /** Every change made before is durable when it resolves. */
  async checkpoint(): Promise<void> {
    await this.flush()
    await this.store.checkpoint()
  }

  /**
   * The rows of a range as they are in the store: `flush` first. A row that was deleted since may be shown. Ends early when
   * `visit` says `stop`.
   */
  async scan(
    range: KeyRange,
    visit: (key: BinaryKey, row: BlockRow) => 'stop' | void | Promise<'stop' | void>,
  ): Promise<void> {
    const cursor = await this.store.cursor(range)
    try {
      for (;;) {
        const entries = await cursor.next(batchRows)
        if (entries.length === 0) return
        for (const { key, value } of entries) if ((await visit(key, decodeRow(value))) === 'stop') return
      }
    } finally {
      await cursor.close()
    }
  }

  /** Straight into the store: for rows that nobody reads yet. */
  async writeRows(rows: readonly { readonly key: BinaryKey; readonly row: BlockRow }[]): Promise<void> {
    await this.store.write(rows.map(({ key, row }) => ({ kind: 'put', key, value: encodeRow(row) })))
  }

  /** Removes whatever lies in the range, straight from the store: for rows that nobody reads any more. */
  async deleteRange(range: KeyRange): Promise<void> {
    const cursor = await this.store.cursor(range)
    try {
      for (;;) {
        const entries = await cursor.next(batchRows)
        if (entries.length === 0) return
        await this.store.write(entries.map(({ key }) => ({ kind: 'delete', key })))
      }
    } finally {
      await cursor.close()
    }
  }

  /** Rows that are not in the store are not lost: the next start finds them in the container files. */
  async close(): Promise<void> {
    this.stopped ??= new StoreError('Closed', 'the index is closed')
    this.timer?.()
    await this.flushing?.catch(ignoreReported)
    await this.store.close()
  }

  private async load(key: BinaryKey): Promise<BlockRow | undefined> {
    const deletions = this.deletions
    const value = await this.store.get(key)
    // A change that was staged while we looked.
    const staged = this.staged.get(key)
    if (staged !== undefined) return staged ?? undefined
    if (value === undefined) return undefined
    const row = decodeRow(value)
    // A deletion may have been staged and flushed while we looked; the cache must not bring the row back.
    if (deletions === this.deletions) this.cache.set(key, row)
    return row
  }

  private stage(key: BinaryKey, row: BlockRow | null): void {
    // Deleted first, so that the map stays in order of staging.
    this.staged.delete(key)
    this.staged.set(key, row)
    if (this.flushing !== undefined || this.stopped !== undefined) return
    if (this.staged.size === rowsWorthABatch && this.full === undefined) this.flushInBackground()
    else this.flushLater(flushDelayMs)
  }

  private flushLater(delayMs: number): void {
    this.timer ??= this.env.clock.after(delayMs, this.flushInBackground)
  }

  private readonly flushInBackground = (): void => {
    this.timer?.()
    this.timer = undefined
    if (this.stopped === undefined && this.staged.size > 0) void this.startFlush().catch(ignoreReported)
  }

  private startFlush(): Promise<void> {
    if (this.stopped !== undefined) return Promise.reject(this.stopped)
    this.flushing ??= this.writeStaged().finally(() => {
      this.flushing = undefined
      // Staged after the last batch was taken, and before this.
      if (this.staged.size > 0 && this.stopped === undefined) this.flushLater(flushDelayMs)
    })
    return this.flushing
  }

  private async writeStaged(): Promise<void> {
    while (this.staged.size > 0 && this.stopped === undefined) {
      const batch = this.nextBatch()
      try {
        this.env.at('hdds.index.before-write')
        await this.store.write(batch.map(writeOf))
      } catch (error) {
        throw this.writeFailed(StoreError.from(error))
      }
      this.full = undefined
      for (const { key, row } of batch) {
        if (this.staged.get(key) === row) this.staged.delete(key)
      }
    }
  }

  private writeFailed(error: StoreError): StoreError {
    if (isStoreError(error, 'OutOfSpace')) {
      // The rows stay in memory and are tried again: deletions will have made room.
      this.full = error
      this.flushLater(retryFullDiskMs)
    } else this.stopped = error
    return error
  }

  private nextBatch(): StagedRow[] {
    const batch: StagedRow[] = []
    for (const [key, row] of this.staged) {
      if (batch.length === batchRows) break
      batch.push({ key, row })
    }
    return batch
  }
}

function writeOf({ key, row }: StagedRow): KvWrite {
  return row === null ? { kind: 'delete', key } : { kind: 'put', key, value: encodeRow(row) }
}

/** The failure has stopped the index or the disk, and every later call is told. */
function ignoreReported(): void {}
