/** A store that refuses: every call on it rejects with one error. */

import type { StoreError } from '@o3/common/errors'
import type { O3Session, O3Store } from '../api/api.ts'

export function failingStore(error: () => StoreError): O3Store {
  const surface = new Proxy(
    {},
    {
      get: (_, name) => {
        // An object that has a `then` would be taken for a promise.
        if (name === 'then') return undefined
        return () => Promise.reject(error())
      },
    },
  )
  return {
    session: (principal) =>
      new Proxy({ principal } as O3Session, {
        get: (session, name) => (name === 'principal' ? session.principal : name === 'then' ? undefined : surface),
      }),
  }
}
