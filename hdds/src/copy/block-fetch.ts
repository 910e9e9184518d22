/**
 * Fetches blocks from one source into a replica, each proven on its arrival: against the checksum that the lists said, not
 * against what came with it. What is small is written side by side, so that blocks share syncs; how much of it is under way
 * is bounded.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { Clock } from '@o3/common/env'
import type { BlockRange, ContainerId } from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type { ReplicaSource } from '../api/api.ts'
import { BlockChecksum } from '../core/block-checksum.ts'
import type { WantedBlock } from '../core/copy-plan.ts'
import type { Assignment, CopyQueue } from '../core/copy-queue.ts'
import { recordBytes } from '../core/record-layout.ts'
import { runsOf } from '../core/tombstone.ts'
import { crc32c, unitChecksums } from '../storage/checksum.ts'
import type { ContainerWriter } from '../storage/container-writer.ts'
import type { Pace } from '../storage/pace.ts'
import type { Restoration } from '../storage/restoration.ts'
import { FrameReader } from './frame-reader.ts'

/** What the fetches of one copy share. */
export interface FetchScope {
  readonly clock: Clock
  readonly container: ContainerId
  readonly restoration: Restoration
  readonly pace: Pace
  readonly signal: AbortSignal
  readonly silenceMs: number
  /** Room for a block of so many bytes, which is about to be written. */
  readonly spend: (bytes: number) => void
  /** So many bytes of blocks have come. */
  readonly progress: (bytes: number) => void
}

/** The target failed, and not the source: there is nothing to be had from another one. */
export class TargetFailure extends Error {
  declare readonly cause: StoreError

  constructor(cause: StoreError) {
    super(cause.message, { cause })
  }
}

/** The call cannot go on; the source can. */
class CallOver extends Error {}

/** Written and not durable yet, at most. */
const maxUnderWayBytes = 4 * 1024 * 1024

export class BlockFetch {
  private readonly scope: FetchScope
  private readonly queue: CopyQueue
  private readonly underWay = new Set<Promise<void>>()
  private underWayBytes = 0
  private failure: unknown

  constructor(scope: FetchScope, queue: CopyQueue) {
    this.scope = scope
    this.queue = queue
  }

  /** Rejects with `TargetFailure`, the signal's reason, or with what the source failed with. */
  async run(source: ReplicaSource, assignment: Assignment): Promise<void> {
    const { container } = this.scope
    const frames = new FrameReader(source.readBlocks(rangesOf(container, assignment.blocks)), this.scope)
    try {
      while (assignment.next < assignment.end) {
        this.scope.signal.throwIfAborted()
        await this.fetchNext(frames, assignment)
      }
    } catch (error) {
      if (!(error instanceof CallOver)) throw error
    } finally {
      frames.close()
      await this.settled()
      this.assertSound()
    }
  }

  private async fetchNext(frames: FrameReader, assignment: Assignment): Promise<void> {
    const wanted = assignment.blocks[assignment.next] as WantedBlock
    const { kind, local, lengthBytes, checksum } = await frames.head()
    if (local !== wanted.local) throw new StoreError('Damaged', 'a source sends other blocks than it was asked for')
    if (kind !== 'block') this.queue.lacks(assignment)
    else if (lengthBytes !== wanted.lengthBytes || checksum !== wanted.checksum) {
      // Its bytes follow, and are nobody's: the call ends here.
      this.queue.lacks(assignment)
      throw new StoreError('Damaged', `block ${local} of a source is not what its list says`)
    } else if (lengthBytes <= maxChunkBytes) await this.fetchSmall(frames, assignment, wanted)
    else await this.fetchLarge(frames, assignment, wanted)
  }

  private async fetchSmall(frames: FrameReader, assignment: Assignment, wanted: WantedBlock): Promise<void> {
    const { lengthBytes, local } = wanted
    const pieces = await frames.take(lengthBytes)
    const checksum = new BlockChecksum(crc32c)
    checksum.add(pieces, unitChecksums(pieces))
    if (checksum.value() !== wanted.checksum) {
      this.queue.lacks(assignment)
      return
    }
    await this.write(lengthBytes, async () => {
      await this.scope.restoration.writeBlock(local, pieces)
    })
    this.queue.arrived(assignment)
    this.scope.progress(lengthBytes)
    await this.scope.pace.spend(lengthBytes, this.scope.signal)
  }

  private async fetchLarge(frames: FrameReader, assignment: Assignment, wanted: WantedBlock): Promise<void> {
    const writer = await this.ofTarget(() => this.scope.restoration.openWriter(wanted.local))
    let isOver = false
    try {
      isOver = await this.receive(frames, wanted, writer)
      if (isOver) this.queue.arrived(assignment)
      else this.queue.lacks(assignment)
    } catch (error) {
      if (isStoreError(error, 'Damaged')) this.queue.lacks(assignment)
      else if (isDeletedMeanwhile(error)) this.queue.arrived(assignment)
      else throw error
      // The rest of the block is somewhere in the stream, or never comes.
      throw new CallOver()
    } finally {
      if (!isOver) await writer?.abort()
    }
  }

  /** False when it is not what the lists say. */
  private async receive(
    frames: FrameReader,
    wanted: WantedBlock,
    writer: ContainerWriter | undefined,
  ): Promise<boolean> {
    const { spend, progress, signal, pace } = this.scope
    const checksum = new BlockChecksum(crc32c)
    for (let left = wanted.lengthBytes; left > 0;) {
      signal.throwIfAborted()
      const length = Math.min(left, maxChunkBytes)
      const pieces = await frames.take(length)
      checksum.add(pieces, unitChecksums(pieces))
      spend(recordBytes(length))
      await this.ofTarget(async () => writer?.write(pieces))
      left -= length
      progress(length)
      await pace.spend(length, signal)
    }
    if (checksum.value() !== wanted.checksum) return false
    await this.ofTarget(async () => writer?.commit())
    return true
  }

  /** Begins a write when there is room for it among those under way. */
  private async write(bytes: number, action: () => Promise<void>): Promise<void> {
    while (this.underWayBytes > 0 && this.underWayBytes + bytes > maxUnderWayBytes) await Promise.race(this.underWay)
    this.assertSound()
    this.scope.spend(recordBytes(bytes))
    this.underWayBytes += bytes + 1
    const writing = action()
      .catch((error: unknown) => void (this.failure ??= error))
      .finally(() => {
        this.underWayBytes -= bytes + 1
        this.underWay.delete(writing)
      })
    this.underWay.add(writing)
  }

  private async settled(): Promise<void> {
    await Promise.all(this.underWay)
  }

  private assertSound(): void {
    if (this.failure !== undefined) throw targetFailure(this.failure)
  }

  private async ofTarget<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw targetFailure(error)
    }
  }
}

function targetFailure(error: unknown): unknown {
  // `Aborted`: the block was deleted while it came.
  return error instanceof StoreError ? new TargetFailure(error) : error
}

function rangesOf(container: ContainerId, blocks: readonly WantedBlock[]): readonly BlockRange[] {
  return runsOf(blocks.map(({ local }) => local)).map(({ first, count }) => ({ container, firstLocal: first, count }))
}

/** A block that was deleted while it came is no failure of anybody. */
function isDeletedMeanwhile(error: unknown): boolean {
  return error instanceof TargetFailure && isStoreError(error.cause, 'Aborted')
}
