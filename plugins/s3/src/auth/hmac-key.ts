/**
 * HMAC-SHA256 (RFC 2104) with a key that is used many times, as two calls of the one-shot `hash`: half the cost of
 * `createHmac`, which makes an object with a finaliser for each of what every request needs one of.
 */

import { createHmac, hash } from 'node:crypto'

const blockBytes = 64
/** A string to sign has some 300 characters; a longer text takes the ordinary way. */
const maxTextBytes = 1024

export class HmacKey {
  readonly #key: Uint8Array
  /** The key's inner block, and room for a text behind it. Nothing is awaited while it is in use. */
  readonly #inner: Buffer
  /** The key's outer block, and room for the inner digest. */
  readonly #outer: Buffer

  /** At most 64 bytes. */
  constructor(key: Uint8Array) {
    this.#key = key
    this.#inner = Buffer.alloc(blockBytes + maxTextBytes)
    this.#outer = Buffer.alloc(blockBytes + 32)
    for (let i = 0; i < blockBytes; i++) {
      this.#inner[i] = (key[i] ?? 0) ^ 0x36
      this.#outer[i] = (key[i] ?? 0) ^ 0x5c
    }
  }

  /** Lower-case hexadecimal. The text's characters 0–255 are bytes. */
  sign(text: string): string {
    if (text.length > maxTextBytes) return createHmac('sha256', this.#key).update(text, 'latin1').digest('hex')
    const end = blockBytes + this.#inner.write(text, blockBytes, 'latin1')
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'hex'), blockBytes, 'hex')
    return hash('sha256', this.#outer, 'hex')
  }
}
