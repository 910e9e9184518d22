/** The digests that S3's headers carry, in base64. */

import { createHash } from 'node:crypto'
import { crc32 as zlibCrc32 } from 'node:zlib'

export function md5Of(bytes: string | Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}

export function crc32Of(bytes: string | Uint8Array): string {
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(zlibCrc32(bytes))
  return digest.toString('base64')
}
