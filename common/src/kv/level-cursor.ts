import type { ClassicLevel } from 'classic-level'
import type { BinaryKey, KeyRange, KvCursor, KvEntry } from './kv.ts'
import { levelError } from './level-error.ts'
import { decodeRecord } from './level-record.ts'

/** What one trip to LevelDB brings at most, whatever the limit: the bound on a cursor's memory. */
const tripBytes = 1024 * 1024

export type Level = ClassicLevel<BinaryKey, Buffer>
export type LevelSnapshot = ReturnType<Level['snapshot']>
type LevelIterator = ReturnType<typeof openIterator>

/**
 * A cursor by explicit batches (`nextv`): an async iterator costs a promise per entry. It reads a snapshot of its own,
 * or the caller's, because a seek to before its range starts the iterator anew and must still see the same moment.
 */
export class LevelCursor implements KvCursor {
  readonly #db: Level
  readonly #range: KeyRange
  readonly #snapshot: LevelSnapshot
  readonly #ownsSnapshot: boolean
  #iterator: LevelIterator | undefined
  /** The last batch was short of the limit and of `tripBytes`: there is nothing behind it, and no trip is needed to learn so. */
  #atEnd = false
  #closed: Promise<void> | undefined

  constructor(db: Level, snapshot: LevelSnapshot | undefined, range: KeyRange) {
    this.#db = db
    this.#range = range
    this.#ownsSnapshot = snapshot === undefined
    this.#snapshot = snapshot ?? takeSnapshot(db)
  }

  async next(limit: number): Promise<readonly KvEntry[]> {
    if (this.#atEnd) return []
    this.#iterator ??= openIterator(this.#db, this.#snapshot, this.#range)
    try {
      const entries = await this.#iterator.nextv(limit)
      // Half: the engine counts its own encoding of the keys.
      const bytes = entries.reduce((sum, [key, record]) => sum + key.length + record.length, 0)
      this.#atEnd = entries.length < limit && bytes < tripBytes / 2
      return entries.map(([key, record]) => ({ key, value: decodeRecord(key, record) }))
    } catch (error) {
      throw levelError(this.#db.location, error)
    }
  }

  seek(key: BinaryKey): void {
    this.#atEnd = false
    const beforeRange = this.#range.reverse === true ? key >= this.#range.to : key < this.#range.from
    if (beforeRange) {
      // LevelDB would stand at the end for a target outside of the range.
      void this.#iterator?.close()
      this.#iterator = undefined
      return
    }
    this.#iterator ??= openIterator(this.#db, this.#snapshot, this.#range)
    this.#iterator.seek(key)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#iterator?.close()
    if (this.#ownsSnapshot) await this.#snapshot.close()
  }
}

/** `Closed` when the store is. */
export function takeSnapshot(db: Level): LevelSnapshot {
  try {
    return db.snapshot()
  } catch (error) {
    throw levelError(db.location, error)
  }
}

function openIterator(db: Level, snapshot: LevelSnapshot, { from, to, reverse }: KeyRange) {
  return db.iterator<BinaryKey, Buffer>({
    gte: from,
    lt: to,
    reverse: reverse === true,
    snapshot,
    highWaterMarkBytes: tripBytes,
  })
}
