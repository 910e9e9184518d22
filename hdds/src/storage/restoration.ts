/**
 * Blocks that other replicas have, brought into a container: a copy that is being made, or a sealed replica that lacks some.
 * They are written like any other, synced, with their rows in the index; behind a seal as well, where nobody else writes.
 *
 * What is asked to be deleted meanwhile does not come back: its id is refused from then on, whether the block was here or
 * was still to come.
 */

import type { LocalId } from '@o3/scm/api'
import { SparseBits } from '../core/sparse-bits.ts'
import type { Container, RestorationWatch } from './container.ts'
import type { ContainerWriter } from './container-writer.ts'

export class Restoration implements RestorationWatch {
  readonly container: Container
  private readonly refused = new SparseBits()
  private readonly ending: { end(): Promise<void> }
  private ended: Promise<void> | undefined

  /** `Busy` when the container is being restored already. Compaction must have ended. */
  constructor(container: Container) {
    this.container = container
    this.ending = container.startRestoration(this)
  }

  refuse(local: LocalId): void {
    this.refused.add(local)
  }

  /** Durable when it resolves. False: it is here, or was deleted. `OutOfSpace`, `VolumeFailed`, `ContainerNotFound`, `Closed`. */
  async writeBlock(local: LocalId, pieces: readonly Uint8Array[]): Promise<boolean> {
    if (!(await this.isWanted(local))) return false
    await this.container.appendWhole(local, pieces)
    return true
  }

  /** The same for a large one; undefined: it is here, or was deleted. */
  async openWriter(local: LocalId): Promise<ContainerWriter | undefined> {
    return (await this.isWanted(local)) ? this.container.startWriter(local) : undefined
  }

  /** Nothing is under way any more. Idempotent. */
  end(): Promise<void> {
    this.ended ??= this.ending.end()
    return this.ended
  }

  private async isWanted(local: LocalId): Promise<boolean> {
    const { container } = this
    if (container.scope.index.isBehind) await container.scope.index.catchUp()
    const known = (await container.find(container.current, local)) !== undefined
    // No turn is given away from here to the queue.
    container.assertWritable()
    return !known && !this.refused.has(local)
  }
}
