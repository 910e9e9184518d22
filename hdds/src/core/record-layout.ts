/**
 * Where things lie in a record of a container file: a header of 56 bytes and one checksum per unit of the payload, the
 * payload, and zeros up to the next multiple of 64. Records start at multiples of 64, so a scanner that has lost its
 * way behind a damaged header finds the next one by looking at every 64th byte. A block of 4 KiB takes 4,160 bytes.
 */

import { checksumUnitBytes, maxChunkBytes } from '../api/api.ts'

export const recordAlignBytes = 64
export const maxUnits = maxChunkBytes / checksumUnitBytes
export const fixedHeaderBytes = 56
export const maxHeaderBytes = fixedHeaderBytes + 4 * maxUnits

/** Checksums that a payload of this length has. */
export function unitCount(lengthBytes: number): number {
  return Math.ceil(lengthBytes / checksumUnitBytes)
}

export function headerBytes(units: number): number {
  return fixedHeaderBytes + 4 * units
}

export function alignRecord(offset: number): number {
  return Math.ceil(offset / recordAlignBytes) * recordAlignBytes
}

/** What a record with this payload takes in the file, padding included. */
export function recordBytes(lengthBytes: number): number {
  return alignRecord(headerBytes(unitCount(lengthBytes)) + lengthBytes)
}

/** A commit or a seal: a header without a payload. */
export const bareRecordBytes = recordBytes(0)
