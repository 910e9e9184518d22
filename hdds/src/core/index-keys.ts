/** The rows of a disk's index: blocks, one checkpoint per container, one scrub stamp per container. */

import type { ContainerId, LocalId } from '@o3/scm/api'
import { readU32Key, readU64Key, u32Key, u64Key } from '@o3/common/codec'
import type { BinaryKey, KeyRange } from '@o3/common/kv'

const blockPrefix = 'b'
const checkpointPrefix = 'c'
const scrubPrefix = 's'

/**
 * The generation is part of the key: compaction writes the rows of the new file beside those of the old, and one change
 * in memory switches the readers over.
 */
export function blockKeyPrefix(container: ContainerId, generation: number): BinaryKey {
  return blockPrefix + u64Key(container) + u32Key(generation)
}

export function blockKey(prefix: BinaryKey, local: LocalId): BinaryKey {
  return prefix + u32Key(local)
}

export function localOfKey(key: BinaryKey): LocalId {
  return readU32Key(key, 13)
}

/** Local ids `from` ≤ id < `to`; to the end without `to`. */
export function blockRange(prefix: BinaryKey, from = 0, to?: number): KeyRange {
  return {
    from: blockKey(prefix, from),
    to: to === undefined || to > 0xffff_ffff ? after(prefix) : blockKey(prefix, to),
  }
}

export function checkpointKey(container: ContainerId): BinaryKey {
  return checkpointPrefix + u64Key(container)
}

export function scrubKey(container: ContainerId): BinaryKey {
  return scrubPrefix + u64Key(container)
}

export const allCheckpoints: KeyRange = { from: checkpointPrefix, to: after(checkpointPrefix) }
export const allScrubs: KeyRange = { from: scrubPrefix, to: after(scrubPrefix) }
export const allBlocks: KeyRange = { from: blockPrefix, to: after(blockPrefix) }

/** Of a checkpoint or scrub key. */
export function containerOfKey(key: BinaryKey): ContainerId {
  return readU64Key(key, 1)
}

/** Container and generation of a block's key. */
export function fileOfBlockKey(key: BinaryKey): { readonly container: ContainerId; readonly generation: number } {
  return { container: readU64Key(key, 1), generation: readU32Key(key, 9) }
}

/** The first key behind all that start with `prefix`. */
function after(prefix: BinaryKey): BinaryKey {
  let end = prefix.length - 1
  while (prefix.charCodeAt(end) === 0xff) end--
  return prefix.slice(0, end) + String.fromCharCode(prefix.charCodeAt(end) + 1)
}

/** All rows of all generations. */
export function allGenerations(container: ContainerId): KeyRange {
  const prefix = blockPrefix + u64Key(container)
  return { from: prefix, to: after(prefix) }
}

/** All rows of one file. */
export function rowsOfFile({ container, generation }: ReturnType<typeof fileOfBlockKey>): KeyRange {
  const prefix = blockKeyPrefix(container, generation)
  return { from: prefix, to: after(prefix) }
}
