import { StoreError } from '../../errors.ts'
import type { Cancel, Disk, DiskFile, DiskSpace, FileStat, OpenMode } from '../env.ts'
import { diskError } from '../shared/disk-error.ts'
import { DiskFaults, type DiskFault, type DiskOperation, type Struck } from './disk-faults.ts'
import { NameTree, SimDirectory, type NameCrash } from './name-tree.ts'
import { SimFile, type FileHost, type FileRequest } from './sim-file.ts'
import type { SimInode } from './sim-inode.ts'
import { SimRandom } from './sim-random.ts'
import { pageBytes } from './sparse-bytes.ts'

export interface SimDiskOptions {
  /** Decides what a power cut leaves. */
  readonly random?: SimRandom
  /** Default `any`, the harder one. */
  readonly nameCrash?: NameCrash
  /** Whether a torn sector loses also the bytes in it that were synced before. Default false ("powersafe overwrite"). */
  readonly wholeSectorGarbage?: boolean
  /** Default 1 TiB. Files take it in pages of 4 KiB; names are free. */
  readonly capacityBytes?: number
  /** When an operation that was called takes effect and completes. Default: at once, after the running code. */
  readonly pace?: DiskPace
}

/** Calls `complete` when the operation's time has come; never, if the process is dead by then. */
export type DiskPace = (
  operation: { readonly kind: DiskOperation; readonly path: string; readonly bytes: number },
  complete: () => void,
) => void

/**
 * A disk that loses what was not synced. It keeps the bytes of files and the names of files apart, and of both what
 * callers see and what is on the device:
 *
 * - `DiskFile.sync` makes a file's bytes and length durable, not its name; `syncDirectory` makes names durable.
 * - `crash` is a power cut: see `SimInode.crash` for bytes and `NameTree.crash` for names.
 * - An operation takes effect when it completes, so two that do not wait for each other have no order, and a sync covers
 *   the writes that had completed when it was called.
 * - A sync that fails leaves bytes, or names, to be seen and not on the device, and the next one succeeds.
 *
 * A `SimDisk` is what one incarnation of a process sees. After `crash` or `restart` it is dead, and the disk that these
 * return takes over.
 */
export class SimDisk implements Disk {
  readonly #options: SimDiskOptions
  readonly #random: SimRandom
  readonly #tree: NameTree
  readonly #faults = new DiskFaults()
  readonly #locked = new Set<string>()
  /** Operations that were called and have not completed. */
  readonly #underway = new Set<() => unknown>()
  readonly #pace: DiskPace
  /** What an open file may do with its disk. */
  readonly #host: FileHost = {
    request: (request) => this.#request(request),
    strike: (kind, path) => this.#faults.strike(kind, path),
    write: (inode, write) => this.#writeWithin(inode, write),
    resize: (inode, sizeBytes) => this.#changing(inode, () => inode.resize(sizeBytes)),
    released: (inode) => this.#releaseIfUnused(inode),
  }
  #usedPages: number
  #isDead = false
  /** May be changed at any time, also below what is used. */
  capacityBytes: number
  /** As after an error that made the kernel remount: everything that changes something fails. */
  isReadOnly = false

  constructor(options: SimDiskOptions = {}, tree = new NameTree(options.nameCrash ?? 'any')) {
    this.#options = options
    this.#random = options.random ?? new SimRandom('disk')
    this.#tree = tree
    this.#pace = options.pace ?? paceOfMicrotasks
    this.capacityBytes = options.capacityBytes ?? 2 ** 40
    this.#usedPages = 0
    for (const inode of tree.files()) {
      inode.handles = 0 // those of the incarnation before
      this.#usedPages += inode.pageCount
    }
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#request({ kind: 'open', path, act: () => this.#open(path, mode) })
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#request({
      kind: 'stat',
      path,
      act: () => {
        const node = this.#tree.find(path)
        if (node === undefined) return undefined
        if (node instanceof SimDirectory) return { kind: 'directory', sizeBytes: 0 }
        return { kind: 'file', sizeBytes: node.sizeBytes }
      },
    })
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#request({
      kind: 'list',
      path: directory,
      act: () => {
        const names = [...this.#tree.directory(directory, 'list').entries.keys()]
        return names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      },
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#request({ kind: 'makeDirectory', path, act: () => this.#tree.makeDirectory(path) })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#request({ kind: 'rename', path: from, act: () => this.#releaseIfUnused(this.#tree.rename(from, to)) })
  }

  remove(path: string): Promise<void> {
    return this.#request({ kind: 'remove', path, act: () => this.#releaseIfUnused(this.#tree.remove(path)) })
  }

  syncDirectory(path: string): Promise<void> {
    const mark = this.#tree.mark()
    return this.#request({
      kind: 'syncDirectory',
      path,
      act: (struck) => {
        const directory = this.#tree.directory(path, 'syncDirectory')
        if (struck === undefined) this.#tree.syncDone(directory, mark)
        else {
          this.#tree.syncFailed(directory, mark)
          throw struck.error
        }
      },
    })
  }

  space(path: string): Promise<DiskSpace> {
    return this.#request({
      kind: 'space',
      path,
      act: () => {
        this.#tree.get(path, 'space')
        const availableBytes = Math.max(0, this.capacityBytes - this.#usedPages * pageBytes)
        return { totalBytes: this.capacityBytes, availableBytes }
      },
    })
  }

  /** Held by this incarnation only: its end releases it, as the death of a process does. */
  lock(path: string): Promise<{ release(): Promise<void> }> {
    return this.#request({
      kind: 'lock',
      path,
      act: () => {
        if (this.#locked.has(path)) {
          throw new StoreError('Busy', `${path} is held by process 1`, { details: { pid: 1, path } })
        }
        this.#locked.add(path)
        return {
          release: () => {
            this.#locked.delete(path)
            return Promise.resolve()
          },
        }
      },
    })
  }

  // ---------------------------------------------------------------------------------------------- for the simulation

  /** Arms a failure. */
  inject(fault: DiskFault): Cancel {
    return this.#faults.add(fault)
  }

  /** Bit rot in a file: one bit is the other way round, in every later read and after every crash. */
  flip(path: string, offset: number, bit = 0): void {
    this.#file(path).flip(offset, bit)
  }

  /**
   * The file at `path` as *every* crash from now on would leave it: undefined when its name could be gone.
   * `holds` says whether these bytes at this offset are certain; `bytes` is the device's content, where it is certain.
   */
  durable(path: string): DurableFile | undefined {
    const inode = this.#tree.durableFile(path)
    return inode && { bytes: inode.deviceBytes(), holds: (offset, expected) => inode.survives(offset, expected) }
  }

  /** A power cut. The disk as the next incarnation finds it; this one is dead. */
  crash(pace?: DiskPace): SimDisk {
    this.#die()
    const tree = this.#tree.crash(this.#random, (inode) =>
      inode.crash(this.#random, this.#options.wholeSectorGarbage ?? false),
    )
    return this.#successor(tree, pace)
  }

  /** The death of the process alone: the page cache lives on, and what was not synced is as unsure as before. */
  restart(pace?: DiskPace): SimDisk {
    this.#die()
    return this.#successor(this.#tree, pace)
  }

  // ------------------------------------------------------------------------------------------------------- together

  #open(path: string, mode: OpenMode): DiskFile {
    if (this.isReadOnly && mode !== 'read') throw diskError({ errno: 'EROFS', operation: 'open', path })
    const inode = mode === 'create' ? this.#tree.createFile(path) : this.#file(path)
    inode.handles++
    return new SimFile({ host: this.#host, inode, path, isWritable: mode !== 'read' })
  }

  #file(path: string): SimInode {
    const node = this.#tree.get(path, 'open')
    if (node instanceof SimDirectory) throw diskError({ errno: 'EISDIR', operation: 'open', path })
    return node
  }

  /** Writes what there is room for, and throws if that is not all. */
  #writeWithin(inode: SimInode, { bytes, offset, path }: { bytes: Uint8Array; offset: number; path: string }): void {
    const freePages = Math.floor(this.capacityBytes / pageBytes) - this.#usedPages
    let fitting = bytes.length
    if (inode.missingPages(offset, bytes.length) > freePages) {
      fitting = 0
      while (fitting < bytes.length) {
        const upToPageEnd = Math.min(bytes.length, fitting + pageBytes - ((offset + fitting) % pageBytes))
        if (inode.missingPages(offset, upToPageEnd) > freePages) break
        fitting = upToPageEnd
      }
    }
    this.#changing(inode, () => inode.write(bytes.subarray(0, fitting), offset))
    if (fitting < bytes.length) throw diskError({ errno: 'ENOSPC', operation: 'write', path })
  }

  /** The space of a file is free when its last name and its last handle are gone. */
  #releaseIfUnused(inode: SimInode | undefined): void {
    if (inode !== undefined && inode.names === 0 && inode.handles === 0) this.#usedPages -= inode.pageCount
  }

  #changing(inode: SimInode, change: () => void): void {
    const before = inode.pageCount
    change()
    this.#usedPages += inode.pageCount - before
  }

  #request<T>({ kind, path, bytes = 0, act }: FileRequest<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (): T => this.#attempt(kind, path, act)
      this.#underway.add(attempt)
      this.#pace({ kind, path, bytes }, () => {
        if (this.#isDead) {
          reject(new StoreError('VolumeFailed', 'this disk has lost its power', { details: { path } }))
          return
        }
        this.#underway.delete(attempt)
        try {
          resolve(attempt())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #attempt<T>(kind: DiskOperation, path: string, act: (struck: Struck | undefined) => T): T {
    if (this.isReadOnly && changing.has(kind)) throw diskError({ errno: 'EROFS', operation: kind, path })
    const struck = this.#faults.strike(kind, path)
    if (struck !== undefined && !failing.has(kind)) throw struck.error
    return act(struck)
  }

  /** Each operation that was under way did take effect, or did not. */
  #die(): void {
    for (const attempt of this.#underway) {
      if (!this.#random.chance(0.5)) continue
      try {
        attempt()
      } catch {
        // It failed, and nobody is left to hear of it.
      }
    }
    this.#isDead = true
  }

  #successor(tree: NameTree, pace: DiskPace | undefined): SimDisk {
    const successor = new SimDisk({ ...this.#options, random: this.#random, pace: pace ?? this.#pace }, tree)
    successor.capacityBytes = this.capacityBytes
    return successor
  }
}

/** See `SimDisk.durable`. */
export interface DurableFile {
  readonly bytes: Uint8Array
  holds(offset: number, expected: Uint8Array): boolean
}

const changing: ReadonlySet<DiskOperation> = new Set(['write', 'truncate', 'makeDirectory', 'rename', 'remove', 'lock'])

/** They do part of their work, or harm, before they fail. */
const failing: ReadonlySet<DiskOperation> = new Set(['write', 'sync', 'syncDirectory'])

function paceOfMicrotasks(_: unknown, complete: () => void): void {
  void Promise.resolve().then(complete)
}
