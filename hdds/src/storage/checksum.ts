import { crc32c as native } from '@node-rs/crc32'
import { combineCrcs } from '@o3/common/digest'
import type { CrcPart } from '@o3/common/digest'
import { checksumUnitBytes } from '../api/api.ts'
import type { Crc32c } from '../core/record.ts'

/** Native CRC32C: some 5 GB/s. */
export const crc32c: Crc32c = native

/** One checksum for each 64 KiB of the payload, wherever its pieces are cut. */
export function unitChecksums(pieces: readonly Uint8Array[]): number[] {
  const checksums: number[] = []
  let crc = 0
  let room = checksumUnitBytes
  for (const piece of pieces) {
    let from = 0
    while (piece.length - from >= room) {
      checksums.push(crc32c(piece.subarray(from, from + room), crc))
      from += room
      crc = 0
      room = checksumUnitBytes
    }
    if (from < piece.length) {
      crc = crc32c(from === 0 ? piece : piece.subarray(from), crc)
      room -= piece.length - from
    }
  }
  if (room < checksumUnitBytes) checksums.push(crc)
  return checksums
}

/** CRC32C of all bytes as one, from the checksums of their units. */
export function wholeChecksum(units: readonly number[], lengthBytes: number): number {
  const parts: CrcPart[] = units.map((unit, index) => {
    const crc = new Uint8Array(4)
    new DataView(crc.buffer).setUint32(0, unit)
    return { crc, sizeBytes: Math.min(checksumUnitBytes, lengthBytes - index * checksumUnitBytes) }
  })
  const whole = combineCrcs('crc32c', parts)
  return new DataView(whole.buffer, whole.byteOffset).getUint32(0)
}

export function totalLength(pieces: readonly Uint8Array[]): number {
  let total = 0
  for (const piece of pieces) total += piece.length
  return total
}

/** The first unit whose bytes do not match; undefined when all do. `units` starts with unit `firstUnit`. */
export function firstDamagedUnit(
  units: Uint8Array,
  checksums: ArrayLike<number>,
  firstUnit: number,
): number | undefined {
  for (let unit = firstUnit, at = 0; at < units.length; unit++, at += checksumUnitBytes) {
    const bytes =
      units.length - at <= checksumUnitBytes && at === 0 ? units : units.subarray(at, at + checksumUnitBytes)
    if (crc32c(bytes) !== checksums[unit]) return unit
  }
  return undefined
}
