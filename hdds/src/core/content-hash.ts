/**
 * What a replica holds, as one number: the sum modulo 2^64, over its live blocks, of a hash of local id, length and
 * checksum. A sum does not depend on the order of the records, grows with each block, shrinks with each deletion, and can
 * be counted anew from the index; replicas with the same blocks, and for all that happens only those, have the same.
 *
 * Nobody chooses checksums against it: it tells replicas apart that lack blocks, and does not keep out forgers.
 */

import type { LocalId } from '@o3/scm/api'

/** 64 bits in halves, because the numbers of JavaScript have 53. */
export interface ContentHash {
  readonly high: number
  readonly low: number
}

/** As much of a block as the hash covers. */
export interface HashedBlock {
  readonly local: LocalId
  readonly lengthBytes: number
  /** See `BlockChecksum`. */
  readonly checksum: number
}

/** Of no blocks. */
export const emptyHash: ContentHash = { high: 0, low: 0 }

/** Two seeds, two lanes of 32 bits. Persisted: other seeds would be another hash. */
const highSeed = 0x3c6e_f372
const lowSeed = 0x9e37_79b9

export function hashOf({ local, lengthBytes, checksum }: HashedBlock): ContentHash {
  return { high: lane(highSeed, local, lengthBytes, checksum), low: lane(lowSeed, local, lengthBytes, checksum) }
}

export function addHash(a: ContentHash, b: ContentHash): ContentHash {
  const low = a.low + b.low
  return { high: (a.high + b.high + (low > 0xffff_ffff ? 1 : 0)) % 0x1_0000_0000, low: low % 0x1_0000_0000 }
}

/** The sum with one block more; undefined when it, or one before it, has no checksum. */
export function withBlock(
  sum: ContentHash | undefined,
  { local, lengthBytes, checksum }: Omit<HashedBlock, 'checksum'> & { readonly checksum?: number | undefined },
): ContentHash | undefined {
  if (sum === undefined || checksum === undefined) return undefined
  return addHash(sum, hashOf({ local, lengthBytes, checksum }))
}

export function subtractHash(a: ContentHash, b: ContentHash): ContentHash {
  const borrow = a.low < b.low ? 1 : 0
  return {
    high: (a.high - b.high - borrow + 2 * 0x1_0000_0000) % 0x1_0000_0000,
    low: (a.low - b.low + 0x1_0000_0000) % 0x1_0000_0000,
  }
}

export function sameHash(a: ContentHash, b: ContentHash): boolean {
  return a.high === b.high && a.low === b.low
}

/** 16 hex digits. */
export function formatHash({ high, low }: ContentHash): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

/** MurmurHash3 (32 bits) of the four words that a block is. */
function lane(seed: number, local: number, lengthBytes: number, checksum: number): number {
  let hash = seed
  hash = mix(hash, local)
  hash = mix(hash, lengthBytes % 0x1_0000_0000)
  hash = mix(hash, Math.floor(lengthBytes / 0x1_0000_0000))
  hash = mix(hash, checksum) ^ 16
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function mix(hash: number, word: number): number {
  const scrambled = Math.imul(rotate(Math.imul(word, 0xcc9e_2d51), 15), 0x1b87_3593)
  return (Math.imul(rotate(hash ^ scrambled, 13), 5) + 0xe654_6b64) | 0
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
