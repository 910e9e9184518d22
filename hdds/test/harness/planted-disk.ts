/** A disk with a bug in the code above it, as far as the disk can tell: calls that are left out, swapped or repeated. */

import type { Disk, DiskFile } from '@o3/common/env'
import { getU32 } from '../../src/core/little-endian.ts'
import { recordMagic } from '../../src/core/record.ts'

/** What a bug does instead of an operation. `real` is the operation itself. */
export interface PlantedBug {
  readonly sync?: (file: FileUse, real: () => Promise<void>) => Promise<void>
  readonly read?: (file: FileUse, real: () => Promise<number>) => Promise<number>
  readonly write?: (file: FileUse, real: () => Promise<void>) => Promise<void>
  readonly syncDirectory?: (path: string, real: () => Promise<void>) => Promise<void>
  readonly create?: (path: string, disk: Disk) => Promise<void>
}

/** What a file has been used for since it was opened. */
export interface FileUse {
  readonly path: string
  writes: number
  syncs: number
  /** Of the last write; see `kindsIn`. */
  lastPieces: readonly Uint8Array[]
}

export function plantedDisk(disk: Disk, bug: PlantedBug): Disk {
  return {
    open: async (path, mode) => {
      if (mode === 'create') await bug.create?.(path, disk)
      return plantedFile(await disk.open(path, mode), bug)
    },
    stat: (path) => disk.stat(path),
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => {
      const real = (): Promise<void> => disk.syncDirectory(path)
      return bug.syncDirectory?.(path, real) ?? real()
    },
    space: (path) => disk.space(path),
    lock: (path) => disk.lock(path),
  }
}

function plantedFile(file: DiskFile, bug: PlantedBug): DiskFile {
  const use: FileUse = { path: file.path, writes: 0, syncs: 0, lastPieces: [] }
  return {
    path: file.path,
    read: (target, offset) => {
      const real = (): Promise<number> => file.read(target, offset)
      return bug.read?.(use, real) ?? real()
    },
    readNow: (target, offset) => file.readNow(target, offset),
    write: (pieces, offset) => {
      use.writes++
      use.lastPieces = pieces
      const real = (): Promise<void> => file.write(pieces, offset)
      return bug.write?.(use, real) ?? real()
    },
    sync: () => {
      use.syncs++
      const real = (): Promise<void> => file.sync()
      return bug.sync?.(use, real) ?? real()
    },
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    size: () => file.size(),
    close: () => file.close(),
  }
}

/** Kinds of the records in a write: 1 data, 2 commit, 3 tombstone, 4 seal, 5 skip. */
export function kindsIn(pieces: readonly Uint8Array[]): readonly number[] {
  const bytes = Buffer.concat(pieces)
  const kinds: number[] = []
  for (let at = 0; at + 8 <= bytes.length; at += 64) {
    if (getU32(bytes, at) === recordMagic) kinds.push(bytes[at + 5] as number)
  }
  return kinds
}
