/**
 * Secrets at rest: AES-256-GCM under the cluster's key. A sealed secret says under which key it was sealed, so that keys
 * can be changed one secret at a time, and is bound to the id it was sealed for: moved to another row it does not open.
 *
 * Layout: version (1) · key id (4) · nonce (12) · ciphertext · tag (16).
 */

import { createCipheriv, createDecipheriv, hash } from 'node:crypto'
import type { Random } from '../env/env.ts'
import { assert, StoreError } from '../errors.ts'

const version = 1
const keyIdBytes = 4
const nonceBytes = 12
const tagBytes = 16
const headBytes = 1 + keyIdBytes + nonceBytes
export const sealingKeyBytes = 32

export interface Keyring {
  /** `id` names the secret among all that the cluster seals: an access key's is its own id. */
  seal(id: string, secret: string): Uint8Array
  /** `Damaged` when it was changed, belongs to another id, or was sealed under a key that is not on the ring. */
  unseal(id: string, sealed: Uint8Array): string
}

/** `current` seals; `older` keys still open what they sealed. Each is 32 bytes. */
export function createKeyring(
  keys: { readonly current: Uint8Array; readonly older?: readonly Uint8Array[] },
  random: Pick<Random, 'bytes'>,
): Keyring {
  const ring = new Map([keys.current, ...(keys.older ?? [])].map((key) => [keyIdOf(key), key]))
  const currentId = keyIdOf(keys.current)
  return {
    seal(id, secret) {
      const nonce = random.bytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', keys.current, nonce)
      cipher.setAAD(Buffer.from(id))
      const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return Buffer.concat([Buffer.from([version]), Buffer.from(currentId, 'hex'), nonce, sealed, cipher.getAuthTag()])
    },
    unseal(id, sealed) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
      const key = ring.get(bytes.subarray(1, 1 + keyIdBytes).toString('hex'))
      if (bytes.length < headBytes + tagBytes || bytes[0] !== version || key === undefined) throw unreadable(id)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1 + keyIdBytes, headBytes))
      decipher.setAAD(Buffer.from(id))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(headBytes, -tagBytes)), decipher.final()]).toString('utf8')
      } catch (error) {
        throw unreadable(id, error)
      }
    },
  }
}

/** The first bytes of its hash: names a key and tells nothing of it. */
function keyIdOf(key: Uint8Array): string {
  assert(key.length === sealingKeyBytes, `a sealing key has ${sealingKeyBytes} bytes`)
  return hash('sha256', key, 'hex').slice(0, 2 * keyIdBytes)
}

function unreadable(id: string, cause?: unknown): StoreError {
  return new StoreError('Damaged', 'a secret cannot be opened with this cluster key', {
    details: { id },
    ...(cause === undefined ? {} : { cause }),
  })
}
