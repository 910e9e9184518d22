/**
 * Many blocks in one stream, for whoever copies a replica:
 *
 *    0  u8   kind: 1 = a block, 2 = it is not there, 3 = it does not verify
 *    1  u32  local id
 *    5  u64  length; 0 where there is no block
 *   13  u32  checksum (`BlockChecksum`)
 *   17  …    the bytes
 *
 * All little-endian. The checksum is the one of the index; the reader of the stream proves the bytes against what the list
 * of the replica said, so that neither the wire nor the other machine's memory can change a block on its way.
 */

import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import { getU32, getU64, putU32, putU64 } from '../core/little-endian.ts'

export const frameHeadBytes = 17

// The order is sent: append, never reorder.
const kinds = ['block', 'absent', 'damaged'] as const

export interface BlockFrame {
  readonly kind: (typeof kinds)[number]
  readonly local: LocalId
  readonly lengthBytes: number
  readonly checksum: number
}

export function encodeFrameHead({ kind, local, lengthBytes, checksum }: BlockFrame): Uint8Array {
  const head = new Uint8Array(frameHeadBytes)
  head[0] = kinds.indexOf(kind) + 1
  putU32(head, 1, local)
  putU64(head, 5, lengthBytes)
  putU32(head, 13, checksum)
  return head
}

/** `Incompatible` for a kind that this release does not know. */
export function decodeFrameHead(head: Uint8Array): BlockFrame {
  const kind = kinds[(head[0] as number) - 1]
  if (kind === undefined) throw new StoreError('Incompatible', 'a frame of an unknown kind')
  return { kind, local: getU32(head, 1), lengthBytes: getU64(head, 5), checksum: getU32(head, 13) }
}
