import type { Clock, Random } from '@o3/common/env'
import type { BinaryKey, KeyRange, KvCursor, KvSnapshot, KvStore, KvWrite } from '@o3/common/kv'

export interface PacedKvOptions {
  readonly clock: Clock
  readonly random: Random
  /** The longest that one operation takes. */
  readonly maxMs: number
}

/**
 * A key-value store whose operations take time, so that what may come in between does come in between. Writes take
 * effect in the order of their calls, at some moment before they resolve; a read sees some moment of its own duration.
 */
export class PacedKv implements KvStore {
  private readonly kv: KvStore
  private readonly options: PacedKvOptions
  private writes: Promise<void> = Promise.resolve()

  constructor(kv: KvStore, options: PacedKvOptions) {
    this.kv = kv
    this.options = options
  }

  get(key: BinaryKey): Promise<Uint8Array | undefined> {
    return this.between(() => this.kv.get(key))
  }

  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.between(() => this.kv.getMany(keys))
  }

  cursor(range: KeyRange): KvCursor {
    return this.kv.cursor(range)
  }

  write(batch: readonly KvWrite[]): Promise<void> {
    return this.inOrder(() => this.kv.write(batch))
  }

  snapshot(): KvSnapshot {
    return this.kv.snapshot()
  }

  checkpoint(): Promise<void> {
    return this.inOrder(() => this.kv.checkpoint())
  }

  close(): Promise<void> {
    return this.kv.close()
  }

  private inOrder(act: () => Promise<void>): Promise<void> {
    const done = this.writes.then(() => this.between(act))
    // The caller has the rejection; the ones behind it only need their turn.
    this.writes = done.catch(() => undefined)
    return done
  }

  private async between<T>(act: () => Promise<T>): Promise<T> {
    await this.pause()
    const value = await act()
    await this.pause()
    return value
  }

  private pause(): Promise<void> {
    return this.options.clock.sleep(this.options.random.fraction() * 0.5 * this.options.maxMs)
  }
}
