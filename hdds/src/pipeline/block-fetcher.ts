/** Brings blocks here whose bytes are on other members of a pipeline. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { Logger } from '@o3/common/logger'
import type { BlockId, DatanodeId } from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type { ReadRange } from '../api/api.ts'
import { BlockChecksum, checksumOfUnits } from '../core/block-checksum.ts'
import type { AgreeBlockEntry } from '../core/pipeline-entry.ts'
import { crc32c, unitChecksums } from '../storage/checksum.ts'
import type { Container } from '../storage/container.ts'

/** Another member, for reading. */
export interface BlockSource {
  read(block: BlockId, range: ReadRange): AsyncIterable<Uint8Array>
}

export interface BlockFetcherOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Undefined for one that cannot be reached. */
  readonly source: (member: DatanodeId) => BlockSource | undefined
  /** The longest silence of a source. */
  readonly silenceMs: number
  /** So many blocks are under way at a time, each with at most a chunk in memory; the others wait. */
  readonly maxFetches: number
}

export class BlockFetcher {
  private readonly options: BlockFetcherOptions
  private running = 0
  private readonly waiting: (() => void)[] = []

  constructor(options: BlockFetcherOptions) {
    this.options = options
  }

  /**
   * True: the block is durable in the container, with the checksum that was agreed to. False: no holder could give it now.
   * Rejects with what the container's own disk says, or with the signal's reason.
   */
  async fetch(entry: AgreeBlockEntry, container: Container, signal: AbortSignal): Promise<boolean> {
    await this.enter()
    try {
      for (const holder of entry.holders) {
        signal.throwIfAborted()
        const source = this.options.source(holder)
        if (source !== undefined && (await this.fetchFrom(source, { entry, container, holder, signal }))) return true
      }
      return false
    } finally {
      this.leave()
    }
  }

  private async fetchFrom(
    source: BlockSource,
    what: {
      readonly entry: AgreeBlockEntry
      readonly container: Container
      readonly holder: DatanodeId
      readonly signal: AbortSignal
    },
  ): Promise<boolean> {
    const { entry, container, holder, signal } = what
    const { block, lengthBytes } = entry
    const incoming = new Incoming(source.read(block, { offset: 0, length: lengthBytes }), this.options)
    // An earlier stream, or fetch, of this block was given up here.
    await container.readmit(block.local)
    try {
      if (lengthBytes <= maxChunkBytes) return await takeSmall(incoming, entry, container)
      return await takeLarge(incoming, { entry, container, signal })
    } catch (error) {
      if (error !== incoming.failure) throw error
      if (!isStoreError(error)) throw error
      this.options.log.info({ ...block, holder, error }, 'a holder did not give a block')
      return false
    } finally {
      await incoming.close()
    }
  }

  private async enter(): Promise<void> {
    if (this.running >= this.options.maxFetches) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.running++
  }

  /** Hands its place to the next. */
  private leave(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.running--
    else next()
  }
}

/** Pieces as they come; tells a source that failed from a container that did. */
class Incoming {
  failure: unknown
  private readonly pieces: AsyncIterator<Uint8Array>
  private readonly options: BlockFetcherOptions
  private isOver = false

  constructor(body: AsyncIterable<Uint8Array>, options: BlockFetcherOptions) {
    this.pieces = body[Symbol.asyncIterator]()
    this.options = options
  }

  async next(): Promise<Uint8Array | undefined> {
    const { clock, silenceMs } = this.options
    try {
      const step = await withinDeadline(clock, silenceMs, 'a piece of a block', this.pieces.next())
      if (step.done !== true) return step.value
      this.isOver = true
      return undefined
    } catch (error) {
      this.failure = error
      throw error
    }
  }

  /** What came is not what was agreed to. */
  refuse(message: string): never {
    this.failure = new StoreError('Damaged', message)
    throw this.failure
  }

  /** A source that hangs is not waited for. */
  async close(): Promise<void> {
    if (this.isOver) return
    const { clock, silenceMs, log } = this.options
    const returned = this.pieces.return?.()
    if (returned === undefined) return
    try {
      await withinDeadline(clock, silenceMs, 'the end of a read', Promise.resolve(returned))
    } catch (error) {
      if (!isStoreError(error)) throw error
      log.debug({ error }, 'a read that was given up did not end well')
    }
  }
}

async function takeSmall(incoming: Incoming, entry: AgreeBlockEntry, container: Container): Promise<boolean> {
  // One piece is handed out at a time, and is valid until the next.
  const bytes = new Uint8Array(entry.lengthBytes)
  let at = 0
  for (let piece = await incoming.next(); piece !== undefined; piece = await incoming.next()) {
    if (at + piece.length > bytes.length) incoming.refuse('a block is longer than was agreed to')
    bytes.set(piece, at)
    at += piece.length
  }
  if (at !== bytes.length || checksumOf([bytes]) !== entry.checksum)
    incoming.refuse('a block is not what was agreed to')
  await container.writeBlock(entry.block.local, [bytes])
  return true
}

async function takeLarge(
  incoming: Incoming,
  {
    entry,
    container,
    signal,
  }: { readonly entry: AgreeBlockEntry; readonly container: Container; readonly signal: AbortSignal },
): Promise<boolean> {
  const writer = await container.openWriter(entry.block.local)
  try {
    const sum = new BlockChecksum(crc32c)
    let length = 0
    for (let piece = await incoming.next(); piece !== undefined; piece = await incoming.next()) {
      signal.throwIfAborted()
      sum.add([piece], unitChecksums([piece]))
      length += piece.length
      await writer.write([piece])
    }
    if (length !== entry.lengthBytes || sum.value() !== entry.checksum) {
      incoming.refuse('a block is not what was agreed to')
    }
    await writer.commit()
    return true
  } catch (error) {
    await writer.abort()
    throw error
  }
}

/** As in `BlockReceipt`, of a block in memory. */
export function checksumOf(pieces: readonly Uint8Array[]): number {
  return checksumOfUnits(unitChecksums(pieces), crc32c)
}
