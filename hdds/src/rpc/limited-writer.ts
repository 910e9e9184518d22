import { StoreError } from '@o3/common/errors'
import type { BlockId } from '@o3/scm/api'
import type { BlockReceipt, BlockWriter, KnownChecksums } from '../api/api.ts'

/** Writes no more than the token allows: the run that would is `AccessDenied`, and the block does not come to be. */
export class LimitedWriter implements BlockWriter {
  readonly block: BlockId
  private readonly inner: BlockWriter
  private readonly maxBytes: number
  private bytes = 0

  constructor(inner: BlockWriter, maxBytes: number) {
    this.block = inner.block
    this.inner = inner
    this.maxBytes = maxBytes
  }

  async write(pieces: readonly Uint8Array[], known?: KnownChecksums): Promise<void> {
    for (const { length } of pieces) this.bytes += length
    if (this.bytes > this.maxBytes) throw longerThanAllowed(this.maxBytes)
    await this.inner.write(pieces, known)
  }

  commit(): Promise<BlockReceipt> {
    return this.inner.commit()
  }

  abort(): Promise<void> {
    return this.inner.abort()
  }
}

export function longerThanAllowed(maxBytes: number): StoreError {
  return new StoreError('AccessDenied', `the block token allows ${maxBytes} bytes`, { details: { maxBytes } })
}
