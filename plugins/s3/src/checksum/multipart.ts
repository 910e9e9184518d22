/** From the parts of an upload to its whole. */

import type { Checksum, ChecksumAlgorithm } from '@o3/protocol-bus/api'
import type { ChecksumType } from './algorithms.ts'

/** `md5-N`, from the parts' hexadecimal MD5s in order. */
export declare function multipartEtag(partEtags: readonly string[]): string
/** From the parts' values (base64) and sizes in order. */
export declare function multipartChecksum(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly { readonly size: number; readonly value: string }[],
): Checksum
/** As headers and documents show it: a composite one with `-N`. */
export declare function shownChecksum(checksum: Checksum, parts: number): string
