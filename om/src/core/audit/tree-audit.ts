import { u64Key } from '@o3/common/codec'
import type { BucketId, DirectoryId } from '../../api/api.ts'
import { rootDirectory } from '../rows/entry.ts'
import type { DirectoryRow, EntryKey, EntryRow } from '../rows/entry.ts'

interface Directory {
  readonly key: EntryKey
  readonly row: DirectoryRow
}

interface Below {
  children: number
  /** Of the longest name of a child, with what its own row claims to be below it. */
  longest: number
}

const idOf = (bucket: BucketId, directory: DirectoryId): string => u64Key(bucket) + u64Key(directory)

/** Checks that the entries form trees: every parent is there, counts its children, and knows how long their names get. */
export class TreeAudit {
  private readonly directories = new Map<string, Directory>()
  private readonly below = new Map<string, Below>()
  private readonly findings: string[] = []

  add(key: EntryKey, row: EntryRow): void {
    const slash = key.name.indexOf('/')
    const wellNamed = row.kind === 'directory' ? slash === key.name.length - 1 && slash !== -1 : slash === -1
    if (!wellNamed) this.findings.push(`bucket ${key.bucket}: a ${row.kind} is named ${JSON.stringify(key.name)}`)
    if (row.kind === 'directory') this.addDirectory({ key, row })
    this.countChild(key, key.name.length + (row.kind === 'directory' ? row.longestBelow : 0))
  }

  /** `nextDirectory` by bucket: ids at or above it were never given out. */
  finish(nextDirectory: ReadonlyMap<BucketId, DirectoryId>): readonly string[] {
    for (const [id, { children, longest }] of this.below) {
      const directory = this.directories.get(id)
      if (directory === undefined) this.findings.push(`entries lie in a directory that is not there`)
      else this.checkDirectory(directory, children, longest)
    }
    for (const [id, { key, row }] of this.directories) {
      if (!this.below.has(id)) this.findings.push(`${nameOf(key)} is there without a child`)
      if (row.id >= (nextDirectory.get(key.bucket) ?? 0)) this.findings.push(`${nameOf(key)} has an id of the future`)
    }
    return this.findings
  }

  private addDirectory(directory: Directory): void {
    const { key, row } = directory
    const id = idOf(key.bucket, row.id)
    if (row.id === rootDirectory || this.directories.has(id)) {
      this.findings.push(`${nameOf(key)} has the id of another directory`)
    }
    this.directories.set(id, directory)
  }

  private countChild({ bucket, parent }: EntryKey, length: number): void {
    if (parent === rootDirectory) return
    const id = idOf(bucket, parent)
    const below = this.below.get(id)
    if (below === undefined) this.below.set(id, { children: 1, longest: length })
    else {
      below.children++
      below.longest = Math.max(below.longest, length)
    }
  }

  private checkDirectory({ key, row }: Directory, children: number, longest: number): void {
    if (row.childCount !== children) {
      this.findings.push(`${nameOf(key)} counts ${row.childCount} children and has ${children}`)
    }
    if (row.longestBelow < longest) {
      this.findings.push(`${nameOf(key)} says that names below have ${row.longestBelow} bytes, and one has ${longest}`)
    }
  }
}

function nameOf({ bucket, parent, name }: EntryKey): string {
  return `directory ${JSON.stringify(name)} in directory ${parent} of bucket ${bucket}`
}
