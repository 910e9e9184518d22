/** A random program against a datanode: writes, streams, deletions and maintenance, many at a time, until it dies. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { SimRandom } from '@o3/common/env/sim'
import type { ContainerId } from '@o3/scm/api'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import type { BlockModel, ModelBlock } from './block-model.ts'
import { piecesOf } from './bytes.ts'

export interface ProgramOptions {
  readonly random: SimRandom
  readonly model: BlockModel
  /** True once an answer no longer counts: the process died before it was given. */
  readonly isDead: () => boolean
}

/** Codes with which a datanode may refuse work that it did not do. */
const refusals = ['OutOfSpace', 'Unavailable', 'ContainerNotFound', 'Aborted', 'InvalidArgument'] as const

export class Program {
  private readonly random: SimRandom
  private readonly model: BlockModel
  private readonly isDead: () => boolean
  private readonly nextLocal = new Map<ContainerId, number>()
  private firstContainer = 1

  constructor(options: ProgramOptions) {
    this.random = options.random
    this.model = options.model
    this.isDead = options.isDead
  }

  /** Some rounds of operations that run side by side. */
  async run(datanode: LocalDatanode, rounds: number): Promise<void> {
    for (let round = 0; round < rounds && !this.isDead(); round++) {
      const operations = Array.from({ length: 1 + this.random.below(6) }, () => this.operation(datanode))
      await Promise.all(operations)
      if (this.random.chance(0.15)) this.firstContainer++
    }
  }

  private async operation(datanode: LocalDatanode): Promise<void> {
    const draw = this.random.fraction()
    if (draw < 0.45) await this.writeBlock(datanode)
    else if (draw < 0.65) await this.stream(datanode)
    else if (draw < 0.82) await this.delete(datanode)
    else if (draw < 0.87) await this.closeContainer(datanode)
    else if (draw < 0.93) await this.tolerate(() => datanode.compact())
    else if (draw < 0.98) await this.tolerate(() => datanode.dataDisks[0]?.checkpointIndex() ?? Promise.resolve())
    else await this.readOne(datanode)
  }

  private newBlock(lengthBytes: number): ModelBlock {
    const container = this.firstContainer + this.random.below(2)
    const local = (this.nextLocal.get(container) ?? 0) + 1
    this.nextLocal.set(container, local)
    return this.model.add({ container, local }, lengthBytes)
  }

  private async writeBlock(datanode: LocalDatanode): Promise<void> {
    const entry = this.newBlock(this.size())
    const pieces = piecesOf(entry.content, 1 + this.random.below(5000))
    await this.settle(entry, async () => {
      await datanode.writeBlock(entry.block, pieces)
    })
  }

  private async stream(datanode: LocalDatanode): Promise<void> {
    const entry = this.newBlock(this.random.below(4) * 25_000 + this.random.below(10_000))
    const givesUp = this.random.chance(0.2)
    await this.settle(entry, async () => {
      const writer = await datanode.openWriter(entry.block)
      try {
        for (const piece of piecesOf(entry.content, 1000 + this.random.below(70_000))) await writer.write([piece])
        if (!givesUp) await writer.commit()
      } finally {
        if (givesUp) await writer.abort()
      }
      if (givesUp) throw new StoreError('Aborted', 'as planned')
    })
  }

  private async delete(datanode: LocalDatanode): Promise<void> {
    const candidates = this.model.blocks.filter(({ state }) => state === 'acknowledged' || state === 'vanishing')
    const chosen = candidates[this.random.below(Math.max(1, candidates.length))]
    if (chosen === undefined) return
    const { container, local } = chosen.block
    // A run of ids around it; the ones that have no block, or one under way, are none of this deletion's business.
    const run = candidates.filter(({ block }) => block.container === container && Math.abs(block.local - local) < 3)
    for (const entry of run) entry.state = 'vanishing'
    const ranges = run.map(({ block }) => ({ container, firstLocal: block.local, count: 1 }))
    await this.tolerate(async () => {
      await datanode.deleteBlocks(ranges)
      if (!this.isDead()) for (const entry of run) entry.state = 'absent'
    })
  }

  private async closeContainer(datanode: LocalDatanode): Promise<void> {
    const reports = datanode.containers().filter(({ state }) => state === 'OPEN')
    const chosen = reports[this.random.below(Math.max(1, reports.length))]
    if (chosen !== undefined) await this.tolerate(() => datanode.closeContainer(chosen.id))
  }

  private async readOne(datanode: LocalDatanode): Promise<void> {
    const chosen = this.model.blocks[this.random.below(Math.max(1, this.model.blocks.length))]
    if (chosen?.state !== 'acknowledged' || chosen.lengthBytes === 0) return
    const offset = this.random.below(chosen.lengthBytes)
    const length = 1 + this.random.below(chosen.lengthBytes - offset)
    await this.tolerate(() => datanode.readSmall(chosen.block, { offset, length }), ['BlockNotFound'])
  }

  private size(): number {
    const draw = this.random.fraction()
    if (draw < 0.1) return this.random.below(3)
    if (draw < 0.85) return this.random.below(5000)
    return this.random.below(80_000)
  }

  private async settle(entry: ModelBlock, write: () => Promise<void>): Promise<void> {
    try {
      await write()
      if (!this.isDead()) entry.state = 'acknowledged'
    } catch (error) {
      if (this.isDead()) return
      if (!isStoreError(error, ...refusals)) throw error
      // Refused or given up while the process lives: nothing of it may be seen, now or later.
      entry.state = isStoreError(error, 'OutOfSpace') ? 'unknown' : 'absent'
    }
  }

  private async tolerate(action: () => Promise<unknown>, codes: readonly 'BlockNotFound'[] = []): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (this.isDead() || isStoreError(error, ...refusals, ...codes)) return
      throw error
    }
  }
}
