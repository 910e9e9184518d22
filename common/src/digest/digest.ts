/**
 * The digests that O3 computes over bodies, and the arithmetic that joins CRCs of parts into the CRC of the whole
 * (S3's FULL_OBJECT checksum of a multipart upload). Pure: the hashing itself is in `node-digest.ts`.
 *
 * A digest is its bytes, most significant first, as S3 sends them in base64.
 */

import { multiply32, multiply64, powerOfX32, powerOfX64 } from './crc-polynomial.ts'
import type { Word64 } from './crc-polynomial.ts'

export const crcAlgorithms = ['crc32', 'crc32c', 'crc64nvme'] as const
export const digestAlgorithms = ['md5', 'sha1', 'sha256', ...crcAlgorithms] as const

export type CrcAlgorithm = (typeof crcAlgorithms)[number]
export type DigestAlgorithm = (typeof digestAlgorithms)[number]

/** What a body hashed to: an entry for each algorithm that was asked for. */
export type Digests = Readonly<Partial<Record<DigestAlgorithm, Uint8Array>>>

export const digestSizeBytes = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
} as const satisfies Record<DigestAlgorithm, number>

export interface CrcPart {
  readonly crc: Uint8Array
  readonly sizeBytes: number
}

/**
 * The CRC of the concatenation of the parts. It is the sum over the parts of `crc × x^(8 × bytes that follow)`, modulo
 * the polynomial; the ones that the CRCs are started and ended with cancel out. Parts of one size, the usual case,
 * cost a multiplication each.
 */
export function combineCrcs(algorithm: CrcAlgorithm, parts: readonly CrcPart[]): Uint8Array {
  if (algorithm === 'crc64nvme') return combine64(parts)
  return combine32(algorithm === 'crc32' ? crc32Polynomial : crc32cPolynomial, parts)
}

// Reflected: the coefficient of x^0 is the top bit.
const crc32Polynomial = 0xedb88320
const crc32cPolynomial = 0x82f63b78
const crc64nvmePolynomial: Word64 = { high: 0x9a6c9329, low: 0xac4bc9b5 }

function combine32(polynomial: number, parts: readonly CrcPart[]): Uint8Array {
  let sum = 0
  let shift = 0
  let shiftBytes = -1
  for (const { crc, sizeBytes } of parts) {
    if (sizeBytes !== shiftBytes) {
      shift = powerOfX32(polynomial, sizeBytes)
      shiftBytes = sizeBytes
    }
    sum = multiply32(polynomial, shift, sum) ^ readU32(crc, 0)
  }
  const out = new Uint8Array(4)
  writeU32(out, 0, sum)
  return out
}

function combine64(parts: readonly CrcPart[]): Uint8Array {
  let sum: Word64 = { high: 0, low: 0 }
  let shift: Word64 = sum
  let shiftBytes = -1
  for (const { crc, sizeBytes } of parts) {
    if (sizeBytes !== shiftBytes) {
      shift = powerOfX64(crc64nvmePolynomial, sizeBytes)
      shiftBytes = sizeBytes
    }
    const moved = multiply64(crc64nvmePolynomial, shift, sum)
    sum = { high: moved.high ^ readU32(crc, 0), low: moved.low ^ readU32(crc, 4) }
  }
  const out = new Uint8Array(8)
  writeU32(out, 0, sum.high)
  writeU32(out, 4, sum.low)
  return out
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
