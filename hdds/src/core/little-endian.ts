/** Fixed-width little-endian numbers inside a byte array that the caller has sized. */

export function putU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value & 0xff
  target[at + 1] = (value >>> 8) & 0xff
  target[at + 2] = (value >>> 16) & 0xff
  target[at + 3] = value >>> 24
}

export function getU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)) +
    (bytes[at + 3] as number) * 0x100_0000
  )
}

/** At most 2^53 − 1. */
export function putU64(target: Uint8Array, at: number, value: number): void {
  putU32(target, at, value % 0x1_0000_0000)
  putU32(target, at + 4, Math.floor(value / 0x1_0000_0000))
}

/** What is too large for a number comes back inexact: the caller's checksum has ruled that out. */
export function getU64(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) + getU32(bytes, at + 4) * 0x1_0000_0000
}
