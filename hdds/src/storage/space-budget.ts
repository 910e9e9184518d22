import type { DiskSpace } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { maxChunkBytes } from '../api/api.ts'
import { recordBytes } from '../core/record-layout.ts'

export interface SpaceReservation {
  /** So much is about to be taken: it is the budget's again. */
  use(bytes: number): void
  /** Idempotent. */
  end(): void
}

/**
 * How much may still be written to a disk: what was free at the last look, less the reserve, less what was taken
 * since and what was on its way to the disk then. So the hot path asks nobody, and the count is never too high. The
 * reserve belongs to deletions, compaction and the index, which must go on when the disk is full.
 */
export class SpaceBudget {
  private readonly path: string
  private readonly reserveBytes: number
  private readonly look: () => Promise<DiskSpace>
  private last: DiskSpace = { totalBytes: 0, availableBytes: 0 }
  private budget = 0
  private taken = 0
  /** Taken, and not yet on the file: the file system still calls it free. */
  private onItsWay = 0
  private reserved = 0
  private looking: Promise<void> | undefined

  constructor(options: {
    readonly path: string
    readonly reserveBytes: number
    readonly look: () => Promise<DiskSpace>
  }) {
    this.path = options.path
    this.reserveBytes = options.reserveBytes
    this.look = options.look
  }

  /** Asks the file system. Calls that overlap share one look. Rejects with what `Disk.space` rejects with. */
  refresh(): Promise<void> {
    this.looking ??= this.refreshNow().finally(() => {
      this.looking = undefined
    })
    return this.looking
  }

  /**
   * For bytes that are about to be written; `landed` tells when they were, or will not be. Throws `OutOfSpace` when there is
   * no room for so many above the reserve.
   */
  take(bytes: number): void {
    if (this.budget < bytes) {
      throw new StoreError('OutOfSpace', 'the disk is full', { details: { path: this.path } })
    }
    this.budget -= bytes
    this.taken += bytes
    this.onItsWay += bytes
  }

  /** Kept for one user, until he ends it. `OutOfSpace`. */
  reserve(bytes: number): SpaceReservation {
    if (this.budget < bytes) {
      throw new StoreError('OutOfSpace', 'the disk has no room for so much', { details: { path: this.path, bytes } })
    }
    let left = bytes
    const give = (part: number): void => {
      const given = Math.min(left, part)
      left -= given
      this.reserved -= given
      this.budget += given
    }
    this.reserved += bytes
    this.budget -= bytes
    return { use: give, end: () => give(left) }
  }

  landed(bytes: number): void {
    this.onItsWay -= bytes
  }

  /** The file system has just refused a write. */
  exhausted(): void {
    this.budget = 0
  }

  /** There is no room for one full chunk. */
  get isFull(): boolean {
    return this.budget < recordBytes(maxChunkBytes)
  }

  get availableBytes(): number {
    return Math.max(0, this.budget)
  }

  get totalBytes(): number {
    return this.last.totalBytes
  }

  private async refreshNow(): Promise<void> {
    const takenBefore = this.taken
    const notWritten = this.onItsWay
    this.last = await this.look()
    // What was on its way, or taken while we looked, may or may not be in the answer: count it again.
    const since = this.taken - takenBefore
    this.budget = this.last.availableBytes - this.reserveBytes - this.reserved - notWritten - since
    this.taken = 0
  }
}
