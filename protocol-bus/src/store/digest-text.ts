/** Digests as text: hexadecimal for ETags, base64 for S3's checksums. */

import { digestOf } from '@o3/common/digest/node'

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** MD5 of the UTF-8 bytes of a text, in hexadecimal. */
export function md5OfText(text: string): string {
  return hexOf(digestOf('md5', new TextEncoder().encode(text)))
}
