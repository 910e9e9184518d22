/**
 * Which blocks a replica must take from others, and which it must drop. Local ids are walked in windows, so that the lists
 * of a container of millions of blocks are never in memory as a whole.
 *
 * A source that is closed by agreement has every block that was ever acknowledged: what it lacks was deleted there, and must
 * not come back. So with such sources (*authorities*) a block is wanted when all of them have it. Without one, when any
 * source has it: each may lack some, and none has had a deletion.
 */

import type { LocalId } from '@o3/scm/api'
import type { HashedBlock } from './content-hash.ts'

/** A block as a list says it. Without a checksum nobody could prove it. */
export interface ListedBlock {
  readonly local: LocalId
  readonly lengthBytes: number
  readonly checksum: number | undefined
}

/** Rising by local id, of one window. */
export interface Listing {
  readonly source: number
  readonly isAuthority: boolean
  readonly blocks: readonly ListedBlock[]
}

/** A version of a block, and the sources that list it. */
export interface WantedBlock extends HashedBlock {
  readonly holders: readonly number[]
}

/** Sources that contradict each other, or the replica itself: only reading tells who is right. */
export interface BlockConflict {
  readonly local: LocalId
  readonly versions: readonly WantedBlock[]
  /** What is here. */
  readonly own: ListedBlock | undefined
}

export interface WindowPlan {
  readonly take: readonly WantedBlock[]
  /** Here, and not wanted. */
  readonly extra: readonly LocalId[]
  readonly conflicts: readonly BlockConflict[]
  /** Wanted, and no list has a checksum of it. */
  readonly unprovable: readonly LocalId[]
}

export function planWindow(own: readonly ListedBlock[], listings: readonly Listing[]): WindowPlan {
  const take: WantedBlock[] = []
  const conflicts: BlockConflict[] = []
  const unprovable: LocalId[] = []
  const missing = new Map(own.map((block) => [block.local, block]))
  const authorities = listings.filter(({ isAuthority }) => isAuthority).length
  for (const [local, found] of gather(listings)) {
    if (authorities > 0 && found.filter(({ isAuthority }) => isAuthority).length < authorities) continue
    const here = missing.get(local)
    missing.delete(local)
    const versions = versionsOf(found, authorities > 0)
    const [only] = versions
    if (only === undefined) {
      if (here === undefined) unprovable.push(local)
    } else if (versions.length > 1 || (here !== undefined && differs(here, only))) {
      conflicts.push({ local, versions, own: here })
    } else if (here === undefined) take.push(only)
  }
  return { take, extra: [...missing.keys()], conflicts, unprovable }
}

interface Found {
  readonly source: number
  readonly isAuthority: boolean
  readonly block: ListedBlock
}

/** What the lists say of each block, by local id. */
function gather(listings: readonly Listing[]): readonly (readonly [LocalId, readonly Found[]])[] {
  const found = new Map<LocalId, Found[]>()
  for (const { source, isAuthority, blocks } of listings) {
    for (const block of blocks) {
      const entry = { source, isAuthority, block }
      const list = found.get(block.local)
      if (list === undefined) found.set(block.local, [entry])
      else list.push(entry)
    }
  }
  return [...found].toSorted(([a], [b]) => a - b)
}

/** Where authorities speak, only their versions count; whoever else has the same may give it. */
function versionsOf(found: readonly Found[], byAuthority: boolean): readonly WantedBlock[] {
  const versions = new Map<string, { block: HashedBlock; holders: number[]; counts: boolean }>()
  for (const { source, isAuthority, block } of found) {
    const { local, lengthBytes, checksum } = block
    if (checksum === undefined) continue
    const key = `${lengthBytes}/${checksum}`
    const version = versions.get(key) ?? { block: { local, lengthBytes, checksum }, holders: [], counts: !byAuthority }
    version.holders.push(source)
    version.counts ||= isAuthority
    versions.set(key, version)
  }
  return [...versions.values()].filter(({ counts }) => counts).map(({ block, holders }) => ({ ...block, holders }))
}

function differs(a: ListedBlock, b: HashedBlock): boolean {
  return a.lengthBytes !== b.lengthBytes || (a.checksum !== undefined && a.checksum !== b.checksum)
}
