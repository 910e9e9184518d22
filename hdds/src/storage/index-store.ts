/**
 * The key-value store under a disk's index. An engine that could not write for want of room only reads from then on
 * (the KvStore port leaves that to it); here it is opened anew once there is room, so a full disk passes. Any other
 * failure to write is the disk's last.
 */

import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvCursor, KvStore, KvWrite } from '@o3/common/kv'

export interface IndexStoreOptions {
  readonly env: Pick<Env, 'disk'>
  readonly path: string
  /** Opens, or creates, the store in this directory. */
  readonly openKv: (path: string) => Promise<KvStore>
  /** The store failed for another reason than a full disk. Returns what to throw. */
  readonly onFailure: (error: unknown) => StoreError
}

/** Less free space than this is not worth an attempt: opening writes a few tables itself. */
const roomToReopenBytes = 32 * 1024 * 1024

export class IndexStore {
  private readonly options: IndexStoreOptions
  private kv: KvStore
  private full: StoreError | undefined
  private reopening: Promise<void> | undefined
  private closed = false

  private constructor(options: IndexStoreOptions, kv: KvStore) {
    this.options = options
    this.kv = kv
  }

  static async open(options: IndexStoreOptions): Promise<IndexStore> {
    return new IndexStore(options, await options.openKv(options.path))
  }

  async get(key: BinaryKey): Promise<Uint8Array | undefined> {
    await this.reopening
    return await this.kv.get(key)
  }

  async getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    await this.reopening
    return await this.kv.getMany(keys)
  }

  async cursor(range: KeyRange): Promise<KvCursor> {
    await this.reopening
    return this.kv.cursor(range)
  }

  /** `OutOfSpace`, `VolumeFailed`. */
  async write(batch: readonly KvWrite[]): Promise<void> {
    if (batch.length === 0) return
    await this.reopenWhenFull()
    await this.guarded(() => this.kv.write(batch))
  }

  /** `OutOfSpace`, `VolumeFailed`. */
  async checkpoint(): Promise<void> {
    await this.reopenWhenFull()
    await this.guarded(() => this.kv.checkpoint())
  }

  async close(): Promise<void> {
    this.closed = true
    await this.reopening?.catch(ignoreReported)
    await this.kv.close()
  }

  private async guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw this.closed ? error : this.options.onFailure(error)
      this.full = error
      throw error
    }
  }

  private async reopenWhenFull(): Promise<void> {
    if (this.full === undefined) return
    this.reopening ??= this.reopen(this.full).finally(() => {
      this.reopening = undefined
    })
    await this.reopening
  }

  private async reopen(full: StoreError): Promise<void> {
    const { env, path, openKv, onFailure } = this.options
    if (this.closed) throw new StoreError('Closed', 'the index is closed')
    if ((await env.disk.space(path)).availableBytes < roomToReopenBytes) throw full
    try {
      await this.kv.close()
      this.kv = await openKv(path)
      this.full = undefined
    } catch (error) {
      throw onFailure(error)
    }
  }
}

function ignoreReported(): void {}
