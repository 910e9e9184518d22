/**
 * The content hash of a container counted anew, from its index rows: where a record of an earlier release left it unknown,
 * where damage hides records, and to prove the sum that is kept.
 */

import type { LocalId } from '@o3/scm/api'
import { BlockChecksum } from '../core/block-checksum.ts'
import type { BlockRow } from '../core/block-row.ts'
import { emptyHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { blockKey, blockRange, localOfKey } from '../core/index-keys.ts'
import { planReads } from '../core/read-plan.ts'
import type { BlockIndex } from './block-index.ts'
import { readExtent } from './block-reader.ts'
import { crc32c } from './checksum.ts'
import { sourceOf } from './container-reads.ts'
import type { Container } from './container.ts'
import type { Pace } from './pace.ts'

/** Undefined as soon as a row has no checksum. Nothing may change the rows meanwhile. */
export async function countContent(index: BlockIndex, keyPrefix: string): Promise<ContentHash | undefined> {
  let hash: ContentHash | undefined = emptyHash
  await index.flush()
  await index.scan(blockRange(keyPrefix), (key, row) => {
    hash = withBlock(hash, { local: localOfKey(key), ...row })
    return hash === undefined ? 'stop' : undefined
  })
  return hash
}

/**
 * Reads the blocks whose checksum nobody knows, and counts. False when the container is open, is replaced meanwhile, or a
 * block cannot be read (it is reported): then the hash stays unknown.
 */
export async function settleContentHash(
  container: Container,
  { pace, signal }: { readonly pace: Pace; readonly signal?: AbortSignal },
): Promise<boolean> {
  if (container.ledger.contentHash !== undefined) return true
  if (!container.isSealed || container.isRemoved) return false
  const { scope, current: view } = container
  const unknown: LocalId[] = []
  await scope.index.flush()
  await scope.index.scan(blockRange(view.keyPrefix), (key, row) => {
    if (row.checksum === undefined) unknown.push(localOfKey(key))
  })
  const file = await view.file.acquire()
  try {
    const source = sourceOf(container, view, file)
    for (const local of unknown) {
      const row = await container.find(view, local)
      if (row === undefined) continue
      const checksum = await readChecksum({ container, source, local, row, pace, signal })
      await container.turns.run(async () => {
        // A row that a deletion has taken away meanwhile must not come back.
        if (container.current !== view || (await container.find(view, local)) === undefined) return
        scope.index.put(blockKey(view.keyPrefix, local), { ...row, checksum })
      })
    }
  } finally {
    view.file.release()
  }
  return await container.turns.run(async () => {
    if (container.current !== view || container.isRemoved) return false
    const hash = await countContent(scope.index, view.keyPrefix)
    if (hash !== undefined) container.setContentHash(hash)
    return hash !== undefined
  })
}

interface ChecksumRead {
  readonly container: Container
  readonly source: ReturnType<typeof sourceOf>
  readonly local: LocalId
  readonly row: BlockRow
  readonly pace: Pace
  readonly signal: AbortSignal | undefined
}

/** Throws `Damaged`, after telling the report. */
async function readChecksum({ container, source, local, row, pace, signal }: ChecksumRead): Promise<number> {
  const { buffers } = container
  const checksum = new BlockChecksum(crc32c)
  for (const read of planReads(row, 0, row.lengthBytes)) {
    const { bytes, header, buffer } = await readExtent(source, local, read, buffers)
    checksum.add([bytes], header.checksums)
    buffers.give(buffer)
    await pace.spend(bytes.length, signal)
  }
  return checksum.value()
}
