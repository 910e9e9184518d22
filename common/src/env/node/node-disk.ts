import fs from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import type { Disk, DiskFile, DiskSpace, FileStat, OpenMode } from '../env.ts'
import { diskError, errnoOf } from '../shared/disk-error.ts'
import { NodeFile, nodeDiskError } from './node-file.ts'
import { takeLock } from './node-lock.ts'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR } = fs.constants

const flagsOfMode: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  'read-write': O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
}

/** Users' bytes and secrets: for their owner only. */
const fileMode = 0o600
const directoryMode = 0o700

type Callback<T> = (error: NodeJS.ErrnoException | null, value?: T) => void

/** The machine's file system, below `root` for relative paths. */
export class NodeDisk implements Disk {
  readonly #root: string

  constructor(root: string) {
    this.#root = resolvePath(root)
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const fd = await call<number>('open', path, (done) =>
      fs.open(this.#resolve(path), flagsOfMode[mode], fileMode, done),
    )
    // The kernel lets a directory be opened for reading.
    if (mode === 'read' && fs.fstatSync(fd).isDirectory()) {
      fs.closeSync(fd)
      throw diskError({ errno: 'EISDIR', operation: 'open', path })
    }
    return new NodeFile(path, fd)
  }

  async stat(path: string): Promise<FileStat | undefined> {
    try {
      const stats = await call<fs.Stats>('stat', path, (done) => fs.stat(this.#resolve(path), done))
      return stats.isDirectory() ? { kind: 'directory', sizeBytes: 0 } : { kind: 'file', sizeBytes: stats.size }
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
      throw error
    }
  }

  async list(directory: string): Promise<readonly string[]> {
    const names = await call<Buffer[]>('list', directory, (done) =>
      fs.readdir(this.#resolve(directory), { encoding: 'buffer' }, done),
    )
    // As bytes: the order of UTF-16 units differs from theirs above U+FFFF.
    return names.toSorted((a, b) => a.compare(b)).map((name) => name.toString())
  }

  async makeDirectory(path: string): Promise<void> {
    const target = this.#resolve(path)
    try {
      await call<string | undefined>('makeDirectory', path, (done) =>
        fs.mkdir(target, { recursive: true, mode: directoryMode }, done),
      )
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      // Node says so of a read-only file system, too; without `recursive` it is told what the system says.
      await call<void>('makeDirectory', path, (done) => fs.mkdir(target, directoryMode, done))
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await call<void>('rename', from, (done) => fs.rename(this.#resolve(from), this.#resolve(to), done))
  }

  async remove(path: string): Promise<void> {
    const target = this.#resolve(path)
    try {
      await call<void>('remove', path, (done) => fs.unlink(target, done))
    } catch (error) {
      if ((await this.stat(path))?.kind !== 'directory') throw error
      await call<void>('remove', path, (done) => fs.rmdir(target, done))
    }
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await call<number>('syncDirectory', path, (done) =>
      fs.open(this.#resolve(path), O_RDONLY | O_DIRECTORY, 0, done),
    )
    try {
      await call<void>('syncDirectory', path, (done) => fs.fsync(fd, done))
    } finally {
      fs.closeSync(fd)
    }
  }

  async space(path: string): Promise<DiskSpace> {
    const stats = await call<fs.StatsFs>('space', path, (done) => fs.statfs(this.#resolve(path), done))
    return { totalBytes: stats.blocks * stats.bsize, availableBytes: stats.bavail * stats.bsize }
  }

  lock(path: string): Promise<{ release(): Promise<void> }> {
    return takeLock(this.#resolve(path))
  }

  #resolve(path: string): string {
    return path.startsWith('/') ? path : `${this.#root}/${path}`
  }
}

function call<T>(operation: string, path: string, start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null || error === undefined) resolve(value as T)
      else reject(nodeDiskError(operation, path, error))
    })
  })
}
