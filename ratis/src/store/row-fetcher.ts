import type { BinaryKey, KvReader } from '@o3/common/kv'
import type { Table } from '../api/api.ts'
import type { KvFlusher } from './kv-flusher.ts'
import type { RowCache } from './row-cache.ts'

type AnyTable = Table<never, unknown>

interface Fetch {
  readonly rowKey: BinaryKey
  readonly table: AnyTable
  readonly promise: Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
  /** How many plans want the row to stay in the cache for them. */
  holders: number
  isHeld: boolean
}

/**
 * Brings rows into the cache, from the key-value store or from what is on its way there. What is asked for in one turn is one trip; who asks for a row
 * that is already on its way joins.
 */
export class RowFetcher {
  private readonly kv: KvReader
  private readonly cache: RowCache
  private readonly flusher: KvFlusher
  private readonly underWay = new Map<BinaryKey, Fetch>()
  private wanted: Fetch[] = []

  constructor(parts: { readonly kv: KvReader; readonly cache: RowCache; readonly flusher: KvFlusher }) {
    this.kv = parts.kv
    this.cache = parts.cache
    this.flusher = parts.flusher
  }

  /** The row as it was at some moment between call and resolution. Rejects with what the store or the codec threw. */
  fetch(table: AnyTable, rowKey: BinaryKey): Promise<unknown> {
    return this.start(table, rowKey).promise
  }

  /**
   * Brings the row into the cache and pins it there for the caller, who unpins it. Pinned with its arrival: in a small
   * cache it would otherwise be gone before the caller's turn. False: it was changed meanwhile and has left the cache.
   */
  async fetchHeld(table: AnyTable, rowKey: BinaryKey): Promise<boolean> {
    const fetch = this.start(table, rowKey)
    fetch.holders++
    await fetch.promise
    return fetch.isHeld
  }

  /**
   * The row was changed: a fetch that is under way may carry the old value, so it is not cached, and nobody who asks
   * from now on joins it.
   */
  supersede(rowKey: BinaryKey): void {
    this.underWay.delete(rowKey)
  }

  /** All rows may have changed. */
  supersedeAll(): void {
    this.underWay.clear()
  }

  private start(table: AnyTable, rowKey: BinaryKey): Fetch {
    const joined = this.underWay.get(rowKey)
    if (joined !== undefined) return joined
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const fetch: Fetch = { rowKey, table, promise, resolve, reject, holders: 0, isHeld: false }
    this.underWay.set(rowKey, fetch)
    if (this.wanted.push(fetch) === 1) queueMicrotask(() => this.send())
    return fetch
  }

  private send(): void {
    const fetches = this.wanted.filter((fetch) => !this.deliverPending(fetch))
    this.wanted = []
    if (fetches.length === 0) return
    this.kv.getMany(fetches.map((fetch) => fetch.rowKey)).then(
      (values) => fetches.forEach((fetch, at) => this.deliver(fetch, values[at])),
      (error: unknown) => fetches.forEach((fetch) => this.refuse(fetch, error)),
    )
  }

  /** The key-value store would answer with what was before. */
  private deliverPending(fetch: Fetch): boolean {
    const pending = this.flusher.find(fetch.rowKey)
    if (pending !== undefined) this.deliver(fetch, pending.bytes)
    return pending !== undefined
  }

  private deliver(fetch: Fetch, bytes: Uint8Array | undefined): void {
    try {
      const value = bytes === undefined ? undefined : fetch.table.decode(bytes)
      if (this.isCurrent(fetch)) this.cache.put(fetch.rowKey, value, bytes?.length ?? 0)
      for (let holder = 0; holder < fetch.holders; holder++) fetch.isHeld = this.cache.pin(fetch.rowKey)
      fetch.resolve(value)
    } catch (error) {
      fetch.reject(error)
    }
    if (this.isCurrent(fetch)) this.underWay.delete(fetch.rowKey)
  }

  private refuse(fetch: Fetch, error: unknown): void {
    if (this.isCurrent(fetch)) this.underWay.delete(fetch.rowKey)
    fetch.reject(error)
  }

  private isCurrent(fetch: Fetch): boolean {
    return this.underWay.get(fetch.rowKey) === fetch
  }
}
