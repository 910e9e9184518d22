import { isStoreError } from '@o3/common/errors'
import type { StoreError } from '@o3/common/errors'
import type { KvCursor, KvReader, KvSnapshot, KvStore } from '@o3/common/kv'

/** The same store, which tells of each read or write that found it damaged. */
export function watchedKv(kv: KvStore, onDamage: (error: StoreError) => void): KvStore {
  const noted = noting(onDamage)
  return {
    ...watchedReader(kv, noted),
    write: (batch) => noted(kv.write(batch)),
    checkpoint: () => noted(kv.checkpoint()),
    snapshot: (): KvSnapshot => {
      const snapshot = kv.snapshot()
      return { ...watchedReader(snapshot, noted), close: () => snapshot.close() }
    },
    close: () => kv.close(),
  }
}

type Noted = <T>(work: Promise<T>) => Promise<T>

function noting(onDamage: (error: StoreError) => void): Noted {
  return async (work) => {
    try {
      return await work
    } catch (error) {
      if (isStoreError(error, 'Damaged')) onDamage(error)
      throw error
    }
  }
}

function watchedReader(reader: KvReader, noted: Noted): KvReader {
  return {
    get: (key) => noted(reader.get(key)),
    getMany: (keys) => noted(reader.getMany(keys)),
    cursor: (range): KvCursor => {
      const cursor = reader.cursor(range)
      return {
        next: (limit) => noted(cursor.next(limit)),
        seek: (key) => cursor.seek(key),
        close: () => cursor.close(),
      }
    },
  }
}
