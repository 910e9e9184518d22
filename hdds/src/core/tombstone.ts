/**
 * The payload of a tombstone record: blocks of this container that are deleted, as runs of local ids. It names only
 * blocks that existed, and says how much they held, so that a replay counts right without the rows that are gone.
 */

import { StoreError } from '@o3/common/errors'
import { ByteReader, ByteWriter } from '@o3/common/codec'
import type { LocalId } from '@o3/scm/api'
import type { ContentHash } from './content-hash.ts'

export interface LocalRun {
  readonly first: LocalId
  readonly count: number
}

export interface Tombstone {
  readonly runs: readonly LocalRun[]
  readonly blocks: number
  /** What the blocks took in the file: see `storedBytes`. */
  readonly freedBytes: number
  /** The sum of the hashes of the blocks; undefined when one of them had no checksum. */
  readonly hash?: ContentHash | undefined
}

/** Without a hash. */
const bareVersion = 1
const version = 2

export function encodeTombstone(tombstone: Tombstone): Uint8Array {
  const { hash, blocks, freedBytes, runs } = tombstone
  const writer = new ByteWriter(32)
    .u8(hash === undefined ? bareVersion : version)
    .varint(blocks)
    .varint(freedBytes)
  if (hash !== undefined) writer.u32(hash.high).u32(hash.low)
  return writer.list(runs, (each, run) => each.varint(run.first).varint(run.count)).finish()
}

/** Throws `Damaged`. */
export function decodeTombstone(bytes: Uint8Array): Tombstone {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version && found !== bareVersion) {
    throw new StoreError('Damaged', 'a tombstone has an unknown version')
  }
  const blocks = reader.varint()
  const freedBytes = reader.varint()
  const hash = found === version ? { high: reader.u32(), low: reader.u32() } : undefined
  const runs = reader.list((item) => ({ first: item.varint(), count: item.varint() }))
  return hash === undefined ? { runs, blocks, freedBytes } : { runs, blocks, freedBytes, hash }
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
