/** The block client: finds the datanode of a container and calls it. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, DatanodeId, ScmLocationProtocol } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import type { BlockAccess, BlockReceipt, BlockStore, BlockWriter, Datanode, ReadRange } from '../api/api.ts'

export interface BlockClientOptions {
  readonly locations: ScmLocationProtocol
  /** The datanode with this id, in this process or at this address; undefined when it is not known. */
  readonly datanode: (id: DatanodeId, address: string | undefined) => Datanode | undefined
}

/** A datanode, shared by all its containers: where it was last said to be. */
interface Place {
  readonly id: DatanodeId
  address: string | undefined
}

/** Places of containers that are remembered. */
const maxRememberedContainers = 16 * 1024
const maxRememberedDatanodes = 4 * 1024

/**
 * `BlockStore` over one replica per container. Places are remembered until one turns out to be wrong: then SCM is asked
 * again, and when it names another place the call is made there. `writeBlock` whose outcome is not known is made once more
 * at the same place, because the same block with the same bytes is answered like the first time.
 */
export class BlockClient implements BlockStore {
  private readonly options: BlockClientOptions
  private readonly containers = new LRUCache<ContainerId, Place>({ max: maxRememberedContainers })
  private readonly datanodes = new LRUCache<DatanodeId, Place>({ max: maxRememberedDatanodes })

  constructor(options: BlockClientOptions) {
    this.options = options
  }

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: BlockAccess): Promise<BlockReceipt> {
    return await this.at(block.container, (datanode) => writeOnceMore(() => datanode.writeBlock(block, pieces, access)))
  }

  async openWriter(block: BlockId, access?: BlockAccess): Promise<BlockWriter> {
    return await this.at(block.container, (datanode) => datanode.openWriter(block, access))
  }

  read(block: BlockId, range: ReadRange, access?: BlockAccess): AsyncIterable<Uint8Array> {
    const place = this.containers.get(block.container)
    // The usual case in one process costs no iterator of our own around the datanode's.
    const local = place?.address === undefined ? this.known(place) : undefined
    if (local !== undefined) return local.read(block, range, access)
    return { [Symbol.asyncIterator]: () => this.readFrom(block, range, access) }
  }

  async readSmall(block: BlockId, range: ReadRange, access?: BlockAccess): Promise<Uint8Array> {
    return await this.at(block.container, (datanode) => datanode.readSmall(block, range, access))
  }

  /** What broke before the first piece may be read elsewhere; afterwards the reader has begun. */
  private async *readFrom(
    block: BlockId,
    range: ReadRange,
    access: BlockAccess | undefined,
  ): AsyncGenerator<Uint8Array, undefined> {
    const { pieces, step } = await this.at(block.container, async (datanode) => {
      const begun = datanode.read(block, range, access)[Symbol.asyncIterator]()
      return { pieces: begun, step: await begun.next() }
    })
    try {
      for (let next = step; next.done !== true; next = await pieces.next()) yield next.value
    } finally {
      await pieces.return?.()
    }
  }

  private async at<T>(container: ContainerId, act: (datanode: Datanode) => Promise<T>): Promise<T> {
    const place = this.containers.get(container)
    const datanode = this.known(place)
    if (place === undefined || datanode === undefined) return await act((await this.locate(container)).datanode)
    const { address } = place
    try {
      return await act(datanode)
    } catch (error) {
      if (address === undefined || !mayHaveMoved(error)) throw error
      this.containers.delete(container)
      const found = await this.locateAgain(container, error)
      if (found.place.id === place.id && found.place.address === address) throw error
      return await act(found.datanode)
    }
  }

  private known(place: Place | undefined): Datanode | undefined {
    return place === undefined ? undefined : this.options.datanode(place.id, place.address)
  }

  /** Throws `ContainerNotFound`, `Unavailable`. */
  private async locate(container: ContainerId): Promise<{ readonly place: Place; readonly datanode: Datanode }> {
    for (const { datanode: id, address } of (await this.options.locations.locate(container)).replicas) {
      const place = this.datanodes.get(id) ?? { id, address }
      place.address = address
      this.datanodes.set(id, place)
      const datanode = this.known(place)
      if (datanode === undefined) continue
      this.containers.set(container, place)
      return { place, datanode }
    }
    throw new StoreError('Unavailable', `no datanode with container ${container} can be reached`, {
      details: { container },
    })
  }

  /** Where SCM cannot say, the first failure is the answer. */
  private async locateAgain(
    container: ContainerId,
    failure: unknown,
  ): Promise<{ readonly place: Place; readonly datanode: Datanode }> {
    try {
      return await this.locate(container)
    } catch (error) {
      if (isStoreError(error, 'ContainerNotFound')) throw error
      throw failure
    }
  }
}

/** None of these has happened: the block is not there, and was not written. */
function mayHaveMoved(error: unknown): boolean {
  return isStoreError(error, 'Unavailable', 'ContainerNotFound')
}

async function writeOnceMore(write: () => Promise<BlockReceipt>): Promise<BlockReceipt> {
  try {
    return await write()
  } catch (error) {
    if (!isStoreError(error, 'OutcomeUnknown')) throw error
    try {
      return await write()
    } catch (second) {
      // It is no more known than before, unless the datanode has said something about the block.
      throw isStoreError(second, 'Unavailable', 'Busy', 'DeadlineExceeded') ? error : second
    }
  }
}
