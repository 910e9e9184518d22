import type { BinaryKey, KeyRange, KvCursor, KvReader, KvSnapshot, KvStore, KvWrite } from '../../kv/kv.ts'
import type { MemoryKv } from '../../kv/memory-kv.ts'
import type { SimRandom } from './sim-random.ts'
import type { Plan } from './world.ts'

/** How long an operation takes: uniform between 1 and 5 times this. */
const latencyMs = { read: 0.02, write: 0.05, checkpoint: 4 }

type KvOperation = keyof typeof latencyMs

interface PacedKvParts {
  readonly store: MemoryKv
  readonly random: SimRandom
  /** Of the process that opened it. */
  readonly plan: (plan: Plan) => void
  readonly path: string
}

/**
 * A key-value store in virtual time. An operation takes effect when it completes, and never when its process has died
 * by then; writes and checkpoints complete in the order of their calls.
 */
export class PacedKv implements KvStore {
  readonly #parts: PacedKvParts
  readonly #reader: KvReader
  /** Settles with the last write or checkpoint that was called. */
  #busy: Promise<unknown> = Promise.resolve()

  constructor(parts: PacedKvParts) {
    this.#parts = parts
    this.#reader = pacedReader(parts.store, (action) => this.#pace('read', action))
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
    return this.#inOrder('write', () => this.#parts.store.write(batch))
  }

  snapshot(): KvSnapshot {
    const snapshot = this.#parts.store.snapshot()
    const paced = pacedReader(snapshot, (action) => this.#pace('read', action))
    return { ...paced, close: () => snapshot.close() }
  }

  checkpoint(): Promise<void> {
    return this.#inOrder('checkpoint', () => this.#parts.store.checkpoint())
  }

  async close(): Promise<void> {
    await this.#busy
    await this.#parts.store.close()
  }

  #inOrder<T>(operation: KvOperation, action: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(() => this.#pace(operation, action))
    this.#busy = done.catch(() => undefined) // its caller hears of it
    return done
  }

  #pace<T>(operation: KvOperation, action: () => Promise<T>): Promise<T> {
    const { plan, random, path } = this.#parts
    return new Promise((resolve) => {
      const afterMs = latencyMs[operation] * (1 + 4 * random.fraction())
      plan({ afterMs, kind: `kv-${operation}`, name: path, action: () => resolve(action()) })
    })
  }
}

function pacedReader(reader: KvReader, pace: <T>(action: () => Promise<T>) => Promise<T>): KvReader {
  return {
    get: (key) => pace(() => reader.get(key)),
    getMany: (keys) => pace(() => reader.getMany(keys)),
    cursor: (range) => {
      const cursor = reader.cursor(range)
      return {
        next: (limit) => pace(() => cursor.next(limit)),
        seek: (key) => cursor.seek(key),
        close: () => cursor.close(),
      }
    },
  }
}
