import { checksumUnitBytes } from '../api/api.ts'
import { crc32c } from '../storage/checksum.ts'

/**
 * The checksum of a block from its bytes, front to back: CRC32C over the CRC32Cs of its units of 64 KiB, little-endian. Units
 * count from the start of the block, wherever its chunks were cut.
 */
export class RunningChecksum {
  private readonly word = new Uint8Array(4)
  private readonly view = new DataView(this.word.buffer)
  private ofUnits = 0
  private unit = 0
  private room = checksumUnitBytes

  add(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const part = bytes.subarray(from, from + this.room)
      this.unit = crc32c(part, this.unit)
      this.room -= part.length
      from += part.length
      if (this.room === 0) this.endUnit()
    }
  }

  /** Of what was added. Nothing may be added afterwards. */
  finish(): number {
    if (this.room < checksumUnitBytes) this.endUnit()
    return this.ofUnits
  }

  private endUnit(): void {
    this.view.setUint32(0, this.unit, true)
    this.ofUnits = crc32c(this.word, this.ofUnits)
    this.unit = 0
    this.room = checksumUnitBytes
  }
}

export function blockChecksum(bytes: Uint8Array): number {
  const checksum = new RunningChecksum()
  checksum.add(bytes)
  return checksum.finish()
}
