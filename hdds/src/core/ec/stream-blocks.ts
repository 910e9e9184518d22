/** Which part of which block lies where in the stream of an encoding. */

import type { LocalId } from '@o3/scm/api'
import { maxChunkBytes } from '../../api/api.ts'
import type { LocalRun } from '../tombstone.ts'

export interface StreamBlock {
  readonly local: LocalId
  /** In the stream. */
  readonly offset: number
  readonly lengthBytes: number
  /** What its bytes must have, where that is known. */
  readonly checksum?: number | undefined
}

/** At most a MiB of one block. */
export interface StreamPart {
  /** In the list of blocks. */
  readonly blockAt: number
  readonly block: StreamBlock
  /** In the block. */
  readonly blockOffset: number
  readonly lengthBytes: number
}

/** The blocks in the order of their ids, side by side, without those that are left out. */
export function streamBlocks(
  listed: readonly Omit<StreamBlock, 'offset'>[],
  leaveOut: readonly LocalRun[] = [],
): readonly StreamBlock[] {
  const runs = leaveOut.toSorted((a, b) => a.first - b.first)
  const blocks: StreamBlock[] = []
  let run = 0
  let offset = 0
  for (const { local, lengthBytes, checksum } of listed.toSorted((a, b) => a.local - b.local)) {
    while (run < runs.length && endOf(runs[run] as LocalRun) <= local) run++
    if (run < runs.length && (runs[run] as LocalRun).first <= local) continue
    blocks.push({ local, offset, lengthBytes, checksum })
    offset += lengthBytes
  }
  return blocks
}

export function totalBytes(blocks: readonly StreamBlock[]): number {
  const last = blocks.at(-1)
  return last === undefined ? 0 : last.offset + last.lengthBytes
}

function endOf({ first, count }: LocalRun): number {
  return first + count
}

/** Walks over the stream front to back. */
export class StreamCursor {
  private readonly blocks: readonly StreamBlock[]
  private blockAt = 0
  private position = 0

  constructor(blocks: readonly StreamBlock[]) {
    this.blocks = blocks
  }

  /** What the next so many bytes consist of. Empty blocks have no parts. */
  take(lengthBytes: number): StreamPart[] {
    const parts: StreamPart[] = []
    const end = this.position + lengthBytes
    while (this.position < end) {
      const block = this.blocks[this.blockAt] as StreamBlock
      const blockOffset = this.position - block.offset
      const left = block.lengthBytes - blockOffset
      if (left === 0) {
        this.blockAt++
        continue
      }
      const length = Math.min(left, end - this.position, maxChunkBytes)
      parts.push({ blockAt: this.blockAt, block, blockOffset, lengthBytes: length })
      this.position += length
    }
    return parts
  }
}
