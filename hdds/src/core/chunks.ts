import { maxChunkBytes } from '../api/api.ts'

/** Pieces of at most a chunk together, views of the given ones. */
export function chunksOf(pieces: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  let total = 0
  for (const piece of pieces) total += piece.length
  if (total === 0) return []
  if (total <= maxChunkBytes) return [pieces]
  const chunks: Uint8Array[][] = []
  let chunk: Uint8Array[] = []
  let room = maxChunkBytes
  for (const piece of pieces) {
    for (let from = 0; from < piece.length;) {
      const part = piece.subarray(from, from + room)
      chunk.push(part)
      from += part.length
      room -= part.length
      if (room > 0) continue
      chunks.push(chunk)
      chunk = []
      room = maxChunkBytes
    }
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}
