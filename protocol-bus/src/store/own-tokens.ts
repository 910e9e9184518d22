import { StoreError, isStoreError } from '@o3/common/errors'
import type { BlockAccess, BlockReceipt, BlockStore, BlockWriter, ReadRange } from '@o3/hdds/api'
import type { BlockId } from '@o3/scm/api'

/**
 * Blocks in other processes, for callers who know nothing of tokens. When a datanode does not accept ours (clocks are apart,
 * a key is over), the caller has done nothing wrong: for it the blocks are `Unavailable`, and its next attempt has new tokens.
 */
export class OwnTokens implements BlockStore {
  private readonly blocks: BlockStore

  constructor(blocks: BlockStore) {
    this.blocks = blocks
  }

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: BlockAccess): Promise<BlockReceipt> {
    return ours(this.blocks.writeBlock(block, pieces, access))
  }

  async openWriter(block: BlockId, access?: BlockAccess): Promise<BlockWriter> {
    return ours(this.blocks.openWriter(block, access))
  }

  async *read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncGenerator<Uint8Array, undefined> {
    try {
      for await (const piece of this.blocks.read(block, range, access)) yield piece
    } catch (error) {
      throw blamingUs(error)
    }
  }

  async readSmall(block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array> {
    return ours(this.blocks.readSmall(block, range, access))
  }
}

async function ours<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw blamingUs(error)
  }
}

function blamingUs(error: unknown): unknown {
  if (!isStoreError(error, 'AccessDenied')) return error
  return new StoreError('Unavailable', 'a datanode does not accept the block token', { cause: error })
}
