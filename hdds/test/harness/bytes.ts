/** Bytes that tell where they came from: any two blocks, and any two places of one, differ. */
export function patternOf(seed: number, lengthBytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4))
  let state = Math.imul(seed, 2_654_435_761) + 1
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    words[i] = state ^ (state >>> 15)
  }
  return new Uint8Array(words.buffer, 0, lengthBytes)
}

/** Cut into pieces of odd sizes. */
export function piecesOf(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
  return pieces
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
