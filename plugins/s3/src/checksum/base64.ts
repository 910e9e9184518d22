/** Digests as S3 sends them. */

import { digestSizeBytes } from '@o3/common/digest'
import type { DigestAlgorithm } from '@o3/protocol-bus/api'

/** Undefined unless it is exactly what `encodeBase64` would write for a digest of this algorithm. */
export function decodeDigest(text: string, algorithm: DigestAlgorithm): Uint8Array | undefined {
  const size = digestSizeBytes[algorithm]
  if (text.length !== Math.ceil(size / 3) * 4) return undefined
  // Node's decoder skips what is not base64, so the way back must lead to the same text.
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === size && bytes.toString('base64') === text ? bytes : undefined
}

export function encodeBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64')
}

export function encodeHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex')
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
