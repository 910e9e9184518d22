/** Reads blocks of containers that are erasure-coded. */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, ContainerPlace, EcShard } from '@o3/scm/api'
import type { BlockAccess, BlockInfo, ReadRange } from '../api/api.ts'
import type { DirectoryEntry } from '../core/ec/directory.ts'
import { shapeOf } from '../core/ec/ec-shape.ts'
import { cellsOf } from '../core/ec/stripe-layout.ts'
import type { CellRange } from '../core/ec/stripe-layout.ts'
import { RunningChecksum } from './running-checksum.ts'
import type { BlockSource } from './block-source.ts'
import { CellReads } from './cell-reads.ts'
import { shardOrder } from './decode-rows.ts'
import { EncodingCache } from './encoding-cache.ts'
import type { Encoding, ReadManner } from './encoding.ts'
import type { ErasureCode } from './erasure-code.ts'
import { ShardReads } from './shard-reads.ts'
import type { ShardDoors } from './shard-reads.ts'
import type { Hedge } from './some-of-many.ts'
import { StripeMemories } from './stripe-memories.ts'
import { Suspects } from './suspects.ts'

export interface EcReaderOptions extends ShardDoors {
  readonly code: ErasureCode
  readonly clock: Clock
  /** Of directories. Default 32 MiB. */
  readonly cacheBytes?: number
  /** A shard that has not answered in this time is treated as missing. Default 500 ms. */
  readonly hedgeAfterMs?: number
  /** For so long a datanode that was slow or away is asked last. Default 10 s. */
  readonly suspectMs?: number
  /** A shard is done without, `poor` without having been asked: its place may be out of date. */
  readonly onDegraded?: (container: ContainerId, shard: number, why: StoreError | 'slow' | 'poor') => void
}

/** Where an encoded container is, as `locate` says. */
export type EncodedPlace = Pick<ContainerPlace, 'container' | 'ec'>

const defaultCacheBytes = 32 * 1024 * 1024
const defaultHedgeAfterMs = 500
const defaultSuspectMs = 10_000
const piecesAhead = 2

interface Found {
  readonly entry: DirectoryEntry
  readonly cells: CellReads
  readonly ranges: readonly CellRange[]
}

/**
 * Reads like `BlockStore`, with the place of the container in hand. When all is well a range costs the cells that it touches; the
 * directory is read once. Up to as many shards as there is parity may be missing, slow or rotten: what they have is decoded.
 * What the shards' datanodes send they have verified; a block that was read whole is also compared with the directory, before
 * its last piece is handed out.
 */
export class EcReader {
  private readonly options: EcReaderOptions
  private readonly cache: EncodingCache
  private readonly memories = new StripeMemories()
  private readonly suspects: Suspects
  private readonly hedge: Hedge

  constructor(options: EcReaderOptions) {
    const { clock, cacheBytes, hedgeAfterMs, suspectMs } = options
    this.options = options
    this.cache = new EncodingCache(cacheBytes ?? defaultCacheBytes)
    this.suspects = new Suspects(clock, suspectMs ?? defaultSuspectMs)
    this.hedge = { clock, afterMs: hedgeAfterMs ?? defaultHedgeAfterMs }
  }

  /** As `BlockStore.read`. */
  read(place: EncodedPlace, block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.pieces(() => this.reads(place, access), block, range) }
  }

  /** As `BlockStore.readSmall`. */
  async readSmall(place: EncodedPlace, block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array> {
    const { entry, cells, ranges } = await this.find(this.reads(place, access), block, range)
    const pieces = await Promise.all(ranges.map((each) => cells.read(each)))
    const [only] = pieces
    const bytes = pieces.length === 1 && only !== undefined ? only : joined(pieces, range.length)
    const checksum = checksumFor(entry, range)
    checksum?.add(bytes)
    assertSame(block, entry, checksum)
    return bytes
  }

  /** The blocks of the container, in the order of their ids. */
  async listBlocks(place: EncodedPlace): Promise<readonly BlockInfo[]> {
    const reads = this.reads(place)
    const manner = this.manner(reads)
    const encoding = await this.cache.encoding(reads, manner)
    const blocks: BlockInfo[] = []
    for (let page = 0; page < encoding.index.length; page++) {
      const entries = await this.cache.page(reads, encoding, page, manner)
      for (let at = 0; at < entries.count; at++) {
        const { local, lengthBytes, checksum } = entries.entry(at)
        blocks.push({ block: { container: place.container, local }, lengthBytes, checksum })
      }
    }
    return blocks
  }

  /** For an encoder that makes the container anew. */
  source(place: EncodedPlace): BlockSource {
    const { container } = place
    return {
      list: async () => {
        const blocks = await this.listBlocks(place)
        return blocks.map(({ block: { local }, lengthBytes, checksum }) => ({ local, lengthBytes, checksum }))
      },
      copy: async (local, offset, target) => {
        target.set(await this.readSmall(place, { container, local }, { offset, length: target.length }))
      },
      contentHash: async () => (await this.encoding(this.reads(place))).descriptor.contentHash,
    }
  }

  private async *pieces(
    reads: () => ShardReads,
    block: BlockId,
    range: ReadRange,
  ): AsyncGenerator<Uint8Array, undefined> {
    const { entry, cells, ranges } = await this.find(reads(), block, range)
    const checksum = checksumFor(entry, range)
    const ahead: Promise<Uint8Array>[] = []
    let next = 0
    for (const [at, { stripe }] of ranges.entries()) {
      while (next < ranges.length && ahead.length < piecesAhead) {
        const piece = cells.read(ranges[next++] as CellRange)
        // It is awaited later; until then its failure must not count as unhandled.
        piece.catch(ignore)
        ahead.push(piece)
      }
      const bytes = (await ahead.shift()) as Uint8Array
      cells.forgetBefore(stripe)
      checksum?.add(bytes)
      if (at === ranges.length - 1) assertSame(block, entry, checksum)
      yield bytes
    }
  }

  private async find(reads: ShardReads, block: BlockId, range: ReadRange): Promise<Found> {
    const manner = this.manner(reads)
    const encoding = await this.cache.encoding(reads, manner)
    const entry = await this.cache.find(reads, encoding, { local: block.local, manner })
    if (entry === undefined) {
      throw new StoreError('BlockNotFound', `no block ${block.container}/${block.local}`, { details: { ...block } })
    }
    const { offset, length } = range
    if (offset < 0 || length < 0 || offset + length > entry.lengthBytes) {
      throw new StoreError('InvalidRange', 'the range reaches past the end of the block', {
        details: { offset, length, blockLength: entry.lengthBytes },
      })
    }
    const { stream } = encoding
    const ranges = cellsOf(stream, entry.offset + offset, length)
    const isPoor = (shard: number): boolean => this.isPoor(reads, shard)
    const poor = ranges.find(({ shard }) => isPoor(shard))
    if (poor !== undefined) this.options.onDegraded?.(reads.parent, poor.shard, 'poor')
    const cells = new CellReads({
      reads,
      stream,
      code: this.options.code,
      memories: this.memories,
      hedge: this.hedge,
      willDecode: poor !== undefined,
      isPoor,
      onFailure: (shard, failure) => this.noteFailure(reads, shard, failure),
    })
    return { entry, cells, ranges }
  }

  private async encoding(reads: ShardReads): Promise<Encoding> {
    return await this.cache.encoding(reads, this.manner(reads))
  }

  private reads({ container, ec }: EncodedPlace, given?: BlockAccess): ShardReads {
    const { datanode, access } = this.options
    if (ec === undefined) {
      throw new StoreError('InvalidArgument', `container ${container} is not erasure-coded`, { details: { container } })
    }
    return new ShardReads(container, ec, { datanode, access: (block) => access?.(block) ?? given })
  }

  private manner(reads: ShardReads): ReadManner {
    const order = shardOrder(shapeOf(reads.layout.policy), (shard) => this.isPoor(reads, shard))
    return { order, hedge: this.hedge, onFailure: (shard, failure) => this.noteFailure(reads, shard, failure) }
  }

  private isPoor({ layout }: ShardReads, shard: number): boolean {
    return this.suspects.isPoor(layout.shards[shard] as EcShard)
  }

  private noteFailure({ parent, layout }: ShardReads, shard: number, failure: StoreError | 'slow'): void {
    if (failure === 'slow' || failure.category === 'unavailable' || failure.category === 'unknown-outcome') {
      this.suspects.note(layout.shards[shard] as EcShard)
    }
    this.options.onDegraded?.(parent, shard, failure)
  }
}

/** For a range that is the whole block. */
function checksumFor({ lengthBytes }: DirectoryEntry, { length }: ReadRange): RunningChecksum | undefined {
  return length === lengthBytes ? new RunningChecksum() : undefined
}

/** `Damaged` when every shard was sure of its bytes, and together they are not the block. */
function assertSame(block: BlockId, { checksum }: DirectoryEntry, found: RunningChecksum | undefined): void {
  if (found === undefined || found.finish() === checksum) return
  throw new StoreError('Damaged', 'an erasure-coded block does not match its checksum', {
    details: { ...block, offset: 0, path: '' },
  })
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function ignore(): void {}
