import type { BinaryKey, KvEntry, KvSnapshot } from '@o3/common/kv'
import type { LogIndex, Term } from '../api/api.ts'
import type { SnapshotSource } from '../node/consensus.ts'
import { encodePiece } from './snapshot-piece.ts'
import { isOwnRow, type LogPlace } from './system-rows.ts'

const rowsPerTrip = 1000
/** Behind the prefixes of all tables. */
const behindAll = '\x7f'

/**
 * The rows of one moment, for a member that is too far behind: those of the tables and of the store itself, but for what
 * belongs to one member. A position is the key of the last row before it.
 */
export class RowsSnapshot implements SnapshotSource {
  readonly index: LogIndex
  readonly term: Term
  private readonly snapshot: KvSnapshot
  /** Rows that the key-value store does not have (replies since the last checkpoint), in order of their keys. */
  private readonly extras: readonly KvEntry[]

  constructor(snapshot: KvSnapshot, place: LogPlace, extras: readonly KvEntry[]) {
    this.index = place.index
    this.term = place.term
    this.snapshot = snapshot
    this.extras = extras
  }

  async read(position: string, maxBytes: number): ReturnType<SnapshotSource['read']> {
    const rows: KvEntry[] = []
    let bytes = 0
    for await (const row of this.rowsBehind(position)) {
      rows.push(row)
      bytes += row.key.length + row.value.length
      if (bytes >= maxBytes) return { bytes: encodePiece(rows, bytes + 64), next: row.key }
    }
    return { bytes: encodePiece(rows, bytes + 64), next: undefined }
  }

  close(): Promise<void> {
    return this.snapshot.close()
  }

  /** Merges the two; an extra row stands for the one of the same key. */
  private async *rowsBehind(position: BinaryKey): AsyncGenerator<KvEntry, void, undefined> {
    const extras = this.extras.filter(({ key }) => key > position)
    let extra = 0
    for await (const row of this.storedBehind(position)) {
      for (; extra < extras.length && (extras[extra] as KvEntry).key < row.key; extra++) yield extras[extra] as KvEntry
      if (extras[extra]?.key !== row.key) yield row
    }
    yield* extras.slice(extra)
  }

  private async *storedBehind(position: BinaryKey): AsyncGenerator<KvEntry, void, undefined> {
    const cursor = this.snapshot.cursor({ from: `${position}\0`, to: behindAll })
    try {
      for (;;) {
        const rows = await cursor.next(rowsPerTrip)
        if (rows.length === 0) return
        for (const row of rows) if (!isOwnRow(row.key)) yield row
      }
    } finally {
      await cursor.close()
    }
  }
}
