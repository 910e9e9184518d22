/**
 * One long body as a row of blocks. While a block is being made durable the next one is written; not more than one is
 * waited for, so that a body never has more than two blocks open.
 */

import type { BlockStore, BlockWriter } from '@o3/hdds/api'
import type { Extent, LeaseId, NewContent } from '@o3/om/api'
import type { LeasedBlock, LeaseHolder } from './lease-holder.ts'
import { placeBlock } from './place-block.ts'

/** An extent stands in its place before its block is durable, and gets the proofs of that then. */
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface Failure {
  readonly error: unknown
}

export class BlockSequence {
  private readonly blocks: BlockStore
  private readonly leases: LeaseHolder
  private readonly blockBytes: number
  private readonly leased: LeasedBlock[] = []
  private readonly pieces: { readonly lease: LeaseId; readonly extents: Extent[] }[] = []
  private writer: BlockWriter | undefined
  private length = 0
  private committing: Promise<Failure | undefined> = Promise.resolve(undefined)

  constructor(blocks: BlockStore, leases: LeaseHolder, blockBytes: number) {
    this.blocks = blocks
    this.leases = leases
    this.blockBytes = blockBytes
  }

  /** The next bytes; they may change once it has settled. One call at a time. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const writer = this.writer ?? (await this.open())
      const count = Math.min(bytes.length - at, this.blockBytes - this.length)
      await writer.write([count === bytes.length ? bytes : bytes.subarray(at, at + count)])
      this.length += count
      at += count
      if (this.length === this.blockBytes) await this.closeBlock(writer)
    }
  }

  /** Durable when it resolves, all of it. */
  async finish(): Promise<NewContent> {
    if (this.writer !== undefined) await this.closeBlock(this.writer)
    await this.committed()
    const [first, ...others] = this.pieces
    if (first === undefined) return { kind: 'inline', bytes: new Uint8Array(0) }
    if (others.length === 0) return { kind: 'leased', lease: first.lease, extents: first.extents }
    return { kind: 'leased-many', pieces: this.pieces }
  }

  /** Instead of `finish`, or after it failed: what was written is garbage. Never rejects. */
  async abort(): Promise<void> {
    await this.committing
    // A writer that cannot even be aborted leaves what a crash would leave: bytes that no key names.
    await this.writer?.abort().catch(() => undefined)
    this.release()
  }

  /** The leases are no longer held open: after the commit of the key, or instead of it. */
  release(): void {
    for (const block of this.leased) block.finish()
  }

  private async open(): Promise<BlockWriter> {
    const { leased, result: writer } = await placeBlock(this.leases, ({ block, access }) =>
      this.blocks.openWriter(block, access),
    )
    this.leased.push(leased)
    this.length = 0
    this.writer = writer
    return writer
  }

  private async closeBlock(writer: BlockWriter): Promise<void> {
    await this.committed()
    const { block, lease } = this.leased.at(-1) as LeasedBlock
    const extent: Mutable<Extent> = { block, length: this.length }
    this.committing = writer.commit().then(
      ({ proofs }) => {
        if (proofs !== undefined) extent.proofs = proofs
        return undefined
      },
      (error: unknown) => ({ error }),
    )
    this.writer = undefined
    const last = this.pieces.at(-1)
    if (last?.lease === lease) last.extents.push(extent)
    else this.pieces.push({ lease, extents: [extent] })
  }

  private async committed(): Promise<void> {
    const failure = await this.committing
    if (failure !== undefined) throw failure.error
  }
}
