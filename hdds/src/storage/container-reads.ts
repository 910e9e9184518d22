/** The reading side of a container: from a block and a range to verified bytes. */

import { StoreError } from '@o3/common/errors'
import type { DiskFile } from '@o3/common/env'
import type { LocalId } from '@o3/scm/api'
import type { ReadAccess, ReadRange } from '../api/api.ts'
import type { BlockRow } from '../core/block-row.ts'
import { planReads } from '../core/read-plan.ts'
import { BlockPieces } from './block-pieces.ts'
import { readExtent } from './block-reader.ts'
import type { ReadSource } from './block-reader.ts'
import type { ContainerView } from './container-view.ts'
import type { Container } from './container.ts'
import { proveHere, uninitialised } from './read-buffers.ts'
import type { ReadBuffers, ReadMemory } from './read-buffers.ts'

export interface SmallRead {
  readonly local: LocalId
  readonly range: ReadRange
  readonly access?: ReadAccess | undefined
}

/**
 * The range in one piece, which the caller may keep. `BlockNotFound`, `InvalidRange`, `Damaged`; the reason of the signal, which
 * is looked at whenever the read had to wait for something.
 */
export async function readSmall(container: Container, { local, range, access }: SmallRead): Promise<Uint8Array> {
  const view = container.current
  const held = view.file.acquire()
  const file = held instanceof Promise ? await held : held
  try {
    const found = container.find(view, local)
    const row = assertFound(container, local, found instanceof Promise ? await found : found)
    if (held instanceof Promise || found instanceof Promise) assertWanted(access)
    assertInside(row, range)
    const reads = planReads(row, range.offset, range.length)
    const source = sourceOf(container, view, file)
    const [only] = reads
    if (only === undefined) return new Uint8Array(0)
    if (reads.length === 1) return (await readExtent(source, local, only, keptBuffers)).bytes
    const out = uninitialised(range.length)
    for (const read of reads) {
      if (read !== only) assertWanted(access)
      const piece = await readExtent(source, local, read, container.buffers)
      out.set(piece.bytes, read.blockOffset + read.from - range.offset)
      container.buffers.give(piece.buffer)
    }
    return out
  } finally {
    view.file.release()
  }
}

/** Throws the reason of a signal that is aborted. */
export function assertWanted(access: ReadAccess | undefined): void {
  const signal = access?.signal
  if (signal?.aborted === true) throw signal.reason
}

export interface PieceReading {
  /** Asked at the first `next`; what it throws comes out there. */
  readonly container: () => Container
  readonly local: LocalId
  readonly range: ReadRange
  readonly buffers: ReadBuffers
}

/** The range piece by piece; the same errors, from the first `next`. */
export function readPieces({
  container: find,
  local,
  range,
  buffers,
}: PieceReading): AsyncIterableIterator<Uint8Array> {
  const open = async () => {
    const container = find()
    const view = container.current
    const file = await view.file.acquire()
    try {
      const row = assertFound(container, local, await container.find(view, local))
      assertInside(row, range)
      const reads = planReads(row, range.offset, range.length)
      return { source: sourceOf(container, view, file), reads, close: () => view.file.release() }
    } catch (error) {
      view.file.release()
      throw error
    }
  }
  return new BlockPieces(local, open, buffers)
}

export function sourceOf(container: Container, view: ContainerView, file: DiskFile): ReadSource {
  const { report, metrics } = container.scope
  const { path, name } = view.file
  return { file, path, name, proof: view.proof, report, readBytes: metrics.readBytes }
}

/** Bytes that the caller keeps are never used again. */
const keptBuffers: ReadMemory = { take: uninitialised, give: () => {}, prove: proveHere }

function assertFound(container: Container, local: LocalId, row: BlockRow | undefined): BlockRow {
  if (row !== undefined) return row
  const details = { container: container.id, local }
  const [range] = container.ledger.sums().damaged
  if (range === undefined) throw new StoreError('BlockNotFound', `no block ${container.id}/${local}`, { details })
  // Damaged headers hide blocks: nobody may conclude that this one never was.
  throw new StoreError('Damaged', 'the block may lie in a damaged part of its container', {
    details: { ...details, offset: 0, path: container.current.file.path, fileOffset: range.from },
  })
}

function assertInside(row: BlockRow, { offset, length }: ReadRange): void {
  if (offset >= 0 && length >= 0 && offset + length <= row.lengthBytes) return
  throw new StoreError('InvalidRange', 'the range reaches past the end of the block', {
    details: { offset, length, blockLength: row.lengthBytes },
  })
}
