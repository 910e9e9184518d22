import type { ContainerId, LocalId } from '@o3/scm/api'
import type { Datanode } from '../api/api.ts'

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
  /** Fills `target`, at most 1 MiB, with the bytes from `offset` on. The errors of `BlockStore.readSmall`. */
  copy(local: LocalId, offset: number, target: Uint8Array): Promise<void>
  /** Of all blocks, where it is known. */
  contentHash(): Promise<string | undefined>
}

/** From here on the buffers of a stream, which are used again, cost less than fresh memory. */
const worthAStreamBytes = 256 * 1024

/** The replica of a closed container at a datanode. */
export function replicaSource(datanode: Datanode, container: ContainerId): BlockSource {
  return {
    list: async () => {
      const blocks = await datanode.listBlocks(container)
      return blocks.map(({ block, lengthBytes, checksum }) => ({ local: block.local, lengthBytes, checksum }))
    },
    copy: async (local, offset, target) => {
      const block = { container, local }
      const range = { offset, length: target.length }
      if (target.length < worthAStreamBytes) return target.set(await datanode.readSmall(block, range))
      let at = 0
      for await (const piece of datanode.read(block, range)) {
        target.set(piece, at)
        at += piece.length
      }
    },
    contentHash: async () => (await datanode.containers()).find(({ id }) => id === container)?.contentHash,
  }
}
