/**
 * Bytes of a body to where they will lie: in the commit itself (up to 4 KiB: one durable write in all), in one message to
 * the block store (up to a chunk), or as a stream of chunks into a row of blocks. No path holds more than two chunks of a
 * body, and one that waits for its sender gives up what it holds when others need it. Nothing is visible, and nothing is
 * kept, before the caller commits the content to a name.
 */

import type { ChunkPool } from '@o3/common/digest/chunks'
import { digestOf } from '@o3/common/digest/node'
import type { DigestPool } from '@o3/common/digest/pool'
import { StoreError, assert } from '@o3/common/errors'
import { maxChunkBytes } from '@o3/hdds/api'
import type { BlockReceipt, BlockStore } from '@o3/hdds/api'
import { inlineLimitBytes } from '@o3/om/api'
import type { NewContent } from '@o3/om/api'
import type { ByteSource, DigestAlgorithm, Digests, ReplicationConfig } from '../api/api.ts'
import { assertGrant } from '../core/authorize.ts'
import type { Grant } from '../core/authorize.ts'
import { BlockSequence } from './block-sequence.ts'
import { ChunkPipeline } from './chunk-pipeline.ts'
import type { LeaseHolder } from './lease-holder.ts'
import { onePiece, PieceReader } from './piece-reader.ts'
import { placeBlock } from './place-block.ts'
import type { Placed } from './place-block.ts'
import { ReplayMemory } from './replay-memory.ts'
import { refuseAborted } from './refused.ts'
import type { MaybePromise } from './settled.ts'

export interface BodyOptions {
  readonly size?: number
  readonly digests: readonly DigestAlgorithm[]
  readonly signal?: AbortSignal
}

interface LeasedBody extends BodyOptions {
  readonly leases: LeaseHolder
}

/** Durable bytes that no key names yet. */
export interface WrittenBody {
  readonly content: NewContent
  readonly size: number
  readonly digests: Digests
  /** Once the content was committed, or will not be. */
  release(): void
}

export interface BodyWriterOptions {
  readonly blocks: BlockStore
  /** Where blocks come from, for each way of replicating them. */
  readonly leases: (replication: ReplicationConfig) => LeaseHolder
  readonly chunks: ChunkPool
  readonly digests: DigestPool
  /** A multiple of the chunk length. */
  readonly blockBytes: number
  /** Of blocks with several replicas; they are kept in memory until they are durable. Default: as `blockBytes`. */
  readonly replicatedBlockBytes?: number
  /** For those bytes, of all bodies together. Default: none are kept. */
  readonly replayBytes?: number
  /** `TooLarge` beyond it. */
  readonly maxBodyBytes: number
}

/** Until so much has come a sender holds none of the shared memory; also the shortest piece of a block that it makes. */
const gatherBytes = 64 * 1024

export class BodyWriter {
  private readonly options: BodyWriterOptions
  private readonly replay: ReplayMemory

  /** Below it a body that is all there is hashed on the loop and written in one message. */
  private readonly smallBytes: number

  constructor(options: BodyWriterOptions) {
    this.options = options
    this.smallBytes = Math.min(options.digests.inlineThresholdBytes, maxChunkBytes)
    this.replay = new ReplayMemory({
      maxBytes: options.replayBytes ?? 0,
      sliceBytes: options.chunks.chunkSizeBytes,
    })
  }

  /**
   * `IncompleteBody` when it is not of the promised size, `TooLarge`, `Aborted`, what the body rejects with, and what the
   * block store refuses with; nothing is left then but garbage that the lease's end collects.
   */
  write(grant: Grant<'key:write'>, body: ByteSource, options: BodyOptions): MaybePromise<WrittenBody> {
    assertGrant(grant, 'key:write')
    refuseAborted(options.signal)
    const { replication } = grant
    assert(replication !== undefined, 'a key is written into a bucket')
    const leases = this.options.leases(replication)
    if (!(body instanceof Uint8Array)) return this.writeStream(body, leases, options)
    checkSize(body.length, options.size)
    if (body.length <= inlineLimitBytes) return inlineBody(body, options.digests)
    if (body.length < this.smallBytes) return this.writeSmall(body, leases, options.digests)
    return this.writeStream(onePiece(body), leases, { ...options, size: body.length })
  }

  private async writeSmall(
    body: Uint8Array,
    leases: LeaseHolder,
    algorithms: readonly DigestAlgorithm[],
  ): Promise<WrittenBody> {
    const { blocks } = this.options
    const writing = placeBlock(leases, ({ block, access }) => blocks.writeBlock(block, [body], access))
    // The hashes are computed while the bytes are on their way.
    const digests = digestsOf(body, algorithms)
    return oneBlockBody(await writing, body.length, digests)
  }

  private async writeStream(
    source: AsyncIterable<Uint8Array>,
    leases: LeaseHolder,
    options: BodyOptions,
  ): Promise<WrittenBody> {
    const { size, signal } = options
    const hash = this.options.digests.open(options.digests, size === undefined ? {} : { sizeBytes: size })
    const pieces = new PieceReader(source, signal)
    const chunks = new ChunkPipeline(this.options.chunks, hash, signal)
    try {
      const length = await this.fillNext(chunks, pieces)
      if (await pieces.atEnd(this.options.chunks)) return await this.writeWhole(chunks, length, { ...options, leases })
      return await this.writeLong(chunks, pieces, { ...options, leases, first: length })
    } finally {
      pieces.close()
      await chunks.close()
    }
  }

  /** The body ended within the first chunk. */
  private async writeWhole(chunks: ChunkPipeline, length: number, options: LeasedBody): Promise<WrittenBody> {
    checkSize(length, options.size)
    if (length <= inlineLimitBytes) {
      // A copy: the chunk goes back to the pool, and these bytes into OM's cache.
      const chunk = await chunks.take()
      return inlineBody(chunk.slice(0, length), options.digests)
    }
    const { blocks } = this.options
    const { leases } = options
    let placed: Placed<BlockReceipt> | undefined
    try {
      await chunks.submit(length, async (bytes) => {
        placed = await placeBlock(leases, ({ block, access }) => blocks.writeBlock(block, [bytes], access))
      })
      const digests = await chunks.finish()
      return oneBlockBody(placed as Placed<BlockReceipt>, length, digests)
    } catch (error) {
      placed?.leased.finish()
      throw error
    }
  }

  private async fillNext(chunks: ChunkPipeline, pieces: PieceReader): Promise<number> {
    await pieces.gather(Math.min(gatherBytes, this.options.chunks.chunkSizeBytes))
    return pieces.fill(await chunks.take(), this.options.chunks)
  }

  private async writeLong(
    chunks: ChunkPipeline,
    pieces: PieceReader,
    options: LeasedBody & { readonly first: number },
  ): Promise<WrittenBody> {
    const sequence = this.openSequence(options.leases)
    const write = (bytes: Uint8Array): Promise<void> => sequence.write(bytes)
    try {
      let size = options.first
      this.checkLimits(size, options.size)
      await chunks.submit(size, write)
      while (!pieces.isAtEnd) {
        const length = await this.fillNext(chunks, pieces)
        size += length
        this.checkLimits(size, options.size)
        await chunks.submit(length, write)
      }
      checkSize(size, options.size)
      const digests = await chunks.finish()
      return { content: await sequence.finish(), size, digests, release: () => sequence.release() }
    } catch (error) {
      await chunks.close()
      await sequence.abort()
      throw error
    }
  }

  private openSequence(leases: LeaseHolder): BlockSequence {
    const { blocks, blockBytes, replicatedBlockBytes = blockBytes } = this.options
    // One replica is its own majority: where it is lost, no other was promised, and the copy would be for nothing.
    if (leases.replication === 'RATIS/ONE') return new BlockSequence({ blocks, leases, blockBytes })
    return new BlockSequence({ blocks, leases, blockBytes: replicatedBlockBytes, replay: this.replay })
  }

  private checkLimits(size: number, promised: number | undefined): void {
    const { maxBodyBytes } = this.options
    if (size > maxBodyBytes) {
      throw new StoreError('TooLarge', 'the body is larger than a key can be', { details: { maxBodyBytes } })
    }
    if (promised !== undefined && size > promised) checkSize(size, promised)
  }
}

function oneBlockBody({ leased, result }: Placed<BlockReceipt>, length: number, digests: Digests): WrittenBody {
  const { block, lease } = leased
  const proofs = result.proofs === undefined ? {} : { proofs: result.proofs }
  return {
    content: { kind: 'leased', lease, extents: [{ block, length, ...proofs }] },
    size: length,
    digests,
    release: () => leased.finish(),
  }
}

function checkSize(size: number, promised: number | undefined): void {
  if (promised === undefined || size === promised) return
  throw new StoreError('IncompleteBody', 'the body has not the promised size', { details: { size, promised } })
}

function inlineBody(bytes: Uint8Array, algorithms: readonly DigestAlgorithm[]): WrittenBody {
  return {
    content: { kind: 'inline', bytes },
    size: bytes.length,
    digests: digestsOf(bytes, algorithms),
    release: nothing,
  }
}

function nothing(): void {}

function digestsOf(bytes: Uint8Array, algorithms: readonly DigestAlgorithm[]): Digests {
  const digests: { -readonly [A in keyof Digests]: Digests[A] } = {}
  for (const algorithm of algorithms) digests[algorithm] = digestOf(algorithm, bytes)
  return digests
}
