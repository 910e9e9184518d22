/**
 * The payload of a commit record: the checksum of its block. It is there although the data records have checksums of
 * their units, because those need not be the block's (see `BlockChecksum`). Header, checksum and these four bytes fill the
 * 64 that the record takes anyway. Releases before wrote none.
 */

import { getU32, putU32 } from './little-endian.ts'

const payloadBytes = 4

/** | u32 checksum |. */
export function commitPayload(checksum: number): Uint8Array {
  const payload = new Uint8Array(payloadBytes)
  putU32(payload, 0, checksum)
  return payload
}

/** Undefined for one of an earlier release. */
export function checksumOfCommit(payload: Uint8Array): number | undefined {
  return payload.length === payloadBytes ? getU32(payload, 0) : undefined
}
