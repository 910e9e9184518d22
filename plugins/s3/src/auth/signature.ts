/** The arithmetic of SigV4's signatures. */

import { hash, timingSafeEqual } from 'node:crypto'

/** Lower-case hexadecimal, of text whose characters 0–255 are bytes. */
export function sha256Hex(bytes: string): string {
  if (bytes.length > scratchBytes) return hash('sha256', Buffer.from(bytes, 'latin1'), 'hex')
  return hash('sha256', scratch.subarray(0, scratch.write(bytes, 'latin1')), 'hex')
}

/** In a time that does not tell where they differ. `expected` is 64 digits of lower-case hexadecimal. */
export function signaturesEqual(expected: string, given: string): boolean {
  if (given.length !== signatureLength) return false
  left.write(expected, 'latin1')
  right.write(given, 'latin1')
  return timingSafeEqual(left, right)
}

const signatureLength = 64

// Shared by all calls: nothing is awaited between a write and the use of what was written.
const scratchBytes = 4096
const scratch = Buffer.alloc(scratchBytes)
const left = Buffer.alloc(signatureLength)
const right = Buffer.alloc(signatureLength)
