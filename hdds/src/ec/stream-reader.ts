import type { StreamBlock, StreamPart } from '../core/ec/stream-blocks.ts'
import { StreamCursor } from '../core/ec/stream-blocks.ts'
import { BlockChecksum } from './block-checksum.ts'
import type { BlockSource } from './block-source.ts'

const readsAtATime = 8

/** The stream of an encoding, front to back, with the checksums of the blocks that have gone by. */
export class StreamReader {
  private readonly source: BlockSource
  private readonly cursor: StreamCursor
  private readonly blocks: readonly StreamBlock[]
  private checksum = new BlockChecksum()
  /** By the place of the block in the list; an empty block has 0. */
  readonly checksums: Uint32Array

  constructor(source: BlockSource, blocks: readonly StreamBlock[]) {
    this.source = source
    this.blocks = blocks
    this.cursor = new StreamCursor(blocks)
    this.checksums = new Uint32Array(blocks.length)
  }

  /** Fills `target` with the next bytes of the stream. */
  async fill(target: Uint8Array): Promise<void> {
    const parts = this.cursor.take(target.length)
    const places = new Map<StreamPart, Uint8Array>()
    let at = 0
    for (const part of parts) {
      places.set(part, target.subarray(at, at + part.lengthBytes))
      at += part.lengthBytes
    }
    const queue = places.entries()
    const readSome = async (): Promise<void> => {
      for (const [{ block, blockOffset, lengthBytes }, place] of queue) {
        place.set(await this.source.read(block.local, { offset: blockOffset, length: lengthBytes }))
      }
    }
    // All are waited for: nobody may still write into the stripe when this has failed.
    const readers = await Promise.allSettled(Array.from({ length: readsAtATime }, readSome))
    for (const reader of readers) if (reader.status === 'rejected') throw reader.reason
    for (const [part, bytes] of places) this.account(part, bytes)
  }

  private account({ blockAt, blockOffset, lengthBytes }: StreamPart, bytes: Uint8Array): void {
    this.checksum.add(bytes)
    if (blockOffset + lengthBytes < (this.blocks[blockAt] as StreamBlock).lengthBytes) return
    this.checksums[blockAt] = this.checksum.finish()
    this.checksum = new BlockChecksum()
  }
}
