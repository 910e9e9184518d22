import { u64Key } from '@o3/common/codec'
import type { BinaryKey } from '@o3/common/kv'
import type { Row, StateView } from '@o3/ratis/api'
import type { BucketId, DirectoryId } from '../api/api.ts'
import { behind } from '../core/listing/selection.ts'
import { entries, rootDirectory } from '../core/rows/entry.ts'
import type { DirectoryRow, EntryKey, EntryRow } from '../core/rows/entry.ts'
import { pathOfKey } from '../core/tree.ts'
import { withCursor } from './cursors.ts'

export interface TreeEntry {
  /** From the bucket's root; ends in a slash for a directory. */
  readonly path: BinaryKey
  readonly row: EntryRow
}

type NamedRow = Row<EntryKey, EntryRow>

/** A directory on the way down, with the rows of it that are in memory. */
interface Frame {
  readonly path: BinaryKey
  readonly directory: DirectoryId
  /** What was read, and the next of it. */
  rows: readonly NamedRow[]
  at: number
  /** Where the next read begins, and before which name the last one ends. */
  from: BinaryKey
  readonly to: BinaryKey | undefined
  /** How many rows it asks for. */
  batch: number
  /** There is nothing behind `rows`. */
  drained: boolean
}

const smallBatch = 16

/**
 * Walks the tree of a bucket depth-first, which is the byte order of the keys, from one snapshot. It reads directory by
 * directory, a batch at a time, and only where it is sent: a directory that the caller does not `descend` into costs
 * nothing.
 *
 * A directory holds at most twice as many rows as were taken of it, or its first batch, which halves with every level: in
 * memory is a multiple of what was taken, and `smallBatch` rows for each directory on the way down.
 */
export class TreeCursor {
  private readonly view: StateView
  private readonly bucket: BucketId
  private readonly firstBatch: number
  private readonly frames: Frame[] = []
  private last: TreeEntry | undefined

  private constructor(view: StateView, bucket: BucketId, firstBatch: number) {
    this.view = view
    this.bucket = bucket
    this.firstBatch = firstBatch
  }

  /** Before the first entry whose path starts with `prefix`; it shows no other. `firstBatch` rows are read at first. */
  static async open(view: StateView, bucket: BucketId, prefix: BinaryKey, firstBatch: number): Promise<TreeCursor> {
    const cursor = new TreeCursor(view, bucket, firstBatch)
    const { directories, name } = pathOfKey(prefix)
    let directory = rootDirectory
    for (const each of directories) {
      const row = await cursor.directoryAt(directory, each)
      if (row === undefined) return cursor
      directory = row.id
    }
    const path = prefix.slice(0, prefix.length - name.length)
    cursor.push({ path, directory, from: name, to: name === '' ? undefined : behind(name) })
    return cursor
  }

  /** The next entry, when it is in memory; else `fill` first. */
  take(): TreeEntry | undefined {
    const frame = this.frames.at(-1)
    const next = frame?.rows[frame.at]
    if (frame === undefined || next === undefined) return undefined
    frame.at++
    this.last = { path: frame.path + next.key.name, row: next.value }
    return this.last
  }

  /** Into the directory that `take` returned last. */
  descend(): void {
    if (this.last?.row.kind === 'directory') this.enter(this.last.path, this.last.row)
  }

  /** Brings the next entries into memory. False at the end of the walk. */
  async fill(): Promise<boolean> {
    for (;;) {
      const frame = this.frames.at(-1)
      if (frame === undefined) return false
      if (frame.at < frame.rows.length) return true
      if (frame.drained) this.frames.pop()
      else await this.read(frame)
    }
  }

  /** Forward to the first entry that is not before `target`; a directory above `target` is entered. */
  async seek(target: BinaryKey): Promise<void> {
    let frame = this.frames.at(-1)
    while (frame !== undefined && !target.startsWith(frame.path)) {
      if (target < frame.path) return
      this.frames.pop()
      frame = this.frames.at(-1)
    }
    while (frame !== undefined) frame = await this.seekIn(frame, target.slice(frame.path.length))
  }

  /** Within one directory. Returns the directory below in which to go on. */
  private async seekIn(frame: Frame, rest: BinaryKey): Promise<Frame | undefined> {
    const slash = rest.indexOf('/')
    const name = slash === -1 ? rest : rest.slice(0, slash + 1)
    if (frame.to !== undefined && name >= frame.to) {
      frame.at = frame.rows.length
      frame.drained = true
      return undefined
    }
    skipTo(frame, name)
    if (slash === -1 || name.length === rest.length) return undefined
    const buffered = frame.rows[frame.at]
    if (buffered === undefined) {
      const row = frame.drained || frame.from > name ? undefined : await this.directoryAt(frame.directory, name)
      if (row === undefined) return undefined
      frame.from = `${name}\0`
      return this.enter(frame.path + name, row)
    }
    if (buffered.key.name !== name || buffered.value.kind !== 'directory') return undefined
    frame.at++
    return this.enter(frame.path + name, buffered.value)
  }

  private enter(path: BinaryKey, { id }: DirectoryRow): Frame {
    return this.push({ path, directory: id, from: '', to: undefined })
  }

  private push(place: Pick<Frame, 'path' | 'directory' | 'from' | 'to'>): Frame {
    // Deeper ones begin smaller, or a chain of large directories would be read into memory whole.
    const batch = Math.max(smallBatch, this.firstBatch >>> this.frames.length)
    const frame = { ...place, rows: [], at: 0, drained: false, batch }
    this.frames.push(frame)
    return frame
  }

  private async read(frame: Frame): Promise<void> {
    const directory = u64Key(this.bucket) + u64Key(frame.directory)
    const to = frame.to === undefined ? u64Key(this.bucket) + u64Key(frame.directory + 1) : directory + frame.to
    const range = { from: directory + frame.from, to }
    const rows = await withCursor(this.view, { table: entries, range }, (cursor) => cursor.next(frame.batch))
    frame.rows = rows
    frame.at = 0
    frame.drained = frame.rows.length < frame.batch
    frame.from = `${frame.rows.at(-1)?.key.name ?? ''}\0`
    frame.batch = Math.min(frame.batch * 2, Math.max(this.firstBatch, smallBatch))
  }

  private async directoryAt(parent: DirectoryId, name: BinaryKey): Promise<DirectoryRow | undefined> {
    const row = await this.view.get(entries, { bucket: this.bucket, parent, name })
    return row?.kind === 'directory' ? row : undefined
  }
}

/** Drops the rows before `name`; when that is all of them, the next read begins there, and small. */
function skipTo(frame: Frame, name: BinaryKey): void {
  while (frame.at < frame.rows.length && (frame.rows[frame.at] as NamedRow).key.name < name) frame.at++
  if (frame.at < frame.rows.length || frame.drained) return
  if (name > frame.from) frame.from = name
  if (frame.rows.length > 0) frame.batch = smallBatch
}
