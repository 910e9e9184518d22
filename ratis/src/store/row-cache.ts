/**
 * Decoded rows of applied state, absent ones included, bounded by the size of their encoded form.
 *
 * Eviction is second chance: a hit only sets a bit, so the hot path moves nothing. Pinned rows stay: those that a waiting
 * plan has fetched.
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
   * Walks the rows in order of age. The walk is short, so that one put costs the same however much is pinned; since it may
   * evict more rows than a put adds, the cache comes back to its capacity as soon as the pins go.
   */
  private evict(spared: BinaryKey): void {
    let steps = evictionSteps
    for (const [rowKey, row] of this.rows) {
      if (this.sizeBytes <= this.capacityBytes || steps-- === 0) return
      if (rowKey === spared || row.pins > 0 || row.recentlyUsed) {
        row.recentlyUsed = false
        // To the young end; the iteration meets it again there.
        this.rows.delete(rowKey)
        this.rows.set(rowKey, row)
      } else {
        this.rows.delete(rowKey)
        this.sizeBytes -= row.bytes
      }
    }
  }
}
