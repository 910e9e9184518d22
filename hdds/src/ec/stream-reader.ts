import { StoreError } from '@o3/common/errors'
import type { StreamBlock, StreamPart } from '../core/ec/stream-blocks.ts'
import { StreamCursor } from '../core/ec/stream-blocks.ts'
import { RunningChecksum } from './running-checksum.ts'
import type { BlockSource } from './block-source.ts'

const readsAtATime = 8

/** The stream of an encoding, front to back, with the checksums of the blocks that have gone by. */
export class StreamReader {
  private readonly source: BlockSource
  private readonly cursor: StreamCursor
  private checksum = new RunningChecksum()
  /** By the place of the block in the list; an empty block has 0. */
  readonly checksums: Uint32Array

  constructor(source: BlockSource, blocks: readonly StreamBlock[]) {
    this.source = source
    this.cursor = new StreamCursor(blocks)
    this.checksums = new Uint32Array(blocks.length)
  }

  /** Fills `target` with the next bytes of the stream. The errors of the source; `Damaged` for what is not what was listed. */
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
      for (const [{ block, blockOffset }, place] of queue) await this.source.copy(block.local, blockOffset, place)
    }
    // All are waited for: nobody may still write into the stripe when this has failed.
    const readers = await Promise.allSettled(Array.from({ length: readsAtATime }, readSome))
    for (const reader of readers) if (reader.status === 'rejected') throw reader.reason
    for (const [part, bytes] of places) this.account(part, bytes)
  }

  private account({ blockAt, block, blockOffset, lengthBytes }: StreamPart, bytes: Uint8Array): void {
    this.checksum.add(bytes)
    if (blockOffset + lengthBytes < block.lengthBytes) return
    const checksum = this.checksum.finish()
    this.checksums[blockAt] = checksum
    this.checksum = new RunningChecksum()
    if (block.checksum === undefined || block.checksum === checksum) return
    throw new StoreError('Damaged', 'a block does not match its checksum, and is not encoded', {
      details: { local: block.local },
    })
  }
}
