import type { BinaryKey } from '@o3/common/kv'
import type { PendingEntry } from './pending-entry.ts'

export interface OverlayRow {
  readonly value: unknown
  /** The entry that changed the row last. */
  readonly entry: PendingEntry
}

/**
 * Rows as they will be once everything planned is committed. Only plans look at it: it is what lets commands follow each
 * other without waiting for the disk. Bounded by the entries under way.
 */
export class Overlay {
  private readonly rows = new Map<BinaryKey, OverlayRow>()

  get size(): number {
    return this.rows.size
  }

  get(rowKey: BinaryKey): OverlayRow | undefined {
    return this.rows.get(rowKey)
  }

  set(rowKey: BinaryKey, value: unknown, entry: PendingEntry): void {
    this.rows.set(rowKey, { value, entry })
  }

  /** The entry is applied: what a later entry has not changed again is no longer ahead of applied state. */
  settle(entry: PendingEntry): void {
    for (const rowKey of entry.rows.keys()) {
      if (this.rows.get(rowKey)?.entry === entry) this.rows.delete(rowKey)
    }
  }

  /** Of all that was planned only these entries can still happen; in their order. */
  keepOnly(entries: readonly PendingEntry[]): void {
    this.rows.clear()
    for (const entry of entries) for (const { rowKey, value } of entry.rows.values()) this.set(rowKey, value, entry)
  }
}
