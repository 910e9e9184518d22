/** Digests as S3 sends them. */

import { digestAlgorithms, digestSizeBytes } from '@o3/common/digest'
import type { DigestAlgorithm } from '@o3/protocol-bus/api'

/** Undefined unless it is exactly what `encodeBase64` would write for a digest of this algorithm. */
export function decodeDigest(text: string, algorithm: DigestAlgorithm): Uint8Array | undefined {
  return isDigest(text, algorithm) ? Buffer.from(text, 'base64') : undefined
}

/** The same question without the bytes. Node's decoder skips what is not base64, so it cannot be asked. */
export function isDigest(text: string, algorithm: DigestAlgorithm): boolean {
  return forms[algorithm].test(text)
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

const forms = Object.fromEntries(
  digestAlgorithms.map((algorithm) => [algorithm, base64Of(digestSizeBytes[algorithm])]),
) as Readonly<Record<DigestAlgorithm, RegExp>>

/** The last letter holds bits of no byte; they are zero. No digest fills groups of three bytes. */
function base64Of(sizeBytes: number): RegExp {
  const whole = Math.floor(sizeBytes / 3) * 4
  const rest = sizeBytes % 3 === 1 ? `[A-Za-z0-9+/][AQgw]==` : `[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=`
  return new RegExp(`^[A-Za-z0-9+/]{${whole}}${rest}$`)
}
