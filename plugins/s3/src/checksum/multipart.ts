/** From the parts of an upload to its whole. */

import { assert } from '@o3/common/errors'
import { combineCrcs } from '@o3/common/digest'
import { digestOf } from '@o3/common/digest/node'
import type { Checksum, ChecksumAlgorithm } from '@o3/protocol-bus/api'
import type { ChecksumType } from './algorithms.ts'
import { decodeDigest, encodeBase64, encodeHex } from './base64.ts'

export interface PartChecksum {
  readonly size: number
  /** Base64. */
  readonly value: string
}

/** `md5-N`: the MD5 of the parts' MD5s, from their hexadecimal ETags in order. */
export function multipartEtag(partEtags: readonly string[]): string {
  return `${encodeHex(digestOf('md5', Buffer.from(partEtags.join(''), 'hex')))}-${partEtags.length}`
}

/**
 * From the parts' values in order. COMPOSITE is the checksum of the checksums, FULL_OBJECT the one that the bytes of
 * the whole have, which for a CRC follows from the parts' CRCs and sizes alone.
 */
export function multipartChecksum(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly PartChecksum[],
): Checksum {
  const digests = parts.map(({ value }) => {
    const digest = decodeDigest(value, algorithm)
    assert(digest !== undefined, 'a part is stored with the checksum of its upload')
    return digest
  })
  const whole =
    type === 'composite'
      ? digestOf(algorithm, Buffer.concat(digests))
      : joined(
          algorithm,
          parts.map(({ size }, i) => ({ crc: digests[i] as Uint8Array, sizeBytes: size })),
        )
  return { algorithm, type, value: encodeBase64(whole) }
}

/** As headers and documents show it: a composite one with the number of its parts, `AAAAAA==-3`. */
export function shownChecksum(checksum: Checksum, parts: number): string {
  return checksum.type === 'composite' ? `${checksum.value}-${parts}` : checksum.value
}

function joined(
  algorithm: ChecksumAlgorithm,
  parts: readonly { readonly crc: Uint8Array; readonly sizeBytes: number }[],
): Uint8Array {
  assert(algorithm !== 'sha1' && algorithm !== 'sha256', 'a SHA is not made a FULL_OBJECT checksum')
  return combineCrcs(algorithm, parts)
}
