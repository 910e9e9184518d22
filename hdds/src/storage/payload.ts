/** Reads the payload of a record and proves it against the record's checksums. */

import type { DiskFile } from '@o3/common/env'
import type { RecordHeader } from '../core/record.ts'
import { headerBytes } from '../core/record-layout.ts'
import { firstDamagedUnit } from './checksum.ts'

/** The payload in `target`, or undefined when it is cut short or does not verify. */
export async function readPayload(
  file: DiskFile,
  header: RecordHeader,
  target: Uint8Array,
): Promise<Uint8Array | undefined> {
  const payload = target.subarray(0, header.length)
  const read = await file.read(payload, header.fileOffset + headerBytes(header.checksums.length))
  if (read < header.length || firstDamagedUnit(payload, header.checksums, 0) !== undefined) return undefined
  return payload
}
