/**
 * Bytes of a write are checked when they arrive. TCP's own checksum lets about one damaged segment in 65,536 pass, and
 * between the caller's memory and the wire there is none: a caller that gave up may have used its memory again while the
 * last bytes were still leaving.
 */

import { StoreError } from '@o3/common/errors'
import { crc32c, unitChecksums, wholeChecksum } from '../storage/checksum.ts'

/** CRC32C of the pieces as one. */
export function checksumOf(pieces: readonly Uint8Array[]): number {
  let crc = 0
  for (const piece of pieces) crc = crc32c(piece, crc)
  return crc
}

/** `Unavailable`: nothing was stored, and nobody who asked for it made a mistake; it may be sent again. */
export function assertArrived(pieces: readonly Uint8Array[], checksum: number): void {
  if (checksumOf(pieces) !== checksum) throw notAsSent()
}

/** The same, with the checksums that the container wants: the bytes are read once for both. */
export function unitsArrived(pieces: readonly Uint8Array[], lengthBytes: number, checksum: number): readonly number[] {
  const units = unitChecksums(pieces)
  if (wholeChecksum(units, lengthBytes) !== checksum) throw notAsSent()
  return units
}

function notAsSent(): StoreError {
  return new StoreError('Unavailable', 'the bytes that arrived are not those that were sent')
}
