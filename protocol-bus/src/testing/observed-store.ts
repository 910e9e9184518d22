/** A store that remembers what became of the bodies that were put on it. */

import type { ByteSource, Keys, O3Session, O3Store, Uploads } from '../api/api.ts'

export interface ObservedPut {
  readonly key: string
  /** How the call ended; undefined while it has not. */
  outcome: 'stored' | 'failed' | undefined
}

export interface ObservedStore {
  readonly store: O3Store
  readonly puts: readonly ObservedPut[]
}

export function observedStore(inner: O3Store): ObservedStore {
  const puts: ObservedPut[] = []
  const observe = async <T>(key: string, work: Promise<T>): Promise<T> => {
    const seen: ObservedPut = { key, outcome: undefined }
    puts.push(seen)
    try {
      const answer = await work
      seen.outcome = 'stored'
      return answer
    } catch (error) {
      seen.outcome = 'failed'
      throw error
    }
  }
  const session = (on: O3Session): O3Session => {
    const keys: Keys = {
      ...on.keys,
      put: (ref, body: ByteSource, options) => observe(ref.key, on.keys.put(ref, body, options)),
    }
    const uploads: Uploads = {
      ...on.uploads,
      putPart: (...args) => observe(args[0].key, on.uploads.putPart(...args)),
    }
    return { ...on, keys, uploads }
  }
  return { store: { session: (principal) => session(inner.session(principal)) }, puts }
}
