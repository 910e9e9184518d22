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
import type { ReadSource } from './block-reader.ts'
import { crc32c } from './checksum.ts'
import { sourceOf } from './container-reads.ts'
import type { ContainerView } from './container-view.ts'
import type { Container } from './container.ts'
import type { Pace } from './pace.ts'
import type { ReadBuffers } from './read-buffers.ts'

/** Between two of these a deletion gets its turn. */
const blocksAtOnce = 256

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
export async function settleContentHash(container: Container, { pace, signal }: Patience): Promise<boolean> {
  if (container.ledger.contentHash !== undefined) return true
  if (!container.isSealed || container.isRemoved) return false
  const { scope, current: view } = container
  const unknown: LocalId[] = []
  await scope.index.flush()
  await scope.index.scan(blockRange(view.keyPrefix), (key, row) => {
    if (row.checksum === undefined) unknown.push(localOfKey(key))
  })
  for (let from = 0; from < unknown.length; from += blocksAtOnce) {
    const found = await readChecksums(container, view, unknown.slice(from, from + blocksAtOnce), { pace, signal })
    // A deletion has the turn and waits for the file: whoever waits for a turn holds no file.
    await container.turns.run(() => keepChecksums(container, view, found))
  }
  return await container.turns.run(async () => {
    if (container.current !== view || container.isRemoved) return false
    const hash = await countContent(scope.index, view.keyPrefix)
    if (hash !== undefined) container.setContentHash(hash)
    return hash !== undefined
  })
}

type Found = ReadonlyMap<LocalId, number>

interface Patience {
  readonly pace: Pace
  readonly signal?: AbortSignal | undefined
}

/** Of those that are still there. Throws `Damaged`, after telling the report. */
async function readChecksums(
  container: Container,
  view: ContainerView,
  locals: readonly LocalId[],
  { pace, signal }: Patience,
): Promise<Found> {
  const found = new Map<LocalId, number>()
  const { retiring } = view.file
  const until = signal === undefined ? retiring : AbortSignal.any([signal, retiring])
  const file = await view.file.acquire()
  try {
    const source = sourceOf(container, view, file)
    for (const local of locals) {
      const row = await container.find(view, local)
      if (row === undefined) continue
      found.set(local, await readChecksum(source, local, row, container.buffers))
      await pace.spend(row.lengthBytes, until)
    }
    return found
  } finally {
    view.file.release()
  }
}

async function readChecksum(source: ReadSource, local: LocalId, row: BlockRow, buffers: ReadBuffers): Promise<number> {
  const checksum = new BlockChecksum(crc32c)
  for (const read of planReads(row, 0, row.lengthBytes)) {
    const { bytes, header, buffer } = await readExtent(source, local, read, buffers)
    checksum.add([bytes], header.checksums)
    buffers.give(buffer)
  }
  return checksum.value()
}

/** Under `turns`: a row that a deletion has taken away meanwhile must not come back. */
async function keepChecksums(container: Container, view: ContainerView, found: Found): Promise<void> {
  for (const [local, checksum] of found) {
    if (container.current !== view || container.isRemoved) return
    const row = await container.find(view, local)
    if (row !== undefined) container.scope.index.put(blockKey(view.keyPrefix, local), { ...row, checksum })
  }
}
