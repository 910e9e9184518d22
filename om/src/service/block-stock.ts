/**
 * Block ids of SCM, kept ahead of need, so that a lease rarely waits for SCM. In memory: what is lost was never written to.
 *
 * The stock outlives the term in which it was taken. SCM never hands a block out twice, so while another member of OM leads
 * it has a stock of its own, and a member that leads again may grant what it has left: nobody else ever got it. Blocks that
 * may have been granted do not come back into the stock (a grant of unknown outcome keeps them), whoever leads. What does
 * not keep is the hope that their containers are still open, and for that the age counts, terms or not: `stockMaxAgeMs`, by
 * a clock that is this process's own.
 */

import type { Clock } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { BlockRange, ReplicationConfig, ScmBlockProtocol } from '@o3/scm/api'
import type { OmConfig } from '../config.ts'

interface Shelf {
  ranges: BlockRange[]
  blocks: number
  filledMs: number
  refill: Promise<void> | undefined
}

export interface BlockStockParts {
  readonly scm: ScmBlockProtocol
  readonly clock: Clock
  readonly config: OmConfig
  readonly log: Logger
}

export class BlockStock {
  private readonly scm: ScmBlockProtocol
  private readonly clock: Clock
  private readonly config: OmConfig
  private readonly log: Logger
  private readonly shelves = new Map<ReplicationConfig, Shelf>()

  constructor(parts: BlockStockParts) {
    this.scm = parts.scm
    this.clock = parts.clock
    this.config = parts.config
    this.log = parts.log
  }

  /** Blocks that nobody else gets. Waits for SCM only when the shelf is too empty; what SCM refuses, this refuses. */
  async take(count: number, replication: ReplicationConfig): Promise<readonly BlockRange[]> {
    const shelf = this.shelf(replication)
    if (this.clock.monotonicMs() - shelf.filledMs > this.config.stockMaxAgeMs) clear(shelf)
    while (shelf.blocks < count) await this.refill(shelf, replication, count)
    const taken = takeFrom(shelf, count)
    if (shelf.blocks * 4 < this.config.stockBlocks) {
      this.refill(shelf, replication, 0).catch((error: unknown) =>
        this.log.warn({ error }, 'no further blocks; the next lease asks again'),
      )
    }
    return taken
  }

  /** Takes blocks back that were taken and surely never granted. */
  giveBack(ranges: readonly BlockRange[], replication: ReplicationConfig): void {
    const shelf = this.shelf(replication)
    shelf.ranges.unshift(...ranges)
    shelf.blocks += blocksIn(ranges)
  }

  private shelf(replication: ReplicationConfig): Shelf {
    let shelf = this.shelves.get(replication)
    if (shelf === undefined) {
      shelf = { ranges: [], blocks: 0, filledMs: this.clock.monotonicMs(), refill: undefined }
      this.shelves.set(replication, shelf)
    }
    return shelf
  }

  /** One request to SCM at a time for each shelf; who comes meanwhile waits for it. */
  private refill(shelf: Shelf, replication: ReplicationConfig, atLeast: number): Promise<void> {
    shelf.refill ??= this.fetch(shelf, replication, Math.max(atLeast, this.config.stockBlocks)).finally(() => {
      shelf.refill = undefined
    })
    return shelf.refill
  }

  private async fetch(shelf: Shelf, replication: ReplicationConfig, count: number): Promise<void> {
    const ranges = await this.scm.allocateBlocks({ count, replication })
    shelf.ranges.push(...ranges)
    shelf.blocks += blocksIn(ranges)
    shelf.filledMs = this.clock.monotonicMs()
  }
}

function clear(shelf: Shelf): void {
  shelf.ranges = []
  shelf.blocks = 0
}

function takeFrom(shelf: Shelf, count: number): BlockRange[] {
  const taken: BlockRange[] = []
  let wanted = count
  while (wanted > 0) {
    const first = shelf.ranges[0]
    if (first === undefined) break
    const part = Math.min(wanted, first.count)
    taken.push({ ...first, count: part })
    if (part === first.count) shelf.ranges.shift()
    else shelf.ranges[0] = { ...first, firstLocal: first.firstLocal + part, count: first.count - part }
    wanted -= part
  }
  shelf.blocks -= count
  return taken
}

function blocksIn(ranges: readonly BlockRange[]): number {
  return ranges.reduce((total, { count }) => total + count, 0)
}
