/** Bytes that follow from a number: no two contents are alike, and nobody has to keep them. */
export function contentOf(number: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes)
  let state = (number * 2_654_435_761 + 1) >>> 0
  for (let at = 0; at < lengthBytes; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state
  }
  return bytes
}

/** Where they begin to differ; undefined where they do not. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  if (Buffer.compare(a, b) === 0) return undefined
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return at
  return length
}
