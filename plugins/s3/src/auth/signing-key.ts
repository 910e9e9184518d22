/**
 * The key that a secret, a date and a region give. Deriving it takes four HMACs (13 µs), which is more than all the
 * rest of a verification, so it is kept for as long as requests name the same credential.
 */

import { createHmac } from 'node:crypto'
import type { ScopedCredential } from '../core/auth/credential-scope.ts'
import { HmacKey } from './hmac-key.ts'

/** What a chain of chunk signatures starts from. */
export interface SigningContext {
  readonly key: HmacKey
  /** The request's own signature, lower-case hexadecimal: the first link of the chain. */
  readonly seedSignature: string
  /** `20130524T000000Z`. */
  readonly timestamp: string
  /** `20130524/us-east-1/s3/aws4_request`. */
  readonly scope: string
}

export function deriveSigningKey(secret: string, { date, region, service, terminal }: ScopedCredential): HmacKey {
  let key = createHmac('sha256', `AWS4${secret}`).update(date).digest()
  for (const part of [region, service, terminal]) key = createHmac('sha256', key).update(part).digest()
  return new HmacKey(key)
}

/** A credential that named a real key, taken apart, and its signing key. */
interface Entry {
  readonly scoped: ScopedCredential
  /** Ours, and compared with ours: a rotated secret makes the entry worthless. */
  readonly secret: string
  readonly key: HmacKey
}

/** Bounded: a full cache forgets its oldest entry, which costs that caller one derivation. */
export class SigningKeys {
  readonly #entries = new Map<string, Entry>()
  readonly #capacity: number
  #stranger: Entry | undefined

  constructor(capacity = 4096) {
    this.#capacity = capacity
  }

  /** What the text of a credential says, where a key was derived for it before. */
  scopeOf(credential: string): ScopedCredential | undefined {
    return this.#entries.get(credential)?.scoped
  }

  /** `credential` is the text as the client wrote it, `secret` the one behind its access key. */
  keyFor(credential: string, scoped: ScopedCredential, secret: string): HmacKey {
    const known = this.#entries.get(credential)
    if (known !== undefined && known.secret === secret) return known.key
    const entry = { scoped, secret, key: deriveSigningKey(secret, scoped) }
    this.#entries.delete(credential)
    if (this.#entries.size >= this.#capacity) this.#forgetOldest()
    this.#entries.set(credential, entry)
    return entry.key
  }

  /** A key that nobody has, at the price of a real one, and without a place in the cache for each stranger. */
  keyForStranger(scoped: ScopedCredential): HmacKey {
    if (this.#stranger?.scoped.date !== scoped.date) {
      this.#stranger = { scoped, secret: '', key: deriveSigningKey('', scoped) }
    }
    return this.#stranger.key
  }

  #forgetOldest(): void {
    for (const credential of this.#entries.keys()) {
      this.#entries.delete(credential)
      return
    }
  }
}
