/**
 * Decoded rows of applied state, absent ones included, bounded by the size of their encoded form.
 *
 * Eviction is second chance: a hit only sets a bit, so the hot path moves nothing. Pinned rows stay: those that a waiting
 * plan has fetched.
 *
 * The walk for rows to evict goes on where the last one stopped. A walk that began anew would first have to pass the places
 * of all rows that were evicted before: a map keeps those of deleted entries, in order, until it is made anew, and a full
 * cache of 100,000 rows would look at tens of thousands of them for each put.
 */

import type { BinaryKey } from '@o3/common/kv'

export interface CachedRow {
  /** Undefined: the row does not exist. */
  value: unknown
  bytes: number
  recentlyUsed: boolean
  pins: number
}

const evictionSteps = 32

/** What a row costs beside its value: map slot, key, object. */
const overheadBytes = 120

export class RowCache {
  /** What the cached rows cost; above the capacity only while more is pinned. */
  sizeBytes = 0
  private readonly capacityBytes: number
  private readonly rows = new Map<BinaryKey, CachedRow>()
  /** Where the walk is; it sees rows that come after. */
  private hand: MapIterator<[BinaryKey, CachedRow]> | undefined

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get count(): number {
    return this.rows.size
  }

  /** Undefined: not known here. */
  get(rowKey: BinaryKey): CachedRow | undefined {
    const row = this.rows.get(rowKey)
    if (row !== undefined) row.recentlyUsed = true
    return row
  }

  has(rowKey: BinaryKey): boolean {
    return this.rows.has(rowKey)
  }

  /** Forgets the row, pinned or not: who needs it fetches it again. */
  drop(rowKey: BinaryKey): void {
    const row = this.rows.get(rowKey)
    if (row === undefined) return
    this.rows.delete(rowKey)
    this.sizeBytes -= row.bytes
  }

  clear(): void {
    this.rows.clear()
    this.hand = undefined
    this.sizeBytes = 0
  }

  /** Sets the row's value; `valueBytes` is the length of its encoded form, 0 for an absent row. */
  put(rowKey: BinaryKey, value: unknown, valueBytes: number): void {
    const bytes = valueBytes + rowKey.length + overheadBytes
    const row = this.rows.get(rowKey)
    if (row === undefined) this.rows.set(rowKey, { value, bytes, recentlyUsed: false, pins: 0 })
    else {
      this.sizeBytes -= row.bytes
      row.value = value
      row.bytes = bytes
      row.recentlyUsed = true
    }
    this.sizeBytes += bytes
    if (this.sizeBytes > this.capacityBytes) this.evict(rowKey)
  }

  /** Keeps the row until as many `unpin`s. False when it is not here. */
  pin(rowKey: BinaryKey): boolean {
    const row = this.rows.get(rowKey)
    if (row !== undefined) row.pins++
    return row !== undefined
  }

  unpin(rowKey: BinaryKey): void {
    const row = this.rows.get(rowKey)
    // None are left on a row that was dropped and came again.
    if (row !== undefined && row.pins > 0) row.pins--
  }

  /**
   * Walks the rows round and round, from the oldest to the youngest. A walk is short, so that one put costs the same however
   * much is pinned; since it may evict more rows than a put adds, the cache comes back to its capacity as soon as the pins go.
   */
  private evict(spared: BinaryKey): void {
    for (let steps = evictionSteps; this.sizeBytes > this.capacityBytes && steps > 0; steps--) {
      this.hand ??= this.rows.entries()
      const place = this.hand.next()
      if (place.done === true) {
        this.hand = undefined
        continue
      }
      const [rowKey, row] = place.value
      if (rowKey === spared || row.pins > 0 || row.recentlyUsed) row.recentlyUsed = false
      else {
        this.rows.delete(rowKey)
        this.sizeBytes -= row.bytes
      }
    }
  }
}
