/**
 * The ordered key-value store under OM, SCM and the datanode's index: a port, so that the engine can change.
 *
 * Keys are *binary strings*: JavaScript strings whose char codes are bytes (0–255). Their `<` is byte order, they work
 * as `Map` keys, and pure code can build them without Node's `Buffer`. Values are bytes; they are not copied, so nobody
 * may write into an array that was handed over.
 *
 * Durability: `write` is atomic but not durable. After a crash the store holds everything up to the last
 * `checkpoint()`, plus **any subset** of later batches, each whole or absent: LevelDB may keep a later batch and lose an
 * earlier one when the power goes between two of its logs. Whoever needs more keeps a log and replays it from the
 * checkpoint on; replay must therefore be idempotent.
 *
 * After a write or a checkpoint failed (`OutOfSpace`, `VolumeFailed`) the store refuses further ones: a later batch must
 * not stand without an earlier one. Reads go on; closing and opening it again brings back what is on the device.
 */

export type BinaryKey = string

export type KvWrite =
  | { readonly kind: 'put'; readonly key: BinaryKey; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: BinaryKey }

/** `from` is inclusive, `to` exclusive. */
export interface KeyRange {
  readonly from: BinaryKey
  readonly to: BinaryKey
  readonly reverse?: boolean
}

export interface KvEntry {
  readonly key: BinaryKey
  readonly value: Uint8Array
}

/** Sees the store as it was when the cursor was made. */
export interface KvCursor {
  /** The next entries in order, at most `limit`, and fewer where they are long; empty at the end only. */
  next(limit: number): Promise<readonly KvEntry[]>
  /** Moves to the first key ≥ `key` (≤ for a reverse range) within the range. */
  seek(key: BinaryKey): void
  /** Idempotent. */
  close(): Promise<void>
}

export interface KvReader {
  get(key: BinaryKey): Promise<Uint8Array | undefined>
  /** In the order asked; one trip to the engine. */
  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]>
  cursor(range: KeyRange): KvCursor
}

/** A consistent view of one moment. Must be closed. */
export interface KvSnapshot extends KvReader {
  close(): Promise<void>
}

export interface KvStore extends KvReader {
  /** All or nothing; visible when it resolves. Calls are applied in the order they were made. */
  write(batch: readonly KvWrite[]): Promise<void>
  snapshot(): KvSnapshot
  /** Everything written before this call is durable when it resolves. */
  checkpoint(): Promise<void>
  close(): Promise<void>
}
