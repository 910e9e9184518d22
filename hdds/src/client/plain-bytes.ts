/**
 * The same bytes as a plain array, as a datanode of this process gives them: what a socket receives is a `Buffer`, whose
 * `slice` is a view where that of every other array is a copy.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
