import { checksumUnitBytes } from '../api/api.ts'
import { putU32 } from './little-endian.ts'
import type { Crc32c } from './record.ts'

/**
 * The checksum of a block: CRC32C over the CRC32Cs (little-endian) of its units of 64 KiB, in order. Units are counted from
 * the start of the *block*, so it does not matter in what pieces the block was written: replicas that were, or a copy of
 * one, agree. The records of a container file count theirs from the start of the record; where both coincide, which they
 * do but for streams of odd pieces, nothing is computed twice.
 */
export class BlockChecksum {
  private readonly crc: Crc32c
  private readonly unit = new Uint8Array(4)
  private sum = 0
  private unitCrc = 0
  private unitBytes = 0

  constructor(crc: Crc32c) {
    this.crc = crc
  }

  /** Takes the next bytes; `units` are their checksums, each of 64 KiB from their start on. */
  add(pieces: readonly Uint8Array[], units: readonly number[]): void {
    let length = 0
    for (const piece of pieces) length += piece.length
    if (this.unitBytes === 0) this.addUnits(units, length)
    else for (const piece of pieces) this.addBytes(piece)
  }

  /** Of all that was taken. */
  value(): number {
    return this.unitBytes === 0 ? this.sum : this.withUnit(this.unitCrc)
  }

  private addUnits(units: readonly number[], lengthBytes: number): void {
    const partial = lengthBytes % checksumUnitBytes
    const whole = partial === 0 ? units.length : units.length - 1
    for (let i = 0; i < whole; i++) this.sum = this.withUnit(units[i] as number)
    this.unitCrc = partial === 0 ? 0 : (units[whole] as number)
    this.unitBytes = partial
  }

  private addBytes(piece: Uint8Array): void {
    for (let from = 0; from < piece.length;) {
      const part = piece.subarray(from, from + checksumUnitBytes - this.unitBytes)
      this.unitCrc = this.crc(part, this.unitCrc)
      this.unitBytes += part.length
      from += part.length
      if (this.unitBytes < checksumUnitBytes) return
      this.sum = this.withUnit(this.unitCrc)
      this.unitCrc = 0
      this.unitBytes = 0
    }
  }

  private withUnit(unitCrc: number): number {
    putU32(this.unit, 0, unitCrc)
    return this.crc(this.unit, this.sum)
  }
}

/** Of a block that is one record with these checksums. */
export function checksumOfUnits(units: readonly number[], crc: Crc32c): number {
  const bytes = new Uint8Array(units.length * 4)
  for (const [i, unit] of units.entries()) putU32(bytes, i * 4, unit)
  return crc(bytes)
}
