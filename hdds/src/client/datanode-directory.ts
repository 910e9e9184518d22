import type { DatanodeId } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import type { Datanode, PipelineMembership, ReplicaSource } from '../api/api.ts'
import { parseAddress } from './address.ts'
import type { DatanodeChannelOptions } from './datanode-channel.ts'
import { RemoteDatanode } from './remote-datanode.ts'
import type { RemoteDatanodeOptions } from './remote-datanode.ts'

export interface DatanodeDirectoryOptions
  extends Omit<DatanodeChannelOptions, 'id' | 'address'>, Pick<RemoteDatanodeOptions, 'deadlineMs'> {
  /** The datanode of this process, where there is one: it is called directly. */
  readonly local?: Datanode & ReplicaSource & PipelineMembership
  /** Remote datanodes with connections. Beyond it those that were not asked for longest close theirs. Default 256. */
  readonly maxDatanodes?: number
}

interface Entry {
  readonly address: string
  readonly datanode: RemoteDatanode
}

/** The datanodes that this process talks to: one `RemoteDatanode` each, at the address where it was last said to be. */
export class DatanodeDirectory {
  private readonly options: DatanodeDirectoryOptions
  private readonly entries: LRUCache<DatanodeId, Entry>
  private isClosed = false

  constructor(options: DatanodeDirectoryOptions) {
    this.options = options
    this.entries = new LRUCache<DatanodeId, Entry>({
      max: options.maxDatanodes ?? 256,
      dispose: ({ datanode }) => (this.isClosed ? datanode.close() : datanode.retire()),
    })
  }

  /**
   * Undefined for a datanode without an address that is not of this process. One that has moved is called at its new
   * address; calls that have begun at the old one go on there. `Incompatible` for what is no address.
   */
  readonly find = (
    id: DatanodeId,
    address: string | undefined,
  ): (Datanode & ReplicaSource & PipelineMembership) | undefined => {
    const { local } = this.options
    if (local?.id === id) return local
    if (address === undefined) return undefined
    const known = this.entries.get(id)
    if (known?.address === address) return known.datanode
    const datanode = this.connect(id, address)
    this.entries.set(id, { address, datanode })
    return datanode
  }

  /** Closes every connection: calls under way reject, and later ones with `Closed`. Idempotent. */
  close(): void {
    this.isClosed = true
    this.entries.clear()
  }

  private connect(id: DatanodeId, address: string): RemoteDatanode {
    const { local: _local, maxDatanodes: _maxDatanodes, ...rest } = this.options
    const datanode = new RemoteDatanode({ ...rest, id, address: parseAddress(address) })
    if (this.isClosed) datanode.close()
    return datanode
  }
}
