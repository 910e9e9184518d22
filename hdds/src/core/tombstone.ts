/**
 * The payload of a tombstone record: blocks of this container that are deleted, as runs of local ids. It names only
 * blocks that existed, and says how much they held, so that a replay counts right without the rows that are gone.
 */

import { StoreError } from '@o3/common/errors'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { LocalId } from '@o3/scm/api'

export interface LocalRun {
  readonly first: LocalId
  readonly count: number
}

export interface Tombstone {
  readonly runs: readonly LocalRun[]
  readonly blocks: number
  /** What the blocks took in the file: see `storedBytes`. */
  readonly freedBytes: number
}

const version = 1

export function encodeTombstone(tombstone: Tombstone): Uint8Array {
  return new ByteWriter(32)
    .u8(version)
    .varint(tombstone.blocks)
    .varint(tombstone.freedBytes)
    .list(tombstone.runs, (writer, run) => writer.varint(run.first).varint(run.count))
    .finish()
}

/** Throws `Damaged`. */
export function decodeTombstone(bytes: Uint8Array): Tombstone {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== version) throw new StoreError('Damaged', 'a tombstone has an unknown version')
  const blocks = reader.varint()
  const freedBytes = reader.varint()
  const runs = reader.list((item) => ({ first: item.varint(), count: item.varint() }))
  return { runs, blocks, freedBytes }
}

/** Ascending ids as runs. */
export function runsOf(locals: readonly LocalId[]): LocalRun[] {
  const runs: LocalRun[] = []
  let first = -1
  let count = 0
  for (const local of locals) {
    if (count > 0 && local === first + count) {
      count++
      continue
    }
    if (count > 0) runs.push({ first, count })
    first = local
    count = 1
  }
  if (count > 0) runs.push({ first, count })
  return runs
}
