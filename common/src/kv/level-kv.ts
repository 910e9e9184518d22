import { readdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { StoreError } from '../errors.ts'
import type { BinaryKey, KeyRange, KvCursor, KvReader, KvSnapshot, KvStore, KvWrite } from './kv.ts'
import { LevelCursor, takeSnapshot, type Level, type LevelSnapshot } from './level-cursor.ts'
import { levelError } from './level-error.ts'
import { decodeRecord, encodeRecord } from './level-record.ts'
import { WriteQueue, type LevelOperation } from './write-queue.ts'

export interface LevelKvOptions {
  /** LevelDB's cache of uncompressed blocks. Default 64 MiB. */
  readonly cacheBytes?: number
}

const defaultCacheBytes = 64 * 1024 * 1024

/** The memtable's size: what a checkpoint writes at most, and twice this is held in memory. */
const writeBufferBytes = 16 * 1024 * 1024

/**
 * Opens, or creates, the LevelDB in the directory `path`; its parents must exist and be durable. `Busy` while another
 * process has it open, `Damaged` when its files are not what LevelDB wrote.
 */
export async function openLevelKv(path: string, options: LevelKvOptions = {}): Promise<KvStore> {
  const db: Level = new ClassicLevel<BinaryKey, Buffer>(path, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    cacheSize: options.cacheBytes ?? defaultCacheBytes,
    writeBufferSize: writeBufferBytes,
  })
  try {
    await db.open()
  } catch (error) {
    throw levelError(path, error)
  }
  const store = new LevelKv(path, db)
  // LevelDB renames a new CURRENT into place without syncing the directory; the next MANIFEST sync does that.
  await store.checkpoint()
  return store
}

/** The engine of production. After a write or a checkpoint failed it only reads, until it is opened again. */
class LevelKv implements KvStore {
  readonly #path: string
  readonly #db: Level
  readonly #reader: LevelReader
  readonly #writes: WriteQueue
  #failure: StoreError | undefined
  /** Whether anything may be in a log only; true at first, for what is said at `openLevelKv`. */
  #isAhead = true
  #flushed = Promise.resolve()

  constructor(path: string, db: Level) {
    this.#path = path
    this.#db = db
    this.#reader = new LevelReader(db, undefined)
    this.#writes = new WriteQueue((operations) => this.#apply(operations))
  }

  get(key: BinaryKey): Promise<Uint8Array | undefined> {
    return this.#reader.get(key)
  }

  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#reader.getMany(keys)
  }

  cursor(range: KeyRange): KvCursor {
    return this.#reader.cursor(range)
  }

  write(batch: readonly KvWrite[]): Promise<void> {
    return this.#writes.add(batch.map(operationOf))
  }

  snapshot(): KvSnapshot {
    return new LevelReader(this.#db, takeSnapshot(this.#db))
  }

  /**
   * LevelDB's `sync` option is not enough. It syncs the log that a batch goes to; but when the memtable fills up,
   * LevelDB goes on to a new log without syncing the old one, whose tail may be lost until the memtable is in a table.
   *
   * `compactRange` first switches to a new memtable and log, and waits until the old memtable is a table: table
   * synced, directory synced, MANIFEST record "logs before the new one are not needed" synced. Then it unlinks the old
   * log. The range itself is empty. It reports no errors, so the proof is in the directory: the logs of before are gone.
   */
  async checkpoint(): Promise<void> {
    await this.#writes.settled()
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isAhead) {
      this.#isAhead = false
      this.#flushed = this.#flush()
    }
    await this.#flushed
    if (this.#db.status !== 'open') throw new StoreError('Closed', 'this key-value store is closed')
  }

  async #flush(): Promise<void> {
    let logsLeft: readonly string[]
    try {
      const logs = await this.#logs()
      await this.#db.compactRange('', '')
      const logsNow = await this.#logs()
      logsLeft = logs.filter((name) => logsNow.includes(name))
    } catch (error) {
      throw this.#fail(levelError(this.#path, error))
    }
    if (logsLeft.length > 0) throw this.#fail(await this.#whyNotFlushed())
  }

  /** What failed in the background LevelDB tells whoever writes next, and writes nothing of it. No key is empty. */
  async #whyNotFlushed(): Promise<StoreError> {
    try {
      await this.#db.batch([{ type: 'del', key: '' }])
    } catch (error) {
      return levelError(this.#path, error)
    }
    const details = { path: this.#path }
    return new StoreError('VolumeFailed', 'the key-value store could not write its tables', { details })
  }

  async close(): Promise<void> {
    await this.#writes.settled()
    await this.#db.close()
  }

  async #apply(operations: LevelOperation[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#isAhead = true
    try {
      await this.#db.batch(operations)
    } catch (error) {
      throw this.#fail(levelError(this.#path, error))
    }
  }

  /** Later batches may build on one that failed: to apply them without it would not be their order. */
  #fail(failure: StoreError): StoreError {
    if (failure.code !== 'Closed') this.#failure ??= failure
    return failure
  }

  async #logs(): Promise<readonly string[]> {
    const names = await readdir(this.#path)
    return names.filter((name) => /^\d+\.log$/.test(name))
  }
}

class LevelReader implements KvReader, KvSnapshot {
  readonly #db: Level
  readonly #snapshot: LevelSnapshot | undefined

  constructor(db: Level, snapshot: LevelSnapshot | undefined) {
    this.#db = db
    this.#snapshot = snapshot
  }

  async get(key: BinaryKey): Promise<Uint8Array | undefined> {
    try {
      const record = await this.#db.get(key, { snapshot: this.#snapshot })
      return record && decodeRecord(key, record)
    } catch (error) {
      throw levelError(this.#db.location, error)
    }
  }

  async getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    try {
      const records = await this.#db.getMany(keys.slice(), { snapshot: this.#snapshot })
      return keys.map((key, i) => {
        const record = records[i]
        return record && decodeRecord(key, record)
      })
    } catch (error) {
      throw levelError(this.#db.location, error)
    }
  }

  cursor(range: KeyRange): KvCursor {
    return new LevelCursor(this.#db, this.#snapshot, range)
  }

  async close(): Promise<void> {
    await this.#snapshot?.close()
  }
}

function operationOf(write: KvWrite): LevelOperation {
  const { key } = write
  return write.kind === 'put' ? { type: 'put', key, value: encodeRecord(key, write.value) } : { type: 'del', key }
}
