import type { KvCursor, KvEntry, KvSnapshot } from '@o3/common/kv'
import type { LogIndex, Row, RowCursor, RowRange, StateView, Table } from '../api/api.ts'

/** Rows of one snapshot of the key-value store, which is the state at `appliedIndex` exactly. */
export class SnapshotView implements StateView {
  readonly appliedIndex: LogIndex
  private readonly snapshot: KvSnapshot

  constructor(snapshot: KvSnapshot, appliedIndex: LogIndex) {
    this.snapshot = snapshot
    this.appliedIndex = appliedIndex
  }

  async get<Key, Value>(table: Table<Key, Value>, key: Key): Promise<Value | undefined> {
    const bytes = await this.snapshot.get(table.prefix + table.encodeKey(key))
    return bytes === undefined ? undefined : table.decode(bytes)
  }

  cursor<Key, Value>(table: Table<Key, Value>, range: RowRange): RowCursor<Key, Value> {
    const { prefix } = table
    const to = range.to === undefined ? String.fromCharCode(prefix.charCodeAt(0) + 1) : prefix + range.to
    const cursor = this.snapshot.cursor({ from: prefix + range.from, to, reverse: range.reverse === true })
    return new TableCursor(table, cursor)
  }
}

class TableCursor<Key, Value> implements RowCursor<Key, Value> {
  private readonly table: Table<Key, Value>
  private readonly cursor: KvCursor

  constructor(table: Table<Key, Value>, cursor: KvCursor) {
    this.table = table
    this.cursor = cursor
  }

  /** The engine brings fewer at once where rows are long: a list that took that for the end would hide what follows. */
  async next(limit: number): Promise<readonly Row<Key, Value>[]> {
    const rows: Row<Key, Value>[] = []
    while (rows.length < limit) {
      const entries = await this.cursor.next(limit - rows.length)
      if (entries.length === 0) break
      for (const entry of entries) rows.push(this.rowOf(entry))
    }
    return rows
  }

  private rowOf({ key, value }: KvEntry): Row<Key, Value> {
    const rowKey = key.slice(1)
    return { key: this.table.decodeKey(rowKey), rowKey, value: this.table.decode(value) }
  }

  seek(rowKey: string): void {
    this.cursor.seek(this.table.prefix + rowKey)
  }

  close(): Promise<void> {
    return this.cursor.close()
  }
}
