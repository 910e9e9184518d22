import type { BinaryKey } from '@o3/common/kv'
import type { KvFlusher } from './kv-flusher.ts'
import { undecoded } from './pending-entry.ts'
import type { RowCache } from './row-cache.ts'

/**
 * Applied rows that can be had without waiting: cached ones, and those that the key-value store does not hold yet. The
 * latter may leave the cache like any others, for the flusher still has them.
 */
export class MemoryRows {
  private readonly cache: RowCache
  private readonly flusher: KvFlusher

  constructor(cache: RowCache, flusher: KvFlusher) {
    this.cache = cache
    this.flusher = flusher
  }

  /** Undefined: not known here; a fetch will tell. */
  get(rowKey: BinaryKey): { readonly value: unknown } | undefined {
    const cached = this.cache.get(rowKey)
    if (cached !== undefined) return cached
    const pending = this.flusher.find(rowKey)
    return pending === undefined || pending.value === undecoded ? undefined : pending
  }
}
