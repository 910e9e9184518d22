/** Blocks on disks against blocks that keys name. */

import type { BlockInfo } from '@o3/hdds/api'
import type { ReferencedBlocks } from '@o3/om/module'
import type { BlockId, ContainerId, LocalId } from '@o3/scm/api'

export interface Comparison {
  readonly missing: readonly BlockId[]
  readonly tooShort: readonly (BlockInfo & { readonly neededBytes: number })[]
  readonly needed: number
  readonly orphans: number
}

export class BlockCensus {
  private readonly lengths = new Map<ContainerId, Map<LocalId, number>>()
  private count = 0

  get size(): number {
    return this.count
  }

  add({ block, lengthBytes }: BlockInfo): void {
    const container = this.lengths.get(block.container) ?? new Map<LocalId, number>()
    this.lengths.set(block.container, container)
    container.set(block.local, lengthBytes)
    this.count++
  }

  compare(referenced: ReferencedBlocks): Comparison {
    const missing: BlockId[] = []
    const tooShort: (BlockInfo & { neededBytes: number })[] = []
    let needed = 0
    for (const [container, blocks] of referenced) {
      const found = this.lengths.get(container)
      for (const [local, neededBytes] of blocks) {
        needed++
        const block = { container, local }
        const lengthBytes = found?.get(local)
        if (lengthBytes === undefined) missing.push(block)
        else if (lengthBytes < neededBytes) tooShort.push({ block, lengthBytes, neededBytes })
      }
    }
    return { missing, tooShort, needed, orphans: this.count - (needed - missing.length) }
  }
}
