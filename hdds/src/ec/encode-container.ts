/** The command `encode-container`: a closed container becomes shards. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { ContainerId, EcLayout, EcPolicy, LocalId, ReplicaLocation } from '@o3/scm/api'
import { DirectoryBuilder } from '../core/ec/directory.ts'
import type { Directory } from '../core/ec/directory.ts'
import { shapeOf, shardCount } from '../core/ec/ec-shape.ts'
import { sameEncoding, streamOf } from '../core/ec/shard-descriptor.ts'
import type { EncodingDescriptor } from '../core/ec/shard-descriptor.ts'
import { cellLocal } from '../core/ec/shard-locals.ts'
import { streamBlocks, totalBytes } from '../core/ec/stream-blocks.ts'
import type { StreamBlock } from '../core/ec/stream-blocks.ts'
import { storedCellBytes, storedShardBytes, stripeAt, stripeCount } from '../core/ec/stripe-layout.ts'
import type { Stripe } from '../core/ec/stripe-layout.ts'
import type { LocalRun } from '../core/tombstone.ts'
import { crc32c } from '../storage/checksum.ts'
import type { BlockSource } from './block-source.ts'
import { loadEncoding, loadPage, loadPageBytes } from './encoding.ts'
import { cellsOfStripe, stripeMemory } from './erasure-code.ts'
import type { ErasureCode } from './erasure-code.ts'
import { ShardReads, descriptorIfWhole } from './shard-reads.ts'
import type { ShardDoors } from './shard-reads.ts'
import { ShardWriter } from './shard-writer.ts'
import { StreamReader } from './stream-reader.ts'

export interface EncodeRequest {
  readonly container: ContainerId
  readonly policy: EcPolicy
  /** In the order of the code. Their containers are nobody else's: new ones from SCM. */
  readonly shards: readonly { readonly container: ContainerId; readonly at: ReplicaLocation }[]
  /** Blocks that were deleted since; they are not taken over. */
  readonly leaveOut?: readonly LocalRun[]
  /** Nothing is done unless so much of the bytes is left out: 0 … 1, default 0. */
  readonly worthShare?: number
  /** Default: that of the policy. */
  readonly cellBytes?: number
}

/** What long work on shards is done with. */
export interface ShardWork {
  readonly doors: ShardDoors
  readonly code: ErasureCode
  readonly clock: Clock
  /** Called before so many bytes are written: resolves when they may be. */
  readonly pace?: (bytes: number, signal?: AbortSignal) => Promise<void>
  readonly progress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

export interface EncodeOptions extends ShardWork {
  readonly source: BlockSource
}

/** `leftOutBytes` of `leftOutBytes + streamBytes` are not in the encoding, which has so many blocks. */
export interface EncodeOutcome {
  /** `nothing-left`: all blocks are left out, and there would be nothing in the shards. */
  readonly kind: 'encoded' | 'not-worth-it' | 'nothing-left'
  readonly blocks: number
  readonly streamBytes: number
  readonly leftOutBytes: number
}

/**
 * Resolves when every shard is whole, verified and closed, durably. Interrupted anywhere it may be called again with the same
 * shards: those that are whole are left alone, the others are written again. Memory: two stripes with their parity.
 *
 * Errors: those of the source (`Damaged`, `BlockNotFound`: deleted meanwhile); `ConcurrentChange` when a shard holds another
 * encoding, because the blocks have changed since the last attempt: it then wants other shards; `Unavailable`, `OutOfSpace`,
 * `VolumeFailed` of a shard's datanode; the signal's reason.
 */
export async function encodeContainer(request: EncodeRequest, options: EncodeOptions): Promise<EncodeOutcome> {
  return await new Encoder(request, options).run()
}

interface OpenShard {
  readonly shard: number
  readonly writer: ShardWriter
}

class Encoder {
  private readonly request: EncodeRequest
  private readonly options: EncodeOptions
  private readonly shards: ShardReads
  private doneBytes = 0

  constructor(request: EncodeRequest, options: EncodeOptions) {
    const { container, policy, shards } = request
    const places = shards.map((shard) => ({ container: shard.container, replicas: [shard.at] }))
    const layout: EcLayout = { policy, shards: places }
    this.request = request
    this.options = options
    this.shards = new ShardReads(container, layout, options.doors)
  }

  async run(): Promise<EncodeOutcome> {
    const { source } = this.options
    const { leaveOut, worthShare = 0 } = this.request
    const listed = await source.list()
    const blocks = streamBlocks(listed, leaveOut)
    const streamBytes = totalBytes(blocks)
    const allBytes = listed.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
    const leftOutBytes = allBytes - streamBytes
    const counts = { blocks: blocks.length, streamBytes, leftOutBytes }
    if (leaveOut !== undefined && blocks.length === 0) return { kind: 'nothing-left', ...counts }
    if (leftOutBytes < worthShare * allBytes) return { kind: 'not-worth-it', ...counts }
    // With blocks left out it is the hash of something else.
    const contentHash = blocks.length === listed.length ? await source.contentHash() : undefined
    await this.encode(blocks, contentHash)
    return { kind: 'encoded', ...counts }
  }

  private async encode(blocks: readonly StreamBlock[], contentHash: string | undefined): Promise<void> {
    const whole = await Promise.all(this.request.shards.map((_, shard) => descriptorIfWhole(this.shards, shard)))
    const open = this.openShards(whole.flatMap((descriptor, shard) => (descriptor === undefined ? [shard] : [])))
    if (open.length > 0) {
      // The last attempt may have known less: what a whole shard says is what all say.
      const known = whole.find((descriptor) => descriptor !== undefined)
      const made = await this.makeShards(blocks, {
        open,
        contentHash: known === undefined ? contentHash : known.contentHash,
      })
      for (const descriptor of whole) if (descriptor !== undefined) this.assertSame(descriptor, made)
    }
    await this.verify(blocks)
    // Whole and not closed: the last attempt was interrupted between the two.
    const rest = this.openShards(whole.flatMap((descriptor, shard) => (descriptor === undefined ? [] : [shard])))
    await Promise.all(rest.map(({ writer }) => writer.close()))
  }

  private openShards(shards: readonly number[]): OpenShard[] {
    const { doors, clock, signal } = this.options
    return shards.map((shard) => {
      const { container, at } = this.request.shards[shard] as EncodeRequest['shards'][number]
      return { shard, writer: new ShardWriter({ container, at, doors, clock, signal }) }
    })
  }

  private async makeShards(
    blocks: readonly StreamBlock[],
    { open, contentHash }: { readonly open: readonly OpenShard[]; readonly contentHash: string | undefined },
  ): Promise<EncodingDescriptor> {
    const { container: parent, policy, cellBytes = shapeOf(policy).cellBytes } = this.request
    const base = { policy, parent, cellBytes, streamBytes: totalBytes(blocks), blockCount: blocks.length, contentHash }
    const reader = new StreamReader(this.options.source, blocks)
    await this.writeCells(reader, {
      stream: streamOf({ ...base, directoryBytes: 0, indexBytes: 0, indexChecksum: 0 }),
      open,
    })
    const directory = directoryOf(blocks, reader.checksums)
    const { index, pages } = directory
    const descriptor: EncodingDescriptor = {
      ...base,
      directoryBytes: pages.reduce((sum, page) => sum + page.length, 0),
      indexBytes: index.length,
      indexChecksum: crc32c(index),
    }
    await allOf(open.map(({ shard, writer }) => writer.finish(directory, { ...descriptor, shard })))
    return descriptor
  }

  /** While one stripe is written, the next is read and coded. */
  private async writeCells(
    reader: StreamReader,
    { stream, open }: { readonly stream: ReturnType<typeof streamOf>; readonly open: readonly OpenShard[] },
  ): Promise<void> {
    const { code, pace, signal, progress } = this.options
    const count = stripeCount(stream)
    const total = open.reduce((sum, { shard }) => sum + storedShardBytes(stream, shard), 0)
    const memories = [0, 1].map(() => stripeMemory(stream, count === 0 ? 1 : stripeAt(stream, 0).codedBytes))
    let writing: Promise<void> = Promise.resolve()
    try {
      for (let number = 0; number < count; number++) {
        signal?.throwIfAborted()
        const stripe = stripeAt(stream, number)
        const memory = (memories[number % 2] as Uint8Array).subarray(0, shardCount(stream) * stripe.codedBytes)
        await reader.fill(memory.subarray(0, stripe.dataBytes))
        memory.fill(0, stripe.dataBytes, stream.dataShards * stripe.codedBytes)
        await code.encode(memory, stream)
        await writing
        const cells = cellsOfStripe(memory, stream)
        const pieces = open.map(({ shard, writer }) => {
          return { writer, bytes: (cells[shard] as Uint8Array).subarray(0, storedCellBytes(stream, stripe, shard)) }
        })
        const bytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0)
        await pace?.(bytes, signal)
        writing = this.writeStripe(stripe, pieces).then(() => progress?.((this.doneBytes += bytes), total))
        // It is awaited a stripe later; until then its failure must not count as unhandled.
        writing.catch(ignore)
      }
    } finally {
      // Nobody may be writing from this memory, or to the shards, when the task has ended.
      await Promise.allSettled([writing])
    }
    await writing
  }

  private async writeStripe(
    stripe: Stripe,
    pieces: readonly { readonly writer: ShardWriter; readonly bytes: Uint8Array }[],
  ): Promise<void> {
    const stored = pieces.filter(({ bytes }) => bytes.length > 0)
    await allOf(stored.map(({ writer, bytes }) => writer.write(cellLocal(stripe), bytes)))
  }

  /** Each shard says the same of all, and has the whole directory; it lists the blocks that there are. */
  private async verify(blocks: readonly StreamBlock[]): Promise<void> {
    const { shards } = this
    const encodings = await Promise.all(
      shards.layout.shards.map((_, shard) => loadEncoding(shards, { order: [shard] })),
    )
    const [first] = encodings
    if (first === undefined) return
    for (const encoding of encodings) this.assertSame(encoding.descriptor, first.descriptor)
    let at = 0
    for (let page = 0; page < first.index.length; page++) {
      const entries = await loadPage(shards, first, { page, manner: { order: [0] } })
      for (let i = 0; i < entries.count; i++) this.assertListed(blocks[at++], entries.entry(i))
      await Promise.all(
        shards.layout.shards.map((_, shard) => loadPageBytes(shards, first, { page, manner: { order: [shard] } })),
      )
    }
    if (at !== blocks.length || first.stream.streamBytes !== totalBytes(blocks)) throw this.anotherEncoding()
  }

  private assertListed(
    block: StreamBlock | undefined,
    entry: { readonly local: LocalId; readonly lengthBytes: number },
  ): void {
    if (block?.local !== entry.local || block.lengthBytes !== entry.lengthBytes) throw this.anotherEncoding()
  }

  private assertSame(a: EncodingDescriptor, b: EncodingDescriptor): void {
    if (!sameEncoding(a, b)) throw this.anotherEncoding()
  }

  private anotherEncoding(): StoreError {
    const { container } = this.request
    return new StoreError('ConcurrentChange', `the shards hold another encoding of container ${container}`, {
      details: { container },
    })
  }
}

function directoryOf(blocks: readonly StreamBlock[], checksums: Uint32Array): Directory {
  const builder = new DirectoryBuilder(crc32c)
  for (const [at, { local, lengthBytes }] of blocks.entries()) builder.add(local, lengthBytes, checksums[at] as number)
  return builder.finish()
}

/** The first failure, when all have ended. */
export async function allOf(actions: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(actions)) if (result.status === 'rejected') throw result.reason
}

function ignore(): void {}
