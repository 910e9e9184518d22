/** Deletions of encoded containers: recorded until it is encoded anew without their blocks. */

import type { BlockRange, LocalRange } from '../api/api.ts'
import type { ContainerRow, LeftOut } from './tables.ts'

export interface RecordedDeletion {
  readonly transaction: number
  readonly blocks: readonly BlockRange[]
}

export function blocksIn(ranges: readonly Pick<BlockRange, 'count'>[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0)
}

/** Whose records nobody needs any more: so many blocks are named by them. */
export function spentBlocks({ state, ec, deletedBlocks }: ContainerRow): number {
  if (ec === undefined) return 0
  return (ec.leaveOut?.blocks ?? 0) + (state === 'DELETING' ? deletedBlocks : 0)
}

/** What an encoder is told to leave out, and of which records that are the blocks. */
export interface Omission {
  readonly leaveOut: LeftOut
  readonly ranges: readonly LocalRange[]
}

export interface OmissionBounds {
  readonly mostRanges: number
  /** Of an encoding that was begun: exactly the records up to this one. Undefined: as many as the bound admits. */
  readonly upTo?: number | undefined
}

/** Puts an omission together from the records of one container, which come in their order. */
export class OmissionBuilder {
  private readonly bounds: OmissionBounds
  private ranges: LocalRange[] = []
  private leaveOut: LeftOut | undefined

  constructor(bounds: OmissionBounds) {
    this.bounds = bounds
  }

  /** The first record is always taken; `full`: this one is not, and none behind it. */
  add({ transaction, blocks }: RecordedDeletion): 'taken' | 'full' {
    const { upTo } = this.bounds
    if (upTo === undefined ? !this.hasRoomFor(blocks.length) : transaction > upTo) return 'full'
    this.ranges.push(...blocks)
    this.leaveOut = { upTo: transaction, blocks: (this.leaveOut?.blocks ?? 0) + blocksIn(blocks) }
    return 'taken'
  }

  /** Undefined when there are no records. */
  finish(): Omission | undefined {
    return this.leaveOut && { leaveOut: this.leaveOut, ranges: merged(this.ranges) }
  }

  /** Ranges that touch are put together when there seem to be too many; unless that gains half of the room, it is full. */
  private hasRoomFor(more: number): boolean {
    const { mostRanges } = this.bounds
    if (this.ranges.length + more <= mostRanges || this.leaveOut === undefined) return true
    this.ranges = merged(this.ranges)
    return this.ranges.length + Math.max(more, mostRanges / 2) <= mostRanges
  }
}

/** The same ids, rising: ranges that touch or overlap are one. */
export function merged(ranges: readonly LocalRange[]): LocalRange[] {
  const all: { firstLocal: number; count: number }[] = []
  for (const { firstLocal, count } of ranges.toSorted((a, b) => a.firstLocal - b.firstLocal)) {
    const last = all.at(-1)
    if (last === undefined || last.firstLocal + last.count < firstLocal) all.push({ firstLocal, count })
    else last.count = Math.max(last.count, firstLocal + count - last.firstLocal)
  }
  return all
}
