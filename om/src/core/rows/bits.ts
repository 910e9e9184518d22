/**
 * A set of small numbers as bits: which blocks of a lease were committed, which parts an upload has. Arrays are never
 * written to once they are in a row: a change makes a new one.
 */

/** Bits for the numbers 0 … count−1, all out. */
export function noBits(count: number): Uint8Array {
  return new Uint8Array(Math.ceil(count / 8))
}

export function hasBit(bits: Uint8Array, index: number): boolean {
  return ((bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0
}

/** A copy with `index` in it, grown when need be. */
export function withBit(bits: Uint8Array, index: number): Uint8Array {
  const copy = new Uint8Array(Math.max(bits.length, (index >>> 3) + 1))
  copy.set(bits)
  copy[index >>> 3] = (copy[index >>> 3] as number) | (1 << (index & 7))
  return copy
}

/** The numbers in the set, ascending. */
export function bitsIn(bits: Uint8Array): number[] {
  const found: number[] = []
  for (const [at, byte] of bits.entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) found.push(at * 8 + bit)
  }
  return found
}
