/** The arithmetic of SigV4's signatures. */

import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** Lower-case hexadecimal, of text whose characters 0–255 are bytes. */
export function sha256Hex(bytes: string): string {
  // A string is hashed as UTF-8, which is the same for ASCII and spares a copy.
  return beyondAscii.test(bytes) ? hash('sha256', Buffer.from(bytes, 'latin1'), 'hex') : hash('sha256', bytes, 'hex')
}

export function hmacHex(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

/** In a time that does not tell where they differ. `expected` is 64 digits of lower-case hexadecimal. */
export function signaturesEqual(expected: string, given: string): boolean {
  if (given.length !== signatureLength) return false
  left.write(expected, 'latin1')
  right.write(given, 'latin1')
  return timingSafeEqual(left, right)
}

const signatureLength = 64

// Shared by all calls: nothing is awaited between the writes and the comparison.
const left = Buffer.alloc(signatureLength)
const right = Buffer.alloc(signatureLength)

const beyondAscii = /[\x80-\uffff]/
