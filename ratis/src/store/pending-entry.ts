import type { BinaryKey } from '@o3/common/kv'
import type { StoreError } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import type { EntryReply } from './entry-codec.ts'

/** In the place of a value that nobody has decoded yet: that of a row which another member's entry changed. */
export const undecoded = Symbol('undecoded')

/** One changed row, in both of its forms. */
export interface PatchRow {
  readonly rowKey: BinaryKey
  /** `undecoded`, or what `bytes` say. */
  readonly value: unknown
  /** Undefined: the row is deleted. */
  readonly bytes: Uint8Array | undefined
}

/**
 * Why an entry will not be answered for. Whose change is in it may have to be told something else (its outcome is unknown)
 * than who only looked at it (nothing of it happened).
 */
export interface Loss {
  readonly changed: StoreError
  readonly unchanged: StoreError
}

/** Somebody who waits for an entry: called without a loss when it is applied. */
export type Settle = (loss: Loss | undefined) => void

/** The log entry that a turn is filling, or that is proposed and not yet applied. */
export class PendingEntry {
  /** In order of planning: which of two is the younger. Unlike the index known before the entry is proposed. */
  readonly ordinal: number
  readonly wallMs: number
  /** Where it is in the log; 0 before it is proposed. */
  index: LogIndex = 0
  term: Term = 0
  /** The last change of each row. */
  readonly rows = new Map<BinaryKey, PatchRow>()
  readonly replies: EntryReply[] = []
  readonly waiting: Settle[] = []
  lastSequence = 0
  /** About what it will take in the log. */
  bytes = 64

  constructor(ordinal: number, wallMs: number) {
    this.ordinal = ordinal
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
