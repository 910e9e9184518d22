import { prefixSizeBytes, writePrefix } from '../../src/rpc/frame.ts'
import type { OutgoingFrame } from '../../src/rpc/frame.ts'

/** A frame as it goes over the wire. */
export function frameBytes(frame: OutgoingFrame): Uint8Array {
  const header = Buffer.concat(frame.header ?? [])
  const prefix = new Uint8Array(prefixSizeBytes)
  writePrefix(prefix, 0, frame, header.length)
  return Uint8Array.from(Buffer.concat([prefix, header, frame.body ?? new Uint8Array(0)]))
}
