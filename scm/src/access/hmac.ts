import { createHmac, createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Mac } from '../core/mac.ts'

const prepared = new WeakMap<Uint8Array, KeyObject>()

/** HMAC-SHA256, all 32 bytes. The secret is prepared once for as long as its array lives: it is most of the cost. */
export const hmac: Mac = (secret, message) => {
  let key = prepared.get(secret)
  if (key === undefined) {
    key = createSecretKey(secret)
    prepared.set(secret, key)
  }
  return createHmac('sha256', key).update(message).digest()
}
