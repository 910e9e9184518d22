/** Where two replicas say different things of one block: who can prove what it says. */

import { StoreError, isStoreError } from '@o3/common/errors'
import { maxChunkBytes } from '../api/api.ts'
import type { ReplicaSource } from '../api/api.ts'
import { BlockChecksum } from '../core/block-checksum.ts'
import type { HashedBlock } from '../core/content-hash.ts'
import type { ListedBlock } from '../core/copy-plan.ts'
import { crc32c, unitChecksums } from '../storage/checksum.ts'
import { readPieces } from '../storage/container-reads.ts'
import type { Container } from '../storage/container.ts'
import type { FetchScope } from './block-fetch.ts'
import { FrameReader } from './frame-reader.ts'

/** Whether the source sends bytes that match what it lists. */
export async function provesItself(scope: FetchScope, source: ReplicaSource, block: HashedBlock): Promise<boolean> {
  const { container, pace, signal } = scope
  const range = { container, firstLocal: block.local, count: 1 }
  const frames = new FrameReader(source.readBlocks([range]), scope)
  try {
    const head = await frames.head()
    if (head.kind !== 'block' || head.local !== block.local || head.lengthBytes !== block.lengthBytes) return false
    const checksum = new BlockChecksum(crc32c)
    for (let left = block.lengthBytes; left > 0;) {
      const pieces = await frames.take(Math.min(left, maxChunkBytes))
      checksum.add(pieces, unitChecksums(pieces))
      const length = Math.min(left, maxChunkBytes)
      left -= length
      await pace.spend(length, signal)
    }
    return checksum.value() === block.checksum
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof StoreError)) throw error
    return false
  } finally {
    frames.close()
  }
}

/** Whether the block of this replica is what its index says. What is not has been reported. */
export async function isSoundHere(
  container: Container,
  { local, lengthBytes, checksum }: ListedBlock,
): Promise<boolean> {
  const { buffers } = container
  const found = new BlockChecksum(crc32c)
  try {
    const range = { offset: 0, length: lengthBytes }
    for await (const piece of readPieces({ container: () => container, local, range, buffers })) {
      found.add([piece], unitChecksums([piece]))
    }
  } catch (error) {
    if (isStoreError(error, 'Damaged', 'BlockNotFound', 'InvalidRange')) return false
    throw error
  }
  return checksum === undefined || found.value() === checksum
}

export function sameVersion(a: ListedBlock, b: ListedBlock): boolean {
  return a.lengthBytes === b.lengthBytes && a.checksum === b.checksum
}
