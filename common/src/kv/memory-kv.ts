import { StoreError } from '../errors.ts'
import type { Random } from '../env/env.ts'
import type { BinaryKey, KeyRange, KvCursor, KvEntry, KvReader, KvSnapshot, KvStore, KvWrite } from './kv.ts'
import { SortedMap, type Place } from './sorted-map.ts'

/** What of a store is on the simulated device, and what is still on its way. */
interface Contents {
  /** As of the last checkpoint. */
  durable: SortedMap
  /** The batches since, in order. */
  later: (readonly KvWrite[])[]
  current: SortedMap
}

/**
 * The engine of simulations: everything in memory, and a `crash` that loses exactly what the port's contract allows.
 * Batches are kept until the next checkpoint, so a test that never makes one keeps all it ever wrote.
 */
export class MemoryKv implements KvStore {
  readonly #contents: Contents
  #closed = false

  constructor(contents: Contents = { durable: SortedMap.empty, later: [], current: SortedMap.empty }) {
    this.#contents = contents
  }

  get(key: BinaryKey): Promise<Uint8Array | undefined> {
    return this.#whileOpen(() => this.#contents.current.get(key))
  }

  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#whileOpen(() => keys.map((key) => this.#contents.current.get(key)))
  }

  cursor(range: KeyRange): KvCursor {
    this.#refuseWhenClosed()
    return new MemoryCursor(this.#contents.current, range)
  }

  write(batch: readonly KvWrite[]): Promise<void> {
    return this.#whileOpen(() => {
      this.#contents.current = this.#contents.current.apply(batch)
      this.#contents.later.push(batch)
    })
  }

  snapshot(): KvSnapshot {
    this.#refuseWhenClosed()
    return new MemorySnapshot(this.#contents.current)
  }

  checkpoint(): Promise<void> {
    return this.#whileOpen(() => {
      this.#contents.durable = this.#contents.current
      this.#contents.later = []
    })
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  /** After an orderly stop of the process: the same contents, and the same doubt about what is durable. */
  reopen(): MemoryKv {
    this.#closed = true
    return new MemoryKv({ ...this.#contents, later: [...this.#contents.later] })
  }

  /**
   * After a power cut: the last checkpoint and any subset of the later batches, in their order. This store is closed
   * by it. One crash in four keeps all batches and one in four keeps none, for a coin per batch finds these too rarely.
   */
  crash(random: Random): MemoryKv {
    this.#closed = true
    const mood = random.fraction()
    const keepShare = mood < 0.25 ? 0 : mood < 0.5 ? 1 : 0.5
    const kept = this.#contents.later.filter(() => random.fraction() < keepShare)
    const survivor = kept.reduce((map, batch) => map.apply(batch), this.#contents.durable)
    return new MemoryKv({ durable: survivor, later: [], current: survivor })
  }

  /** What every crash would leave: for audits of what was acknowledged. */
  durable(): KvSnapshot {
    return new MemorySnapshot(this.#contents.durable)
  }

  #whileOpen<T>(action: () => T): Promise<T> {
    return this.#closed ? Promise.reject(closedError()) : Promise.resolve(action())
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw closedError()
  }
}

class MemorySnapshot implements KvSnapshot, KvReader {
  readonly #map: SortedMap

  constructor(map: SortedMap) {
    this.#map = map
  }

  get(key: BinaryKey): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#map.get(key))
  }

  getMany(keys: readonly BinaryKey[]): Promise<readonly (Uint8Array | undefined)[]> {
    return Promise.resolve(keys.map((key) => this.#map.get(key)))
  }

  cursor(range: KeyRange): KvCursor {
    return new MemoryCursor(this.#map, range)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** What one call of `next` brings at most, or one entry. Small, so that small tests meet it. */
const tripBytes = 8 * 1024

class MemoryCursor implements KvCursor {
  readonly #map: SortedMap
  readonly #range: KeyRange
  #place: Place

  constructor(map: SortedMap, range: KeyRange) {
    this.#map = map
    this.#range = range
    this.#place = map.placeOf(range.reverse === true ? range.to : range.from)
  }

  /** As short as LevelDB's, where the entries are long: who takes a short batch for the last one is to be found out. */
  next(limit: number): Promise<readonly KvEntry[]> {
    const entries: KvEntry[] = []
    let bytes = 0
    while (entries.length < limit && bytes < tripBytes) {
      const step = this.#range.reverse === true ? this.#map.entryBefore(this.#place) : this.#map.entryAfter(this.#place)
      if (step === undefined || step.entry.key < this.#range.from || step.entry.key >= this.#range.to) break
      this.#place = step.place
      entries.push(step.entry)
      bytes += step.entry.key.length + step.entry.value.length
    }
    return Promise.resolve(entries)
  }

  seek(key: BinaryKey): void {
    const { from, to, reverse } = this.#range
    if (reverse !== true) this.#place = this.#map.placeOf(key < from ? from : key)
    else if (key >= to) this.#place = this.#map.placeOf(to)
    else {
      // Stand behind `key` itself, for backward the next entry is the one before the place.
      const place = this.#map.placeOf(key)
      const at = this.#map.entryAfter(place)
      this.#place = at?.entry.key === key ? at.place : place
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function closedError(): StoreError {
  return new StoreError('Closed', 'this key-value store is closed')
}
