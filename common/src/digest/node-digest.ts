/**
 * Hashing on Node: `node:crypto` for MD5 and SHA, the native CRC32 and CRC32C, CRC64NVME in WebAssembly. All of them
 * read views of a `SharedArrayBuffer` as they are, without a copy (`node-digest.test.ts` holds that).
 */

import { createHash, hash } from 'node:crypto'
import { crc32, crc32c } from '@node-rs/crc32'
import { createCRC64 } from 'hash-wasm'
import type { DigestAlgorithm, Digests } from './digest.ts'

/** A hash under way. After `finish` it must not be used. */
export interface Digest {
  update(bytes: Uint8Array): void
  finish(): Uint8Array
}

/** Several hashes over the same bytes. */
export interface DigestSet {
  update(bytes: Uint8Array): void
  finish(): Digests
}

export function createDigest(algorithm: DigestAlgorithm): Digest {
  return openDigest[algorithm]()
}

export function createDigests(algorithms: Iterable<DigestAlgorithm>): DigestSet {
  const parts = [...new Set(algorithms)].map((algorithm) => ({ algorithm, digest: createDigest(algorithm) }))
  return {
    update(bytes) {
      for (const { digest } of parts) digest.update(bytes)
    },
    finish: () => Object.fromEntries(parts.map(({ algorithm, digest }) => [algorithm, digest.finish()])),
  }
}

/** The digest of bytes that are all there: a third of the cost of a `Digest` for small ones. */
export function digestOf(algorithm: DigestAlgorithm, bytes: Uint8Array): Uint8Array {
  return digestAtOnce[algorithm](bytes)
}

const openDigest = {
  md5: () => cryptoDigest('md5'),
  sha1: () => cryptoDigest('sha1'),
  sha256: () => cryptoDigest('sha256'),
  crc32: () => crc32Digest(crc32),
  crc32c: () => crc32Digest(crc32c),
  crc64nvme: () => crc64Digest(),
} as const satisfies Record<DigestAlgorithm, () => Digest>

const digestAtOnce = {
  md5: (bytes) => fromHex(hash('md5', bytes, 'hex')),
  sha1: (bytes) => fromHex(hash('sha1', bytes, 'hex')),
  sha256: (bytes) => fromHex(hash('sha256', bytes, 'hex')),
  crc32: (bytes) => bigEndian32(crc32(bytes)),
  crc32c: (bytes) => bigEndian32(crc32c(bytes)),
  crc64nvme: (bytes) => crc64.init().update(bytes).digest('binary'),
} as const satisfies Record<DigestAlgorithm, (bytes: Uint8Array) => Uint8Array>

function cryptoDigest(algorithm: 'md5' | 'sha1' | 'sha256'): Digest {
  const state = createHash(algorithm)
  return {
    update: (bytes) => void state.update(bytes),
    finish: () => fromHex(state.digest('hex')),
  }
}

// The native functions take any view of bytes; their declaration says Buffer.
function crc32Digest(checksum: (bytes: Buffer, initial?: number) => number): Digest {
  let state = 0
  return {
    update(bytes) {
      state = checksum(bytes as Buffer, state)
    },
    finish: () => bigEndian32(state),
  }
}

// One instance serves every stream: its state is eight bytes, and to swap it in and out costs 2 µs, where an instance
// of its own would cost each stream a WebAssembly memory and a promise.
const crc64 = await createCRC64('9a6c9329ac4bc9b5')
const crc64Start = crc64.init().save()

function crc64Digest(): Digest {
  let state = crc64Start
  return {
    update(bytes) {
      state = crc64.load(state).update(bytes).save()
    },
    finish: () => crc64.load(state).digest('binary'),
  }
}

// OpenSSL's answer as a Buffer costs 2.6 µs, as hexadecimal text and back 1.1 µs.
function fromHex(text: string): Uint8Array {
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) {
    out[i] = (hexDigit(text.charCodeAt(2 * i)) << 4) | hexDigit(text.charCodeAt(2 * i + 1))
  }
  return out
}

function hexDigit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57
}

function bigEndian32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}
