/**
 * The tree under a bucket: finding an entry, putting one in, taking one out. Directories come with their first child
 * and go with their last; nobody makes or removes them.
 */

import { assert } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { BucketId, DirectoryId } from '../api/api.ts'
import type { Draft } from './draft.ts'
import type { RowView } from './row-view.ts'
import { bucketUsage } from './rows/bucket.ts'
import { entries, rootDirectory } from './rows/entry.ts'
import type { DirectoryRow, EntryKey, EntryRow } from './rows/entry.ts'

/** A key, split after each `/`: `a//b` = directory `a/`, in it directory `/`, in it leaf `b`; `a/` has the empty leaf. */
export interface Path {
  readonly directories: readonly BinaryKey[]
  readonly name: BinaryKey
}

export function pathOfKey(key: BinaryKey): Path {
  const directories: BinaryKey[] = []
  let start = 0
  for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', start)) {
    directories.push(key.slice(start, slash + 1))
    start = slash + 1
  }
  return { directories, name: start === 0 ? key : key.slice(start) }
}

/** The entry of the directory itself, for a key that ends in `/`. */
export function pathOfDirectory(key: BinaryKey): Path {
  const { directories } = pathOfKey(key)
  const name = directories.at(-1)
  assert(name !== undefined && key.endsWith('/'), 'a directory ends in a slash')
  return { directories: directories.slice(0, -1), name }
}

interface Step {
  readonly key: EntryKey
  readonly row: DirectoryRow
}

/** Where an entry is or would be. Stale as soon as the draft changes anything on its path. */
export interface Place {
  readonly bucket: BucketId
  /** The directories on the way that exist, from the root. */
  readonly steps: readonly Step[]
  /** The names of those that do not. */
  readonly missing: readonly BinaryKey[]
  readonly name: BinaryKey
  /** Undefined when there is no such entry. */
  readonly row: EntryRow | undefined
}

/** Reads one row a component. */
export function locate(rows: RowView, bucket: BucketId, path: Path): Place {
  const { directories, name } = path
  const steps: Step[] = []
  let parent = rootDirectory
  for (const directory of directories) {
    const key = { bucket, parent, name: directory }
    const row = rows.get(entries, key)
    if (row === undefined) return { bucket, steps, missing: directories.slice(steps.length), name, row: undefined }
    assert(row.kind === 'directory', 'a name that ends in a slash is a directory')
    steps.push({ key, row })
    parent = row.id
  }
  return { bucket, steps, missing: [], name, row: rows.get(entries, { bucket, parent, name }) }
}

/** Has all rows in memory that `locate` will read for these paths, in one trip a level. */
export function fetchPaths(draft: Draft, bucket: BucketId, paths: readonly Path[]): void {
  let level = paths.map((path) => ({ path, parent: rootDirectory }))
  for (let depth = 0; level.length > 0; depth++) {
    const rows = draft.fetch(
      entries,
      level.map(({ path, parent }) => ({ bucket, parent, name: path.directories[depth] ?? path.name })),
    )
    level = level.flatMap(({ path }, index) => {
      const row = rows[index]
      return row?.kind === 'directory' && depth < path.directories.length ? [{ path, parent: row.id }] : []
    })
  }
}

/** Puts `row` there, or in place of what is there, with the directories it needs. */
export function putEntry(draft: Draft, place: Place, row: EntryRow): void {
  const parent = place.row === undefined ? openParent(draft, place, row) : parentOf(place)
  draft.put(entries, { bucket: place.bucket, parent, name: place.name }, row)
}

/** Takes out the entry, and the directories that were there for it alone. */
export function removeEntry(draft: Draft, place: Place): void {
  assert(place.row !== undefined, 'an entry that is taken out is there')
  draft.remove(entries, { bucket: place.bucket, parent: parentOf(place), name: place.name })
  for (const { key, row } of place.steps.toReversed()) {
    if (row.childCount > 1) {
      draft.put(entries, key, { ...row, childCount: row.childCount - 1 })
      return
    }
    draft.remove(entries, key)
  }
}

function parentOf(place: Place): DirectoryId {
  return place.steps.at(-1)?.row.id ?? rootDirectory
}

/** Makes the parent directory of a new entry ready: creates what is missing, counts the child. */
function openParent(draft: Draft, place: Place, row: EntryRow): DirectoryId {
  const { steps, missing, name } = place
  const ownBytes = name.length + (row.kind === 'directory' ? row.longestBelow : 0)
  const below = missing.reduce((bytes, directory) => bytes + directory.length, ownBytes)
  countChild(draft, steps, below)
  return missing.length === 0 ? parentOf(place) : createDirectories(draft, place, below)
}

/** One more child in the last of `steps`, and names of `below` bytes under it. */
function countChild(draft: Draft, steps: readonly Step[], below: number): void {
  let reach = below
  for (let i = steps.length - 1; i >= 0; i--) {
    const { key, row } = steps[i] as Step
    const childCount = i === steps.length - 1 ? row.childCount + 1 : row.childCount
    const longestBelow = Math.max(row.longestBelow, reach)
    if (childCount !== row.childCount || longestBelow !== row.longestBelow) {
      draft.put(entries, key, { ...row, childCount, longestBelow })
    }
    reach += key.name.length
  }
}

function createDirectories(draft: Draft, place: Place, below: number): DirectoryId {
  const { bucket } = place
  const usage = draft.get(bucketUsage, bucket)
  assert(usage !== undefined, 'a bucket has counters')
  let id = usage.nextDirectory
  let parent = parentOf(place)
  let longestBelow = below
  for (const name of place.missing) {
    longestBelow -= name.length
    const row: DirectoryRow = { kind: 'directory', id, childCount: 1, createdMs: draft.stamp.wallMs, longestBelow }
    draft.put(entries, { bucket, parent, name }, row)
    parent = id++
  }
  draft.put(bucketUsage, bucket, { ...usage, nextDirectory: id })
  return parent
}
