import type { ContainerId, LocalId } from '@o3/scm/api'
import type { Datanode, ReadRange } from '../api/api.ts'

export interface ListedBlock {
  readonly local: LocalId
  readonly lengthBytes: number
  /** As in `BlockReceipt`: what the encoder reads must have it. */
  readonly checksum?: number | undefined
}

/** Where an encoder takes blocks from: a replica that is here, or an encoding that is to be replaced. */
export interface BlockSource {
  /** In any order. */
  list(): Promise<readonly ListedBlock[]>
  /** At most 1 MiB. The errors of `BlockStore.readSmall`. */
  read(local: LocalId, range: ReadRange): Promise<Uint8Array>
  /** Of all blocks, where it is known. */
  contentHash(): Promise<string | undefined>
}

/** The replica of a closed container at a datanode. */
export function replicaSource(datanode: Datanode, container: ContainerId): BlockSource {
  return {
    list: async () => {
      const blocks = await datanode.listBlocks(container)
      return blocks.map(({ block, lengthBytes, checksum }) => ({ local: block.local, lengthBytes, checksum }))
    },
    read: (local, range) => datanode.readSmall({ container, local }, range),
    contentHash: async () => (await datanode.containers()).find(({ id }) => id === container)?.contentHash,
  }
}
