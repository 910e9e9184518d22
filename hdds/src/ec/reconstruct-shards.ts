/** The command `reconstruct-shards`: makes shards anew, here, out of those that are left. */

import { StoreError } from '@o3/common/errors'
import type { ContainerId, DatanodeId, EcLayout, EcShard } from '@o3/scm/api'
import { shardCount, shapeOf } from '../core/ec/ec-shape.ts'
import { sameEncoding } from '../core/ec/shard-descriptor.ts'
import { cellLocal } from '../core/ec/shard-locals.ts'
import { storedCellBytes, storedShardBytes, stripeAt, stripeCount } from '../core/ec/stripe-layout.ts'
import type { Stripe } from '../core/ec/stripe-layout.ts'
import { decodeRows, shardOrder } from './decode-rows.ts'
import { allOf } from './encode-container.ts'
import type { ShardWork } from './encode-container.ts'
import { loadEncoding, loadPage, loadPageBytes } from './encoding.ts'
import type { Encoding, ReadManner } from './encoding.ts'
import { stripeMemory } from './erasure-code.ts'
import { ShardReads, descriptorIfWhole } from './shard-reads.ts'
import { ShardWriter } from './shard-writer.ts'
import type { Hedge } from './some-of-many.ts'
import { StreamProof } from './stream-proof.ts'

export interface ReconstructRequest {
  readonly container: ContainerId
  /** Of all shards. Those that are wanted are not read, wherever they may be. */
  readonly layout: EcLayout
  /** Of `layout.shards`. */
  readonly wanted: readonly number[]
}

export interface ReconstructOptions extends ShardWork {
  /** The datanode that makes them, as `doors.datanode` knows it. */
  readonly here: { readonly datanode: DatanodeId; readonly address: string | undefined }
  /** A source that is slower than this is done without, where there are others. Default 10 s. */
  readonly hedgeAfterMs?: number
}

const defaultHedgeAfterMs = 10_000

/**
 * Resolves when the wanted shards are here, whole and closed, durably. All are made in one pass over as many of the others as the
 * code needs, data shards first. Every block of the container is compared with the directory on the way. May be repeated, like
 * the encoding. Memory: two stripes with their parity.
 *
 * Errors: `Unavailable` and `Damaged` when too few shards are left, or they do not give back the blocks; `ConcurrentChange`
 * when a wanted shard is here with other bytes; those of a write; the signal's reason.
 */
export async function reconstructShards(request: ReconstructRequest, options: ReconstructOptions): Promise<void> {
  await new Reconstruction(request, options).run()
}

interface OpenShard {
  readonly shard: number
  readonly writer: ShardWriter
}

class Reconstruction {
  private readonly options: ReconstructOptions
  private readonly layout: EcLayout
  private readonly wanted: readonly number[]
  /** The shards where they are. */
  private readonly others: ShardReads
  /** The wanted ones where they will be. */
  private readonly here: ShardReads
  private readonly sources: readonly number[]
  private readonly hedge: Hedge
  private readonly poor = new Set<number>()

  constructor({ container, layout, wanted }: ReconstructRequest, options: ReconstructOptions) {
    const shape = shapeOf(layout.policy)
    const { doors, clock, here, hedgeAfterMs = defaultHedgeAfterMs } = options
    if (wanted.some((shard) => layout.shards[shard] === undefined)) {
      throw new StoreError('InvalidArgument', 'a shard is wanted that the code does not have')
    }
    this.options = options
    this.layout = layout
    this.wanted = wanted
    this.others = new ShardReads(container, layout, doors)
    const shards = layout.shards.map((shard) => ({ ...shard, replicas: [here] }))
    this.here = new ShardReads(container, { ...layout, shards }, doors)
    const isNowhere = (shard: number): boolean => layout.shards[shard]?.replicas.length === 0
    this.sources = shardOrder(shape, isNowhere).filter((shard) => !wanted.includes(shard) && !isNowhere(shard))
    this.hedge = { clock, afterMs: hedgeAfterMs }
  }

  async run(): Promise<void> {
    const encoding = await loadEncoding(this.others, this.manner())
    const open: OpenShard[] = []
    for (const shard of this.wanted) {
      const writer = this.writerOf(shard)
      const whole = await descriptorIfWhole(this.here, shard)
      if (whole === undefined) open.push({ shard, writer })
      else if (sameEncoding(whole, encoding.descriptor)) await writer.close()
      else throw this.anotherEncoding(shard)
    }
    if (open.length === 0) return
    await this.writeCells(encoding, open)
    await this.finish(encoding, open)
  }

  private writerOf(shard: number): ShardWriter {
    const { doors, clock, signal, here } = this.options
    const { container } = this.layout.shards[shard] as EcShard
    return new ShardWriter({ container, at: here, doors, clock, signal })
  }

  /** While the shards are given one stripe, the next is read and decoded. */
  private async writeCells(encoding: Encoding, open: readonly OpenShard[]): Promise<void> {
    const { stream, index } = encoding
    const { signal, pace, progress } = this.options
    const proof = new StreamProof(this.others.parent, index.length, (page) =>
      loadPage(this.others, encoding, { page, manner: this.manner() }),
    )
    const count = stripeCount(stream)
    const memories = [0, 1].map(() => stripeMemory(stream, count === 0 ? 1 : stripeAt(stream, 0).codedBytes))
    const total = open.reduce((sum, { shard }) => sum + storedShardBytes(stream, shard), 0)
    let done = 0
    let writing: Promise<void> = Promise.resolve()
    try {
      for (let number = 0; number < count; number++) {
        signal?.throwIfAborted()
        const stripe = stripeAt(stream, number)
        const memory = (memories[number % 2] as Uint8Array).subarray(0, shardCount(stream) * stripe.codedBytes)
        const rows = await this.decode(encoding, stripe, memory)
        for (let shard = 0; shard < stream.dataShards; shard++) {
          await proof.add((rows[shard] as Uint8Array).subarray(0, storedCellBytes(stream, stripe, shard)))
        }
        await writing
        const cells = open.map(({ shard, writer }) => {
          return { writer, bytes: (rows[shard] as Uint8Array).subarray(0, storedCellBytes(stream, stripe, shard)) }
        })
        const bytes = cells.reduce((sum, cell) => sum + cell.bytes.length, 0)
        await pace?.(bytes, signal)
        const stored = cells.filter((cell) => cell.bytes.length > 0)
        writing = allOf(stored.map((cell) => cell.writer.write(cellLocal(stripe), cell.bytes))).then(() => {
          progress?.((done += bytes), total)
        })
        // It is awaited a stripe later; until then its failure must not count as unhandled.
        writing.catch(ignore)
      }
    } finally {
      await Promise.allSettled([writing])
    }
    await writing
  }

  /** All data cells, and parity as far as it is wanted. */
  private async decode({ stream }: Encoding, stripe: Stripe, memory: Uint8Array): Promise<readonly Uint8Array[]> {
    const { order: candidates, hedge, onFailure } = this.manner()
    const { cells } = await decodeRows(
      {
        stream,
        code: this.options.code,
        hedge,
        read: (shard, { number }, from, to) =>
          this.others.read(shard, cellLocal({ number }), { offset: from, length: to - from }),
        onFailure,
        memory,
      },
      {
        stripe,
        from: 0,
        to: stripe.codedBytes,
        candidates,
        wantedCells: Math.max(stream.dataShards, ...this.wanted.map((shard) => shard + 1)),
      },
    )
    return cells
  }

  private manner(): ReadManner {
    return {
      order: [...this.sources.filter((shard) => !this.poor.has(shard)), ...this.poor],
      hedge: this.hedge,
      // Damage is of one cell; who is slow or away is asked last from now on.
      onFailure: (shard, failure) => {
        if (failure === 'slow' || failure.code !== 'Damaged') this.poor.add(shard)
      },
    }
  }

  /** The directory is copied as it is. */
  private async finish(encoding: Encoding, open: readonly OpenShard[]): Promise<void> {
    const { descriptor } = encoding
    const pages: Uint8Array[] = []
    for (let page = 0; page < encoding.index.length; page++) {
      pages.push(await loadPageBytes(this.others, encoding, { page, manner: this.manner() }))
    }
    const directory = { index: encoding.indexRecord, pages }
    await allOf(open.map(({ shard, writer }) => writer.finish(directory, { ...descriptor, shard })))
  }

  private anotherEncoding(shard: number): StoreError {
    const { container } = this.layout.shards[shard] as EcShard
    return new StoreError('ConcurrentChange', `container ${container} holds a shard of another encoding`, {
      details: { container, shard },
    })
  }
}

function ignore(): void {}
