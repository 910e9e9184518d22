/**
 * A plan in the making: rows as they are under the changes made so far, those changes, and the blocks that they free.
 * Thrown away when the plan refuses, so a command may change rows before it knows that it will succeed.
 */

import type { BlockId, BlockRange } from '@o3/scm/api'
import type { Change, Decision, PlanView, Stamp, Table } from '@o3/ratis/api'
import type { OmReply } from '../api/api.ts'
import type { RowView } from './row-view.ts'
import { deletedBlocks, queueEnds } from './rows/block.ts'
import type { QueueEnds, QueueName } from './rows/block.ts'

/** One row of the queue holds at most this many ranges, so that a row stays small whatever a command frees. */
const maxRangesPerRow = 4096

const emptyQueue: QueueEnds = { first: 0, next: 0 }

export class Draft implements RowView {
  readonly stamp: Stamp
  private readonly view: PlanView
  private readonly changes = new Map<string, Change>()
  private readonly freed: BlockRange[] = []

  constructor(view: PlanView, stamp: Stamp) {
    this.view = view
    this.stamp = stamp
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined {
    if (this.changes.size > 0) {
      const change = this.changes.get(table.prefix + table.encodeKey(key))
      if (change !== undefined) return change.value as Value | undefined
    }
    return this.view.get(table, key)
  }

  /** All these rows in one trip, so that reading them one by one afterwards waits for none. As before this draft. */
  fetch<Key, Value>(table: Table<Key, Value>, keys: readonly Key[]): readonly (Value | undefined)[] {
    return this.view.getMany(table, keys)
  }

  put<Key, Value>(table: Table<Key, Value>, key: Key, value: Value): void {
    this.changes.set(table.prefix + table.encodeKey(key), { table, key, value })
  }

  remove<Key, Value>(table: Table<Key, Value>, key: Key): void {
    this.changes.set(table.prefix + table.encodeKey(key), { table, key, value: undefined })
  }

  /** These blocks are nobody's any more. They go to the queue of blocks to delete. */
  free(range: BlockRange): void {
    const last = this.freed.at(-1)
    if (last !== undefined && last.container === range.container && last.firstLocal + last.count === range.firstLocal) {
      this.freed[this.freed.length - 1] = { ...last, count: last.count + range.count }
    } else this.freed.push(range)
  }

  freeBlock(block: BlockId): void {
    this.free({ container: block.container, firstLocal: block.local, count: 1 })
  }

  queue(name: QueueName): QueueEnds {
    return this.get(queueEnds, name) ?? emptyQueue
  }

  decide(reply: OmReply): Decision<OmReply> {
    if (this.freed.length > 0) this.enqueueFreed()
    return { kind: 'decision', reply, changes: [...this.changes.values()] }
  }

  private enqueueFreed(): void {
    const ends = this.queue('deleted-blocks')
    let { next } = ends
    for (let i = 0; i < this.freed.length; i += maxRangesPerRow) {
      const ranges = this.freed.slice(i, i + maxRangesPerRow)
      this.put(deletedBlocks, next++, { deletedMs: this.stamp.wallMs, ranges })
    }
    this.put(queueEnds, 'deleted-blocks', { first: ends.first, next })
  }
}
