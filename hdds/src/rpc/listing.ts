/** Long lists as the body of a reply: they are sent as they are encoded, and no frame holds all of one. */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { ItemCodec } from './records.ts'

/** What fits into one frame with its reply. */
const pageBytes = 48 * 1024
const itemsBetweenLooks = 64
/** A container of five million blocks takes less. Beyond it the answer is refused: nobody holds such a list by mistake. */
const maxListingBytes = 64 * 1024 * 1024

/** Pages of whole items; none for an empty list. */
export function* pagesOf<T>(codec: ItemCodec<T>, items: readonly T[]): Generator<Uint8Array> {
  let writer = new ByteWriter(1024)
  for (const [at, item] of items.entries()) {
    codec.write(writer, item)
    if (at % itemsBetweenLooks !== itemsBetweenLooks - 1) continue
    if (writer.finish().length < pageBytes) continue
    yield writer.finish()
    writer = new ByteWriter(pageBytes + 16 * 1024)
  }
  const last = writer.finish()
  if (last.length > 0) yield last
}

/** Every item of a body. Throws what the body rejects with, `TooLarge`, and a `StoreError` for what cannot be read. */
export async function readListing<T>(codec: ItemCodec<T>, body: AsyncIterable<Uint8Array>): Promise<readonly T[]> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    length += piece.length
    if (length > maxListingBytes) throw new StoreError('TooLarge', 'the list is too long for one answer')
    pieces.push(piece)
  }
  const reader = new ByteReader(Buffer.concat(pieces, length))
  const items: T[] = []
  while (reader.remaining > 0) items.push(codec.read(reader))
  return items
}
