/**
 * The index of one disk: block → where its bytes are. Changes are visible at once, from memory, and go to the key-value
 * store in batches behind the back of the writers; nothing here is synced, because the container files are the truth
 * and `checkpoint` says from where on they must be read again.
 *
 * Bounded: `isBehind` asks writers to wait when more than `maxStagedRows` are not in the store yet.
 */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvStore, KvWrite } from '@o3/common/kv'
import { LRUCache } from 'lru-cache'
import { decodeRow, encodeRow } from '../core/block-row.ts'
import type { BlockRow } from '../core/block-row.ts'

export interface BlockIndexOptions {
  readonly env: Pick<Env, 'tasks' | 'at' | 'clock'>
  readonly kv: KvStore
  /** A store that could not write for want of room is opened anew when there is room: it only reads until then. */
  readonly openKv: () => Promise<KvStore>
  readonly cachedExtents: number
  /** The store refused a batch for another reason than a full disk: the disk is dead. */
  readonly onFailure: (error: unknown) => Error
}

const batchRows = 1024
const maxStagedRows = 16 * 1024
const retryFullDiskMs = 500

export class BlockIndex {
  private readonly options: BlockIndexOptions
  private readonly cache: LRUCache<BinaryKey, BlockRow>
  /** Not in the store yet; null is a deletion. In order of staging. */
  private readonly staged = new Map<BinaryKey, BlockRow | null>()
  private flushing: Promise<void> | undefined
  private scheduled = false
  private failure: Error | undefined
  private full: StoreError | undefined
  private deletions = 0

  constructor(options: BlockIndexOptions) {
    this.options = options
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
    const rows: (BlockRow | undefined)[] = []
    const missing: BinaryKey[] = []
    const places: number[] = []
    for (const [place, key] of keys.entries()) {
      const row = this.staged.get(key) ?? this.cache.peek(key)
      rows.push(row)
      if (row !== undefined || this.staged.has(key)) continue
      missing.push(key)
      places.push(place)
    }
    const values = missing.length === 0 ? [] : await this.options.kv.getMany(missing)
    for (const [i, value] of values.entries()) {
      const staged = this.staged.get(missing[i] as BinaryKey)
      const row = staged === undefined && value !== undefined ? decodeRow(value) : staged
      rows[places[i] as number] = row ?? undefined
    }
    return rows
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

  /** Resolves when every change made before is in the store (visible, not durable). `OutOfSpace`. */
  async flush(): Promise<void> {
    while (this.staged.size > 0) await this.startFlush()
  }

  /** Every change made before is durable when it resolves. */
  async checkpoint(): Promise<void> {
    await this.flush()
    await this.options.kv.checkpoint()
  }

  /** Rows of a range, in batches of at most `batchRows`, as they are in the store: `flush` first. */
  async scan(range: KeyRange, visit: (key: BinaryKey, row: BlockRow) => void | Promise<void>): Promise<void> {
    const cursor = this.options.kv.cursor(range)
    try {
      for (;;) {
        const entries = await cursor.next(batchRows)
        if (entries.length === 0) return
        for (const { key, value } of entries) await visit(key, decodeRow(value))
      }
    } finally {
      await cursor.close()
    }
  }

  /** Removes whatever lies in the range, from the store only: for rows that nobody reads any more. */
  async deleteRange(range: KeyRange): Promise<void> {
    const { kv } = this.options
    const cursor = kv.cursor(range)
    try {
      for (;;) {
        const entries = await cursor.next(batchRows)
        if (entries.length === 0) return
        await kv.write(entries.map(({ key }) => ({ kind: 'delete', key })))
      }
    } finally {
      await cursor.close()
    }
  }

  get store(): KvStore {
    return this.options.kv
  }

  /** Rows that are not in the store are not lost: the next start finds them in the container files. */
  async close(): Promise<void> {
    this.failure ??= new StoreError('Closed', 'the index is closed')
    await this.flushing?.catch(ignoreReported)
    await this.options.kv.close()
  }

  private async load(key: BinaryKey): Promise<BlockRow | undefined> {
    const deletions = this.deletions
    const value = await this.options.kv.get(key)
    // A deletion, or a rewriting, that was staged while we looked.
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
    // After a refusal for want of room the retry timer goes on.
    if (this.flushing !== undefined || this.scheduled || this.failure !== undefined || this.full !== undefined) return
    this.scheduled = true
    this.options.env.tasks.nextTurn(this.flushInBackground)
  }

  private readonly flushInBackground = (): void => {
    this.scheduled = false
    if (this.failure === undefined) void this.startFlush().catch(ignoreReported)
  }

  private startFlush(): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    this.flushing ??= this.writeStaged().finally(() => {
      this.flushing = undefined
    })
    return this.flushing
  }

  private async writeStaged(): Promise<void> {
    while (this.staged.size > 0) {
      const batch = this.nextBatch()
      try {
        this.options.env.at('hdds.index.before-write')
        await this.options.kv.write(batch.map(({ write }) => write))
      } catch (error) {
        if (!isStoreError(error, 'OutOfSpace')) {
          this.failure = this.options.onFailure(error)
          throw this.failure
        }
        // The rows stay in memory and are tried again: deletions will have made room.
        this.full = error
        this.options.env.clock.after(retryFullDiskMs, this.flushInBackground)
        throw error
      }
      this.full = undefined
      for (const { write, row } of batch) {
        if (this.staged.get(write.key) === row) this.staged.delete(write.key)
      }
    }
  }

  private nextBatch(): { readonly write: KvWrite; readonly row: BlockRow | null }[] {
    const batch: { readonly write: KvWrite; readonly row: BlockRow | null }[] = []
    for (const [key, row] of this.staged) {
      if (batch.length === batchRows) break
      batch.push({ write: row === null ? { kind: 'delete', key } : { kind: 'put', key, value: encodeRow(row) }, row })
    }
    return batch
  }
}

/** `onFailure` has failed the disk, and every later call is told. */
function ignoreReported(): void {}
