/**
 * How far the log is durable, while writes are under way and later ones may take back what earlier ones wrote.
 *
 * An entry counts as durable when the write that holds it is, and no truncation that removes it has been asked for since.
 * (Without the second half: entry 5 of term 2 is being written, is replaced by entry 5 of term 3, and the completion of the
 * first write would be taken for the second.)
 */

import { assert } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'

interface UnderWay {
  readonly id: number
  /** What it leaves of earlier writes: every entry below. Infinity: all. */
  readonly keepsBelow: LogIndex
  /** The log's last entry when it is done. */
  readonly lastIndex: LogIndex
  readonly hasHardState: boolean
}

export class PersistQueue {
  /** The newest write asked for. */
  lastId = 0
  private durableIndex: LogIndex
  private persistedId = 0
  private hardStateId = 0
  private underWay: UnderWay[] = []
  /** Asked for, not yet handed to the driver: entries from here on are going away. */
  private pendingCut = Infinity

  constructor(durableIndex: LogIndex) {
    this.durableIndex = durableIndex
  }

  /** Entries up to here are durable and will stay. */
  get durable(): LogIndex {
    let index = Math.min(this.durableIndex, this.pendingCut - 1)
    for (const each of this.underWay) index = Math.min(index, each.keepsBelow - 1)
    return Math.max(index, 0)
  }

  /** Whether every term and vote handed out so far is durable. */
  get isHardStateDurable(): boolean {
    return this.persistedId >= this.hardStateId
  }

  /** Entries from `index` on are going away; told before the write that does it is handed out. */
  cut(index: LogIndex): void {
    this.pendingCut = Math.min(this.pendingCut, index)
  }

  /** A write is handed to the driver; returns its id. It carries out the cuts asked for until now. */
  begin(write: { readonly lastIndex: LogIndex; readonly hasHardState: boolean }): number {
    const id = ++this.lastId
    this.underWay.push({ id, keepsBelow: this.pendingCut, ...write })
    this.pendingCut = Infinity
    if (write.hasHardState) this.hardStateId = id
    return id
  }

  persisted(id: number): void {
    assert(id <= this.lastId, `write ${id} was never asked for`)
    while (this.underWay[0] !== undefined && this.underWay[0].id <= id) {
      const { lastIndex } = this.underWay.shift() as UnderWay
      this.durableIndex = lastIndex
    }
    this.persistedId = Math.max(this.persistedId, id)
  }
}
