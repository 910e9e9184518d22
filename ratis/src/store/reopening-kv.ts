import { StoreError } from '@o3/common/errors'
import type { BinaryKey, KeyRange, KvCursor, KvEntry, KvSnapshot, KvStore, KvWrite } from '@o3/common/kv'

/**
 * A key-value store that can be closed and opened again, or replaced by another one, under its users: an engine that met a
 * full disk refuses every write until then, and a snapshot is received into a store of its own. Reads that come while it is
 * opened wait. A snapshot of the store before may still answer; where it cannot, its readers get `ConcurrentChange`.
 */
export class ReopeningKv implements KvStore {
  private readonly open: (() => Promise<KvStore>) | undefined
  /** What was given to it, and is the giver's to close. */
  private readonly given: KvStore | undefined
  private kv: KvStore
  private reopened: Promise<void> | undefined

  constructor(
    kv: KvStore,
    options: { readonly open: (() => Promise<KvStore>) | undefined; readonly isOwned: boolean },
  ) {
    this.open = options.open
    this.given = options.isOwned ? undefined : kv
    this.kv = kv
  }

  /** Does nothing when there is no way to open it again. */
  async reopen(): Promise<void> {
    const { open } = this
    if (open === undefined) return
    this.reopened = (async () => {
      await this.kv.close()
      this.kv = await open()
    })()
    await this.reopened
    this.reopened = undefined
  }

  /** What it is now. */
  get current(): KvStore {
    return this.kv
  }

  /** At once; resolves when the one before is closed. */
  async replace(next: KvStore): Promise<void> {
    const before = this.kv
    this.kv = next
    await before.close()
  }

  async get(key: BinaryKey): Promise<Uint8Array | undefined> {
    await this.reopened
    return this.kv.get(key)
  }

  async getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    await this.reopened
    return this.kv.getMany(keys)
  }

  cursor(range: KeyRange): KvCursor {
    return this.kv.cursor(range)
  }

  write(batch: readonly KvWrite[]): Promise<void> {
    return this.kv.write(batch)
  }

  snapshot(): KvSnapshot {
    const { kv } = this
    return new PassingSnapshot(kv.snapshot(), () => this.kv !== kv)
  }

  checkpoint(): Promise<void> {
    return this.kv.checkpoint()
  }

  /** Closes what is its own; the store it was given belongs to the giver. */
  async close(): Promise<void> {
    if (this.kv !== this.given) await this.kv.close()
  }
}

/** A snapshot of a store that may be gone. */
class PassingSnapshot implements KvSnapshot {
  private readonly snapshot: KvSnapshot
  private readonly isGone: () => boolean

  constructor(snapshot: KvSnapshot, isGone: () => boolean) {
    this.snapshot = snapshot
    this.isGone = isGone
  }

  get(key: BinaryKey): Promise<Uint8Array | undefined> {
    return this.attempt(this.snapshot.get(key))
  }

  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.attempt(this.snapshot.getMany(keys))
  }

  cursor(range: KeyRange): KvCursor {
    const cursor = this.openCursor(range)
    return {
      next: (limit): Promise<readonly KvEntry[]> => this.attempt(cursor.next(limit)),
      seek: (key) => cursor.seek(key),
      close: () => cursor.close(),
    }
  }

  close(): Promise<void> {
    return this.snapshot.close()
  }

  private openCursor(range: KeyRange): KvCursor {
    try {
      return this.snapshot.cursor(range)
    } catch (error) {
      throw this.isGone() ? replaced(error) : error
    }
  }

  private async attempt<T>(read: Promise<T>): Promise<T> {
    try {
      return await read
    } catch (error) {
      throw this.isGone() ? replaced(error) : error
    }
  }
}

function replaced(cause: unknown): StoreError {
  return new StoreError('ConcurrentChange', 'the state was replaced by a snapshot, or opened again', { cause })
}
