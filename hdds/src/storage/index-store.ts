/**
 * The key-value store under a disk's index. All of it can be made again from the container files: a store that does not
 * open, or that is found damaged, is thrown away at a start and made anew (a file `index.rebuild` marks it for that).
 *
 * An engine that could not write for want of room only reads from then on
 * (the KvStore port leaves that to it); here it is opened anew once there is room, so a full disk passes. Any other
 * failure to write is the disk's last.
 */

import type { Disk, Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvCursor, KvStore, KvWrite } from '@o3/common/kv'
import type { Logger } from '@o3/common/logger'

export interface IndexStoreOptions {
  readonly env: Pick<Env, 'disk'>
  /** Of the index; the mark is put beside it. */
  readonly path: string
  readonly log: Logger
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
  private marked = false

  private constructor(options: IndexStoreOptions, kv: KvStore) {
    this.options = options
    this.kv = kv
  }

  static async open(options: IndexStoreOptions): Promise<IndexStore> {
    const { env, path, openKv, log } = options
    if ((await env.disk.stat(markOf(path))) !== undefined) {
      log.warn({ path }, 'the index was found damaged: it is made anew from the container files')
      await wipe(env.disk, path)
    }
    try {
      return new IndexStore(options, await openKv(path))
    } catch (error) {
      // A file of its own that is missing is an I/O error to LevelDB. A disk that fails will fail again.
      if (!isStoreError(error, 'Damaged', 'VolumeFailed')) throw error
      log.warn({ path, error }, 'the index does not open: it is made anew from the container files')
      await wipe(env.disk, path)
      return new IndexStore(options, await openKv(path))
    }
  }

  async get(key: BinaryKey): Promise<Uint8Array | undefined> {
    await this.reopening
    return await this.watched(this.kv.get(key))
  }

  async getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    await this.reopening
    return await this.watched(this.kv.getMany(keys))
  }

  async cursor(range: KeyRange): Promise<KvCursor> {
    await this.reopening
    const cursor = this.kv.cursor(range)
    return {
      next: (limit) => this.watched(cursor.next(limit)),
      seek: (key) => cursor.seek(key),
      close: () => cursor.close(),
    }
  }

  /** Everything that a start has read into the index is durable: it need not be made anew again. */
  async confirm(): Promise<void> {
    const { env, path } = this.options
    if ((await env.disk.stat(markOf(path))) !== undefined) await env.disk.remove(markOf(path))
  }

  /** It is made anew when it is opened next. */
  get isDamaged(): boolean {
    return this.marked
  }

  /** A row that does not verify is never used; the next start makes the index anew. */
  async markDamaged(error: StoreError): Promise<void> {
    const { env, path, log } = this.options
    if (this.marked) return
    this.marked = true
    log.error({ path, error }, 'the index is damaged: a restart makes it anew from the container files')
    if ((await env.disk.stat(markOf(path))) === undefined) await (await env.disk.open(markOf(path), 'create')).close()
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

  private async watched<T>(read: Promise<T>): Promise<T> {
    try {
      return await read
    } catch (error) {
      if (isStoreError(error, 'Damaged')) await this.markDamaged(error)
      throw error
    }
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

function markOf(indexPath: string): string {
  return `${indexPath}.rebuild`
}

async function wipe(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`
    if ((await disk.stat(path))?.kind === 'directory') await wipe(disk, path)
    await disk.remove(path)
  }
  // None of the old files may come back between the new ones, which take the same names.
  await disk.syncDirectory(directory)
}
