import type { BinaryKey, KeyRange, KvCursor, KvSnapshot, KvStore, KvWrite } from '@o3/common/kv'

/**
 * A key-value store that can be closed and opened again under its users: an engine that met a full disk refuses every
 * write until then. Reads that come meanwhile wait; snapshots taken before are closed, and their readers see that.
 */
export class ReopeningKv implements KvStore {
  private readonly first: KvStore
  private readonly open: (() => Promise<KvStore>) | undefined
  private kv: KvStore
  private reopened: Promise<void> | undefined

  constructor(kv: KvStore, open: (() => Promise<KvStore>) | undefined) {
    this.first = kv
    this.open = open
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
    return this.kv.snapshot()
  }

  checkpoint(): Promise<void> {
    return this.kv.checkpoint()
  }

  /** Closes what it opened itself; the store it was given belongs to the giver. */
  async close(): Promise<void> {
    if (this.kv !== this.first) await this.kv.close()
  }
}
