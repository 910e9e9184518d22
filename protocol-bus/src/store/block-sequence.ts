/**
 * One long body as a row of blocks. While a block is being made durable the next one is written; not more than one is
 * waited for, so that a body never has more than two blocks open.
 *
 * A block whose container does not take it any more (a pipeline that loses its majority in the middle) is written again to
 * another container, as far as its bytes are still here: all of them where there was memory to keep them, and in any case
 * those that the caller is just handing over. The blocks before it stay where they are.
 */

import type { BlockReceipt, BlockStore, BlockWriter } from '@o3/hdds/api'
import type { Extent, LeaseId, NewContent } from '@o3/om/api'
import type { LeasedBlock, LeaseHolder } from './lease-holder.ts'
import { isOfContainer, placeBlock, withoutDoubt } from './place-block.ts'
import { KeptBytes } from './replay-memory.ts'
import type { ReplayMemory } from './replay-memory.ts'

export interface BlockSequenceOptions {
  readonly blocks: BlockStore
  readonly leases: LeaseHolder
  readonly blockBytes: number
  /** For the bytes of blocks that are not durable yet. Default: they are not kept. */
  readonly replay?: ReplayMemory | undefined
}

/** It has its place among the others before it is durable, and gets the proofs of that, or another container, then. */
interface WrittenBlock {
  leased: LeasedBlock
  readonly length: number
  proofs: BlockReceipt['proofs']
}

interface Failure {
  readonly error: unknown
}

/** A block that was written to its end. Where it lies, and the proofs of it, are known when it is durable. */
interface WrittenBlock {
  leased: LeasedBlock
  readonly length: number
  proofs: BlockReceipt['proofs']
}

interface OpenBlock {
  readonly leased: LeasedBlock
  readonly writer: BlockWriter
  readonly kept: KeptBytes
  length: number
}

export class BlockSequence {
  private readonly options: BlockSequenceOptions
  /** All that were drawn, also those that were given up. */
  private readonly leased: LeasedBlock[] = []
  /** Written to their end, in the order of their bytes. */
  private readonly written: WrittenBlock[] = []
  private current: OpenBlock | undefined
  private committing: Promise<Failure | undefined> = Promise.resolve(undefined)

  constructor(options: BlockSequenceOptions) {
    this.options = options
  }

  /** The next bytes; they may change once it has settled. One call at a time. */
  async write(bytes: Uint8Array): Promise<void> {
    const { blockBytes } = this.options
    for (let at = 0; at < bytes.length;) {
      const length = this.current?.length ?? 0
      const count = Math.min(bytes.length - at, blockBytes - length)
      const open = await this.append(count === bytes.length ? bytes : bytes.subarray(at, at + count))
      at += count
      if (open.length === blockBytes) await this.closeBlock(open)
    }
  }

  /** Durable when it resolves, all of it. */
  async finish(): Promise<NewContent> {
    if (this.current !== undefined) await this.closeBlock(this.current)
    await this.committed()
    const pieces: { readonly lease: LeaseId; readonly extents: Extent[] }[] = []
    for (const { leased, length, proofs } of this.written) {
      const extent: Extent = { block: leased.block, length, ...(proofs === undefined ? {} : { proofs }) }
      const last = pieces.at(-1)
      if (last?.lease === leased.lease) last.extents.push(extent)
      else pieces.push({ lease: leased.lease, extents: [extent] })
    }
    const [first, ...others] = pieces
    if (first === undefined) return { kind: 'inline', bytes: new Uint8Array(0) }
    if (others.length === 0) return { kind: 'leased', lease: first.lease, extents: first.extents }
    return { kind: 'leased-many', pieces }
  }

  /** Instead of `finish`, or after it failed: what was written is garbage. Never rejects. */
  async abort(): Promise<void> {
    await this.committing
    const { current } = this
    this.current = undefined
    if (current !== undefined) await giveUp(current)
    this.release()
  }

  /** The leases are no longer held open: after the commit of the key, or instead of it. */
  release(): void {
    for (const block of this.leased) block.finish()
  }

  /** The block that they are in now. */
  private async append(bytes: Uint8Array): Promise<OpenBlock> {
    const open = (this.current ??= await this.open())
    try {
      await open.writer.write([bytes])
    } catch (error) {
      this.current = undefined
      this.current = await this.writeElsewhere(open, error, async (writer) => {
        await writeAll(writer, [...open.kept.pieces, bytes])
        return writer
      })
    }
    this.current.kept.add(bytes)
    this.current.length += bytes.length
    return this.current
  }

  private async open(): Promise<OpenBlock> {
    const { blocks, leases, replay } = this.options
    const { leased, result: writer } = await placeBlock(leases, ({ block, access }) => blocks.openWriter(block, access))
    this.leased.push(leased)
    return { leased, writer, length: 0, kept: new KeptBytes(replay) }
  }

  private async closeBlock(open: OpenBlock): Promise<void> {
    await this.committed()
    this.current = undefined
    this.committing = this.commit(open)
  }

  private async commit(open: OpenBlock): Promise<Failure | undefined> {
    const { leased, length } = open
    const written: WrittenBlock = { leased, length, proofs: undefined }
    this.written.push(written)
    try {
      written.proofs = (await open.writer.commit()).proofs
      return undefined
    } catch (error) {
      return await this.commitElsewhere(open, error, written)
    } finally {
      open.kept.release()
    }
  }

  /** Nobody waits for it yet: its failure is a value. */
  private async commitElsewhere(
    open: OpenBlock,
    failure: unknown,
    written: WrittenBlock,
  ): Promise<Failure | undefined> {
    try {
      const moved = await this.writeElsewhere(open, failure, async (writer) => {
        await writeAll(writer, open.kept.pieces)
        written.proofs = (await writer.commit()).proofs
        return writer
      })
      written.leased = moved.leased
      return undefined
    } catch (error) {
      return { error }
    }
  }

  /** The block that has failed, in another container. Rejects with its failure when its bytes are not here any more. */
  private async writeElsewhere(
    open: OpenBlock,
    failure: unknown,
    write: (writer: BlockWriter) => Promise<BlockWriter>,
  ): Promise<OpenBlock> {
    const { blocks, leases } = this.options
    const { kept, leased: lost, length } = open
    const isMovable = isOfContainer(failure) && (length === 0 || kept.isWhole)
    if (!isMovable) {
      await giveUp(open)
      throw withoutDoubt(failure)
    }
    await endWriter(open.writer)
    lost.finish()
    leases.avoid(lost.block.container, failure)
    try {
      const { leased, result } = await placeBlock(leases, async ({ block, access }) => {
        const writer = await blocks.openWriter(block, access)
        try {
          return await write(writer)
        } catch (error) {
          await endWriter(writer)
          throw error
        }
      })
      this.leased.push(leased)
      return { leased, writer: result, kept, length }
    } catch (error) {
      kept.release()
      throw error
    }
  }

  private async committed(): Promise<void> {
    const failure = await this.committing
    if (failure !== undefined) throw failure.error
  }
}

async function writeAll(writer: BlockWriter, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await writer.write([piece])
}

async function giveUp({ writer, kept }: OpenBlock): Promise<void> {
  kept.release()
  await endWriter(writer)
}

/** A writer that cannot even be aborted leaves what a crash would leave: bytes that no key names. */
async function endWriter(writer: BlockWriter): Promise<void> {
  await writer.abort().catch(() => undefined)
}
