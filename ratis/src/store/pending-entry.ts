import type { BinaryKey } from '@o3/common/kv'
import type { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { EntryReply } from './entry-codec.ts'

/** One changed row, in both of its forms. */
export interface PatchRow {
  readonly rowKey: BinaryKey
  readonly value: unknown
  /** Undefined: the row is deleted. */
  readonly bytes: Uint8Array | undefined
}

/** Somebody who waits for an entry: called without an error when it is applied. */
export type Settle = (error: StoreError | undefined) => void

/** The log entry that a turn is filling, or that is on its way to the disk. */
export class PendingEntry {
  readonly index: LogIndex
  readonly wallMs: number
  /** The last change of each row. */
  readonly rows = new Map<BinaryKey, PatchRow>()
  readonly replies: EntryReply[] = []
  readonly waiting: Settle[] = []
  lastSequence = 0
  /** About what it will take in the log. */
  bytes = 64

  constructor(index: LogIndex, wallMs: number) {
    this.index = index
    this.wallMs = wallMs
  }

  put(row: PatchRow): void {
    this.rows.set(row.rowKey, row)
    this.bytes += patchRowBytes(row)
  }

  addReply(reply: EntryReply): void {
    this.replies.push(reply)
    this.bytes += reply.reply.length + reply.requestId.length + 8
  }
}

export function patchRowBytes(row: PatchRow): number {
  return row.rowKey.length + (row.bytes?.length ?? 0) + 12
}
