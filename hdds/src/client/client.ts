/** The block client: finds the datanode of a container and calls it. */

import { StoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, DatanodeId, ScmLocationProtocol } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import type { BlockReceipt, BlockStore, BlockWriter, Datanode, ReadRange } from '../api/api.ts'

export interface BlockClientOptions {
  readonly locations: ScmLocationProtocol
  /** The datanode with this id, in this process or over the wire; undefined when it is not known. */
  readonly datanode: (id: DatanodeId) => Datanode | undefined
}

/** Places of containers that are remembered. */
const maxRememberedContainers = 16 * 1024

/** `BlockStore` over one replica per container. Places are remembered: containers do not move yet. */
export class BlockClient implements BlockStore {
  private readonly options: BlockClientOptions
  private readonly places = new LRUCache<ContainerId, Datanode>({ max: maxRememberedContainers })

  constructor(options: BlockClientOptions) {
    this.options = options
  }

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[]): Promise<BlockReceipt> {
    const datanode = this.places.get(block.container) ?? (await this.locate(block.container))
    return await datanode.writeBlock(block, pieces)
  }

  async openWriter(block: BlockId): Promise<BlockWriter> {
    const datanode = this.places.get(block.container) ?? (await this.locate(block.container))
    return await datanode.openWriter(block)
  }

  read(block: BlockId, range: ReadRange): AsyncIterable<Uint8Array> {
    const place = this.places.get(block.container)
    // The usual case costs no iterator of our own around the datanode's.
    if (place !== undefined) return place.read(block, range)
    return { [Symbol.asyncIterator]: () => this.readAfterLocating(block, range) }
  }

  async readSmall(block: BlockId, range: ReadRange): Promise<Uint8Array> {
    const datanode = this.places.get(block.container) ?? (await this.locate(block.container))
    return await datanode.readSmall(block, range)
  }

  private async *readAfterLocating(block: BlockId, range: ReadRange): AsyncGenerator<Uint8Array> {
    const datanode = await this.locate(block.container)
    yield* datanode.read(block, range)
  }

  /** Throws `ContainerNotFound`, `Unavailable`. */
  private async locate(container: ContainerId): Promise<Datanode> {
    for (const { datanode: id } of await this.options.locations.locate(container)) {
      const datanode = this.options.datanode(id)
      if (datanode === undefined) continue
      this.places.set(container, datanode)
      return datanode
    }
    throw new StoreError('Unavailable', `no datanode with container ${container} can be reached`, {
      details: { container },
    })
  }
}
