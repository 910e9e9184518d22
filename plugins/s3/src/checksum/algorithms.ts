/** The checksums of S3: their names on the wire, and which kinds of them a multipart upload may ask for. */

import type { Checksum, ChecksumAlgorithm } from '@o3/protocol-bus/api'

export type ChecksumType = Checksum['type']
/** As S3 writes it. */
export type ChecksumName = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256'

export const checksumAlgorithms = [
  'crc32',
  'crc32c',
  'crc64nvme',
  'sha1',
  'sha256',
] as const satisfies readonly ChecksumAlgorithm[]

/** `x-amz-checksum-crc32` … */
export declare const checksumHeader: Readonly<Record<ChecksumAlgorithm, string>>
/** `CRC32` … */
export declare const checksumName: Readonly<Record<ChecksumAlgorithm, ChecksumName>>
/** `ChecksumCRC32` …: the element of documents. */
export declare const checksumElement: Readonly<Record<ChecksumAlgorithm, string>>
/** `FULL_OBJECT`, `COMPOSITE`. */
export declare const checksumTypeName: Readonly<Record<ChecksumType, 'FULL_OBJECT' | 'COMPOSITE'>>

/** From `CRC32` in any case. */
export declare function parseChecksumName(name: string): ChecksumAlgorithm | undefined
export declare function parseChecksumType(name: string): ChecksumType | undefined
/** CRC64NVME has only FULL_OBJECT, SHA1 and SHA256 only COMPOSITE; of the others the first is the default. */
export declare function checksumTypesOf(algorithm: ChecksumAlgorithm): readonly [ChecksumType, ...ChecksumType[]]
