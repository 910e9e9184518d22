import { StoreError, isStoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, DatanodeId, EcLayout, EcShard, LocalId } from '@o3/scm/api'
import type { Datanode, ReadRange, ReplicaAccess } from '../api/api.ts'
import { shapeOf, shardCount } from '../core/ec/ec-shape.ts'
import { descriptorLocal } from '../core/ec/shard-locals.ts'
import { isOfOneCandidate } from './some-of-many.ts'
import { decodeDescriptor, descriptorBytes } from '../core/ec/shard-descriptor.ts'
import type { ShardDescriptor } from '../core/ec/shard-descriptor.ts'

/** The datanode with this id, in this process or at this address; undefined when it is not known. */
export type FindDatanode = (id: DatanodeId, address: string | undefined) => Datanode | undefined

/** How shards are reached. */
export interface ShardDoors {
  readonly datanode: FindDatanode
  /** What a datanode wants to see before it lets a block of a shard be read or written. Default: nothing. */
  readonly access?: (block: BlockId) => ReplicaAccess | undefined
}

/** The shards of one encoded container, to be read. */
export class ShardReads {
  readonly parent: ContainerId
  readonly layout: EcLayout
  private readonly doors: ShardDoors

  /** `InvalidArgument` for a layout that is not of its policy. */
  constructor(parent: ContainerId, layout: EcLayout, doors: ShardDoors) {
    const count = shardCount(shapeOf(layout.policy))
    if (layout.shards.length !== count) throw new StoreError('InvalidArgument', `${layout.policy} has ${count} shards`)
    this.parent = parent
    this.layout = layout
    this.doors = doors
  }

  /** Bytes of one block of a shard, which the caller may keep. The errors of `readSmall`; `Unavailable` for a shard that is nowhere. */
  async read(shard: number, local: LocalId, range: ReadRange): Promise<Uint8Array> {
    const { container, replicas } = this.layout.shards[shard] as EcShard
    const block = { container, local }
    let failure: StoreError | undefined
    for (const { datanode: id, address } of replicas) {
      const datanode = this.doors.datanode(id, address)
      if (datanode === undefined) continue
      try {
        return await datanode.readSmall(block, range, this.doors.access?.(block))
      } catch (error) {
        if (!isOfOneCandidate(error)) throw error
        failure = error
      }
    }
    throw failure ?? this.nowhere(shard)
  }

  private nowhere(shard: number): StoreError {
    const container = this.layout.shards[shard]?.container ?? 0
    return new StoreError('Unavailable', `shard ${shard} of container ${this.parent} cannot be reached`, {
      details: { container, shard },
    })
  }

  /** `Damaged` when the shard is of something else. */
  async descriptor(shard: number): Promise<ShardDescriptor> {
    const bytes = await this.read(shard, descriptorLocal, { offset: 0, length: descriptorBytes })
    const descriptor = decodeDescriptor(bytes)
    const { parent, layout } = this
    if (descriptor.parent === parent && descriptor.policy === layout.policy && descriptor.shard === shard) {
      return descriptor
    }
    const { container } = layout.shards[shard] as EcShard
    throw new StoreError('Damaged', `container ${container} is not shard ${shard} of container ${parent}`, {
      details: { container, local: descriptorLocal, offset: 0, path: '' },
    })
  }
}

/** The descriptor of a shard that may not have been made to its end: then it is undefined. */
export async function descriptorIfWhole(reads: ShardReads, shard: number): Promise<ShardDescriptor | undefined> {
  try {
    return await reads.descriptor(shard)
  } catch (error) {
    if (isStoreError(error, 'BlockNotFound', 'ContainerNotFound')) return undefined
    throw error
  }
}
