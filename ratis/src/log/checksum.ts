import { crc32c } from '@node-rs/crc32'

export { crc32c }

/**
 * The state from which the checksums of one segment start: every checksum in a segment also covers the log's identity
 * and the segment's number. A record of another log, or one that was written for another segment (a misdirected write,
 * a file copied back by hand), therefore never verifies, without a byte of it being stored.
 */
export function segmentSeed(groupId: string, sequence: number): number {
  const identity = new Uint8Array(24)
  identity.set(groupIdBytes(groupId))
  new DataView(identity.buffer).setBigUint64(16, BigInt(sequence), true)
  return crc32c(identity)
}

/** A group id is 32 hex digits in memory, 16 bytes on disk. */
export function groupIdBytes(groupId: string): Uint8Array {
  return Buffer.from(groupId, 'hex')
}

export function groupIdText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
