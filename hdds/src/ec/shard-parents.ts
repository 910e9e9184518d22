import { isStoreError } from '@o3/common/errors'
import type { ContainerId } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import { atMost } from '../core/at-most.ts'
import type { BlockStore } from '../api/api.ts'
import { decodeDescriptor, descriptorBytes } from '../core/ec/shard-descriptor.ts'
import { descriptorLocal } from '../core/ec/shard-locals.ts'

const maxRemembered = 16 * 1024

/**
 * Whose shards the containers of this datanode are, as their descriptors say; for `TokenCheck.shardOf`. A descriptor is written
 * once, when its shard is whole, so what it says is remembered; that there is none yet is not.
 */
export class ShardParents {
  private readonly blocks: Pick<BlockStore, 'readSmall'>
  private readonly parents = new LRUCache<ContainerId, ContainerId>(atMost(maxRemembered))

  constructor(blocks: Pick<BlockStore, 'readSmall'>) {
    this.blocks = blocks
  }

  /**
   * Undefined for a container that is no shard, or not whole yet. Rejects when its descriptor cannot be read; `ContainerNotFound`
   * when it is not here, also if it was: a reader with a place that is out of date must not take that for a refusal.
   */
  readonly of = (container: ContainerId): ContainerId | undefined | Promise<ContainerId | undefined> =>
    this.parents.get(container) ?? this.read(container)

  private async read(container: ContainerId): Promise<ContainerId | undefined> {
    try {
      const block = { container, local: descriptorLocal }
      const { parent } = decodeDescriptor(await this.blocks.readSmall(block, { offset: 0, length: descriptorBytes }))
      this.parents.set(container, parent)
      return parent
    } catch (error) {
      if (isStoreError(error, 'BlockNotFound')) return undefined
      throw error
    }
  }
}
