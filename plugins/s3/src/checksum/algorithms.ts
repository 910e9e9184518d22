/**
 * The checksums of S3: their names on the wire, and which kinds of them a multipart upload may ask for.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */

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

/** `CRC32` … */
export const checksumName: Readonly<Record<ChecksumAlgorithm, ChecksumName>> = {
  crc32: 'CRC32',
  crc32c: 'CRC32C',
  crc64nvme: 'CRC64NVME',
  sha1: 'SHA1',
  sha256: 'SHA256',
}

/** `x-amz-checksum-crc32` … */
export const checksumHeader: Readonly<Record<ChecksumAlgorithm, string>> = {
  crc32: 'x-amz-checksum-crc32',
  crc32c: 'x-amz-checksum-crc32c',
  crc64nvme: 'x-amz-checksum-crc64nvme',
  sha1: 'x-amz-checksum-sha1',
  sha256: 'x-amz-checksum-sha256',
}

/** `ChecksumCRC32` …: the element of documents. */
export const checksumElement: Readonly<Record<ChecksumAlgorithm, string>> = {
  crc32: 'ChecksumCRC32',
  crc32c: 'ChecksumCRC32C',
  crc64nvme: 'ChecksumCRC64NVME',
  sha1: 'ChecksumSHA1',
  sha256: 'ChecksumSHA256',
}

export const checksumTypeName: Readonly<Record<ChecksumType, 'FULL_OBJECT' | 'COMPOSITE'>> = {
  'full-object': 'FULL_OBJECT',
  composite: 'COMPOSITE',
}

/** From `CRC32` in any case: SDKs write it in upper case, some tools do not. */
export function parseChecksumName(name: string): ChecksumAlgorithm | undefined {
  const lower = name.toLowerCase()
  return checksumAlgorithms.find((algorithm) => algorithm === lower)
}

/** From `x-amz-checksum-crc32` in any case, as `x-amz-trailer` has it. */
export function parseChecksumHeader(name: string): ChecksumAlgorithm | undefined {
  const lower = name.toLowerCase()
  return checksumAlgorithms.find((algorithm) => checksumHeader[algorithm] === lower)
}

export function parseChecksumType(name: string): ChecksumType | undefined {
  if (name === 'FULL_OBJECT') return 'full-object'
  return name === 'COMPOSITE' ? 'composite' : undefined
}

/**
 * CRC64NVME has only FULL_OBJECT (S3 made it for that), SHA1 and SHA256 only COMPOSITE (they cannot be joined); of the
 * others the first is the default.
 */
export function checksumTypesOf(algorithm: ChecksumAlgorithm): readonly [ChecksumType, ...ChecksumType[]] {
  return types[algorithm]
}

const types: Readonly<Record<ChecksumAlgorithm, readonly [ChecksumType, ...ChecksumType[]]>> = {
  crc32: ['composite', 'full-object'],
  crc32c: ['composite', 'full-object'],
  crc64nvme: ['full-object'],
  sha1: ['composite'],
  sha256: ['composite'],
}
