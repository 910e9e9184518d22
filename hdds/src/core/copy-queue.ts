/**
 * Who fetches which blocks, among several sources: a state machine without clocks. Each source is given ranges of what it
 * has; one that has nothing left to do takes over the second half of what the slowest still has before it; one that fails
 * gives back what did not arrive. So a source is asked for as much as it gives, and none can hold up the others by more
 * than the block it is at.
 */

import type { LocalId } from '@o3/scm/api'
import type { WantedBlock } from './copy-plan.ts'

/** What one source was asked for in one call, in order. */
export interface Assignment {
  readonly source: number
  readonly blocks: readonly WantedBlock[]
  /** The block that comes next. */
  readonly next: number
  /** Exclusive; gets lower when another source takes over the rest. */
  readonly end: number
}

interface Entry {
  readonly block: WantedBlock
  /** Sources that may still have it. */
  holders: readonly number[]
}

interface Running {
  readonly source: number
  readonly entries: readonly Entry[]
  readonly blocks: readonly WantedBlock[]
  next: number
  end: number
}

export interface CopyQueueLimits {
  /** Of one assignment; a larger block is one of its own. */
  readonly maxBytes: number
  readonly maxBlocks: number
}

export class CopyQueue {
  private readonly limits: CopyQueueLimits
  private waiting: Entry[] = []
  private readonly running = new Set<Running>()
  private readonly lost: LocalId[] = []

  constructor(blocks: readonly WantedBlock[], limits: CopyQueueLimits) {
    this.limits = limits
    this.waiting = blocks.map((block) => ({ block, holders: block.holders }))
  }

  /** Everything has arrived, or can come from nobody. */
  get isDone(): boolean {
    return this.waiting.length === 0 && this.running.size === 0
  }

  /** Blocks that no source could give. */
  get unavailable(): readonly LocalId[] {
    return this.lost
  }

  /** Work for a source that has none; undefined when there is none for it now. */
  take(source: number): Assignment | undefined {
    const entries = this.takeWaiting(source)
    const work = entries.length > 0 ? entries : this.takeOver(source)
    if (work.length === 0) return undefined
    const running: Running = {
      source,
      entries: work,
      blocks: work.map(({ block }) => block),
      next: 0,
      end: work.length,
    }
    this.running.add(running)
    return running
  }

  /** The next block has arrived, or is not needed any more. */
  arrived(assignment: Assignment): void {
    this.advance(this.find(assignment))
  }

  /** The source does not have the next block as it said. */
  lacks(assignment: Assignment): void {
    const running = this.find(assignment)
    const entry = running.entries[running.next] as Entry
    this.advance(running)
    this.giveBack([entry], running.source)
  }

  /** The call has ended. What did not arrive goes to others; with `failed` the source is not asked for it again. */
  ended(assignment: Assignment, how: 'complete' | 'failed'): void {
    const running = this.find(assignment)
    this.running.delete(running)
    const rest = running.entries.slice(running.next, running.end)
    this.giveBack(rest, how === 'failed' ? running.source : undefined)
  }

  /** The source is not asked for anything any more. */
  exclude(source: number): void {
    const { waiting } = this
    this.waiting = []
    this.giveBack(waiting, source)
  }

  private find(assignment: Assignment): Running {
    for (const running of this.running) if (running === assignment) return running
    throw new RangeError('an assignment that has ended')
  }

  private advance(running: Running): void {
    running.next++
  }

  private giveBack(entries: readonly Entry[], without: number | undefined): void {
    for (const entry of entries) {
      if (without !== undefined) entry.holders = entry.holders.filter((holder) => holder !== without)
      if (entry.holders.length > 0) this.waiting.push(entry)
      else this.lost.push(entry.block.local)
    }
  }

  private takeWaiting(source: number): Entry[] {
    const taken: Entry[] = []
    const left: Entry[] = []
    let bytes = 0
    let isFull = false
    for (const entry of this.waiting) {
      const { lengthBytes } = entry.block
      isFull ||=
        taken.length === this.limits.maxBlocks || (taken.length > 0 && bytes + lengthBytes > this.limits.maxBytes)
      if (isFull || !entry.holders.includes(source)) left.push(entry)
      else {
        taken.push(entry)
        bytes += lengthBytes
      }
    }
    this.waiting = left
    return taken.toSorted((a, b) => a.block.local - b.block.local)
  }

  /** The second half of the longest rest of another source, but for the block that is on its way. */
  private takeOver(source: number): Entry[] {
    let slowest: Running | undefined
    for (const running of this.running) {
      if (running.source === source || restBytes(running) <= (slowest === undefined ? 0 : restBytes(slowest))) continue
      if (running.end - running.next > 1) slowest = running
    }
    if (slowest === undefined) return []
    const from = slowest.next + Math.ceil((slowest.end - slowest.next) / 2)
    const half = slowest.entries.slice(from, slowest.end)
    const mine = half.filter(({ holders }) => holders.includes(source))
    if (mine.length === 0) return []
    slowest.end = from
    this.waiting.push(...half.filter((entry) => !mine.includes(entry)))
    return mine
  }
}

/** One byte more for each block, so that empty ones count. */
function restBytes({ blocks, next, end }: Running): number {
  let bytes = 0
  for (let i = next + 1; i < end; i++) bytes += (blocks[i] as WantedBlock).lengthBytes + 1
  return bytes
}
