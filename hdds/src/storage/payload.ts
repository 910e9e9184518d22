/** Reads the payload of a record and proves it against the record's checksums. */

import type { DiskFile } from '@o3/common/env'
import { checksumUnitBytes } from '../api/api.ts'
import type { RecordHeader } from '../core/record.ts'
import { headerBytes } from '../core/record-layout.ts'
import { crc32c } from './checksum.ts'

/** The first unit whose bytes do not match; undefined when all do. `units` starts with unit `firstUnit`. */
export function damagedUnit(units: Uint8Array, header: RecordHeader, firstUnit: number): number | undefined {
  for (let unit = firstUnit, at = 0; at < units.length; unit++, at += checksumUnitBytes) {
    const bytes =
      units.length - at <= checksumUnitBytes && at === 0 ? units : units.subarray(at, at + checksumUnitBytes)
    if (crc32c(bytes) !== header.checksums[unit]) return unit
  }
  return undefined
}

/** The payload in `target`, or undefined when it is cut short or does not verify. */
export async function readPayload(
  file: DiskFile,
  header: RecordHeader,
  target: Uint8Array,
): Promise<Uint8Array | undefined> {
  const payload = target.subarray(0, header.length)
  const read = await file.read(payload, header.fileOffset + headerBytes(header.checksums.length))
  if (read < header.length || damagedUnit(payload, header, 0) !== undefined) return undefined
  return payload
}
