/**
 * Gives back the space of deleted blocks: the live blocks of a sealed container are copied into the next generation of
 * its file, then the readers switch, then the old file goes.
 *
 * Order is everything. (1) The new file is complete and durable, its name too. (2) Readers and deletions use it.
 * (3) The old file is removed when its last reader has finished. A crash before (1) leaves the old file alone, one after
 * it leaves both, and the start takes the higher generation. Deletions wait from the last look at them until (2), so
 * none is written to a file that is about to be replaced.
 */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import { BlockChecksum } from '../core/block-checksum.ts'
import { storedBytes } from '../core/block-row.ts'
import type { BlockRow } from '../core/block-row.ts'
import { blockKey, blockKeyPrefix, blockRange, localOfKey } from '../core/index-keys.ts'
import type { LocalRun } from '../core/tombstone.ts'
import { runsOf } from '../core/tombstone.ts'
import { emptyHash, withBlock } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { readExtent } from './block-reader.ts'
import type { ReadSource } from './block-reader.ts'
import { crc32c } from './checksum.ts'
import type { ContainerView } from './container-view.ts'
import type { Container } from './container.ts'
import { sourceOf } from './container-reads.ts'
import type { CommittedBlock } from './container-writer.ts'
import type { DataDisk } from './data-disk.ts'
import { GenerationWriter } from './generation-writer.ts'
import type { IndexedBlock } from './generation-writer.ts'
import type { Pace } from './pace.ts'

export interface CompactionOptions {
  readonly disk: DataDisk
  readonly container: Container
  readonly pace: Pace
  readonly signal: AbortSignal | undefined
}

const rowsPerBatch = 512

/**
 * The bytes given back; 0 when the container was found damaged, was deleted or was given blocks of other replicas meanwhile. Rejects with `OutOfSpace`
 * (nothing is changed) and `VolumeFailed`.
 */
export async function compactContainer(options: CompactionOptions): Promise<number> {
  const { disk, container } = options
  const { scope } = container
  const old = container.current
  const name = { container: container.id, generation: container.generation + 1 }
  const keyPrefix = blockKeyPrefix(name.container, name.generation)
  const writer = await GenerationWriter.create(scope, name)
  const deletions = container.watchDeletions()
  const { restorationsBegun } = container
  let oldBytes = 0
  let switched = false
  try {
    // Rows of an attempt that a crash or an error ended.
    await scope.index.deleteRange(blockRange(keyPrefix))
    await copyBlocks(options, writer, { old, keyPrefix })
    scope.env.at('hdds.compact.copied')
    await container.turns.run(async () => {
      if (container.isRemoved) throw gone()
      // Blocks that came meanwhile are not in the copy.
      if (container.isRestored || container.restorationsBegun !== restorationsBegun) throw restored()
      const replacing = container.startReplacing()
      try {
        await repeatDeletions({ container, writer, keyPrefix, runs: deletions.runs })
        await writer.finish()
        scope.env.at('hdds.compact.before-switch')
        oldBytes = container.ledger.usedBytes
        container.switchTo(disk.newFile(name), writer.ledger)
        switched = true
      } finally {
        replacing.end()
      }
    })
  } catch (error) {
    if (!switched) await abandon(container, writer, keyPrefix)
    if (isStoreError(error, 'ContainerNotFound', 'Damaged', 'Busy')) return 0
    throw error
  } finally {
    deletions.end()
  }
  await checkpointIfRoom(disk)
  await disk.removals.removeWhenUnused(old)
  return Math.max(0, oldBytes - writer.ledger.usedBytes)
}

/** The index follows before the old file goes: then a start need not read the new one. No more depends on it. */
async function checkpointIfRoom(disk: DataDisk): Promise<void> {
  try {
    await disk.checkpointIndex()
  } catch (error) {
    if (!isStoreError(error, 'OutOfSpace')) throw error
  }
}

function restored(): StoreError {
  return new StoreError('Busy', 'the container was given blocks of other replicas')
}

function gone(): StoreError {
  return new StoreError('ContainerNotFound', 'the container was deleted')
}

async function abandon(container: Container, writer: GenerationWriter, keyPrefix: string): Promise<void> {
  const { scope } = container
  if (scope.health.failed !== undefined) return
  try {
    await writer.discard()
    await scope.index.deleteRange(blockRange(keyPrefix))
  } catch (error) {
    // An unfinished file is removed by the next start, or by the next attempt.
    scope.log.warn({ container: container.id, error }, 'an unfinished compaction could not be cleaned away')
  }
}

interface Copy {
  readonly old: ContainerView
  readonly keyPrefix: string
}

async function copyBlocks(
  options: CompactionOptions,
  writer: GenerationWriter,
  { old, keyPrefix }: Copy,
): Promise<void> {
  const { container } = options
  const { index } = container.scope
  const file = await old.file.acquire()
  try {
    const source = sourceOf(container, old, file)
    let copied: IndexedBlock[] = []
    const store = async (): Promise<void> => {
      await index.writeRows(copied.map(({ local, row }) => ({ key: blockKey(keyPrefix, local), row })))
      copied = []
    }
    await index.flush()
    await index.scan(blockRange(old.keyPrefix), async (key, row) => {
      const block = await copyBlock({ ...options, writer, source }, localOfKey(key), row)
      copied.push(block)
      if (copied.length === rowsPerBatch) await store()
    })
    await store()
  } finally {
    old.file.release()
  }
}

interface BlockCopy extends CompactionOptions {
  readonly writer: GenerationWriter
  readonly source: ReadSource
}

async function copyBlock(copy: BlockCopy, local: LocalId, row: BlockRow): Promise<IndexedBlock> {
  const { writer, source, pace, signal, container } = copy
  let blockOffset = 0
  let block: IndexedBlock | undefined
  const checksum = new BlockChecksum(crc32c)
  for (const extent of row.extents) {
    if (container.isRemoved) throw gone()
    const all = { extent, blockOffset, from: 0, to: extent.length }
    const { header, bytes, buffer } = await readExtent(source, local, all, container.buffers)
    try {
      if (!row.whole) checksum.add([bytes], header.checksums)
      block = await writer.data({ local, whole: row.whole, blockOffset, checksums: header.checksums }, bytes)
    } finally {
      container.buffers.give(buffer)
    }
    blockOffset += extent.length
    await pace.spend(extent.length, signal)
  }
  if (!row.whole) block = await writer.commit(local, committed(row, checksum.value()))
  if (block === undefined) throw new StoreError('Internal', 'a copied block did not become one')
  return block
}

/** The checksum that the block had is kept: what does not match it is a finding of the scrubber, and must stay one. */
function committed({ lengthBytes, checksum }: BlockRow, counted: number): CommittedBlock {
  return { lengthBytes, checksum: checksum ?? counted }
}

interface Repetition {
  readonly container: Container
  readonly writer: GenerationWriter
  readonly keyPrefix: string
  readonly runs: readonly LocalRun[]
}

/** Blocks that were copied and then deleted are deleted in the new file as well. */
async function repeatDeletions({ container, writer, keyPrefix, runs }: Repetition): Promise<void> {
  const { index } = container.scope
  for (const { first, count } of runs) {
    const locals = Array.from({ length: count }, (_, i) => first + i)
    const keys = locals.map((local) => blockKey(keyPrefix, local))
    const rows = await index.getMany(keys)
    const found = locals.filter((_, i) => rows[i] !== undefined)
    if (found.length === 0) continue
    let freedBytes = 0
    let hash: ContentHash | undefined = emptyHash
    for (const [i, row] of rows.entries()) {
      if (row === undefined) continue
      freedBytes += storedBytes(row)
      hash = withBlock(hash, { local: locals[i] as LocalId, ...row })
    }
    await writer.tombstone({ runs: runsOf(found), blocks: found.length, freedBytes, hash })
    for (const local of found) index.delete(blockKey(keyPrefix, local))
  }
}
