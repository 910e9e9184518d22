/** An OM as one in another process is asked, call by call, and a store whose callers say what they are about to touch. */

import type { Random } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { RemoteOm } from '@o3/om/client'
import { serveOm } from '@o3/om/rpc'
import type { ServedOm } from '@o3/om/rpc'
import type { Foreseen, Identities, O3Session, O3Store } from '@o3/protocol-bus/api'

/** Whose lookups bring rows, though there is no such access key: programs speak for principals that have none. */
const anybody = 'anybody'

/** Everything crosses the codecs of the wire; there is no wire. `calls` are the methods asked, in order. */
export class DistantOm extends RemoteOm {
  readonly calls: string[]

  constructor(om: ServedOm, random: Pick<Random, 'uuid'>) {
    const calls: string[] = []
    const served = serveOm<undefined>(om)
    const { signal } = new AbortController()
    const ask = async (method: string, payload: Uint8Array): Promise<Uint8Array> => {
      const handler = served[method]
      if (handler === undefined) throw new Error(`${method} is not served`)
      const reply = await handler({ method, payload, body: undefined, peer: undefined, deadlineMs: undefined, signal })
      return reply.payload ?? new Uint8Array(0)
    }
    let term = 0
    super({
      async call(method, payload) {
        calls.push(method)
        if (typeof payload !== 'function') return ask(method, payload)
        try {
          return await ask(method, payload(term))
        } catch (error) {
          const known = isStoreError(error, 'NotLeader') ? Number(error.details['term'] ?? 0) : 0
          if (known <= term) throw error
          term = known
          return ask(method, payload(term))
        }
      },
      newRequestId: () => random.uuid(),
    })
    this.calls = calls
  }

  override lookup(...[request]: Parameters<RemoteOm['lookup']>): ReturnType<RemoteOm['lookup']> {
    const { accessKey, ...rest } = request
    return super.lookup(accessKey === anybody ? rest : request)
  }
}

type Groups = 'keys' | 'buckets' | 'uploads' | 'volumes'
type AnyCall = (...args: readonly unknown[]) => Promise<unknown>

/** A store each of whose calls is a request of its own, with a hint that names all that the call names, needed or not. */
export function foreseeing({
  store,
  identities,
}: {
  readonly store: O3Store
  readonly identities: Identities
}): O3Store {
  return {
    session(principal) {
      const grouped = (name: Groups): O3Session[Groups] =>
        new Proxy(store.session(principal)[name], {
          get:
            (_, method: string) =>
            async (...args: readonly unknown[]) => {
              const foreseen = foreseenIn(args)
              await identities.lookup(anybody, foreseen)
              const group = store.session(principal, foreseen)[name] as unknown as Readonly<Record<string, AnyCall>>
              return group[method]?.(...args)
            },
        })
      const plain = store.session(principal)
      return new Proxy(plain, {
        get(target, name: keyof O3Session) {
          const isGrouped = name === 'keys' || name === 'buckets' || name === 'uploads' || name === 'volumes'
          return isGrouped ? grouped(name) : target[name]
        },
      })
    },
  }
}

type Named = { readonly volume: string; readonly bucket: string; readonly key?: string }

function foreseenIn(args: readonly unknown[]): Foreseen {
  const places = args.filter(isNamed)
  const [first, second] = args
  const keys = places.filter((place) => place.key !== undefined) as readonly (Named & { readonly key: string })[]
  const [key] = keys
  if (typeof first === 'string') return { places: [{ volume: first }] }
  return {
    places,
    ...(key === undefined ? {} : { key }),
    ...(key === undefined || typeof second !== 'string' ? {} : { upload: { ...key, upload: second } }),
  }
}

function isNamed(value: unknown): value is Named {
  return typeof value === 'object' && value !== null && 'volume' in value && 'bucket' in value
}
