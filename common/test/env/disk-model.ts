import { diskError, errnoOf } from '../../src/env/shared/disk-error.ts'
import type { Disk, DiskFile, OpenMode } from '../../src/env/env.ts'

/** One step of a random program. `file` is the number of an open file, by order of opening. */
export type DiskStep =
  | { readonly kind: 'open'; readonly path: string; readonly mode: OpenMode }
  | { readonly kind: 'write'; readonly file: number; readonly offset: number; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'read'; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly file: number; readonly sizeBytes: number }
  | { readonly kind: 'size' | 'sync' | 'close'; readonly file: number }
  | { readonly kind: 'stat' | 'list' | 'makeDirectory' | 'remove' | 'syncDirectory'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }

/** What a step said, as plain data: a value, or the errno. */
export type Answer = unknown

/** Runs a program on a disk, step by step, and closes what it left open. */
export async function runOnDisk(disk: Disk, program: readonly DiskStep[]): Promise<Answer[]> {
  const files: DiskFile[] = []
  const answers: Answer[] = []
  for (const step of program) {
    try {
      answers.push(await stepOnDisk(disk, files, step))
    } catch (error) {
      answers.push(errnoOf(error) ?? error)
    }
  }
  for (const file of files) await file.close()
  return answers
}

async function stepOnDisk(disk: Disk, files: DiskFile[], step: DiskStep): Promise<Answer> {
  switch (step.kind) {
    case 'open':
      return files.push(await disk.open(step.path, step.mode))
    case 'rename':
      return disk.rename(step.from, step.to)
    case 'stat':
    case 'list':
    case 'makeDirectory':
    case 'remove':
    case 'syncDirectory':
      return disk[step.kind](step.path)
    case 'write':
    case 'read':
    case 'truncate':
    case 'size':
    case 'sync':
    case 'close': {
      const file = files[step.file]
      return file === undefined ? 'no such file' : stepOnFile(file, step)
    }
  }
}

async function stepOnFile(file: DiskFile, step: Extract<DiskStep, { readonly file: number }>): Promise<Answer> {
  switch (step.kind) {
    case 'write':
      return file.write(step.pieces, step.offset)
    case 'read': {
      const target = new Uint8Array(step.length)
      const count = await file.read(target, step.offset)
      return [...target.subarray(0, count)]
    }
    case 'truncate':
      return file.truncate(step.sizeBytes)
    case 'size':
    case 'sync':
    case 'close':
      return file[step.kind]()
  }
}

interface ModelFile {
  bytes: number[]
}

interface ModelHandle {
  readonly file: ModelFile
  readonly mode: OpenMode
  isOpen: boolean
}

/**
 * A disk in its simplest form: a flat table from path to content, where a directory is `undefined` content. It shares
 * no idea and no line with the disks that are compared with it.
 */
export class DiskModel {
  readonly #table = new Map<string, ModelFile | 'directory'>([['', 'directory']])
  readonly #handles: ModelHandle[] = []

  run(program: readonly DiskStep[]): Answer[] {
    return program.map((step) => {
      try {
        return this.#step(step)
      } catch (error) {
        return errnoOf(error) ?? error
      }
    })
  }

  #step(step: DiskStep): Answer {
    switch (step.kind) {
      case 'open':
        return this.#open(step.path, step.mode)
      case 'rename':
        return this.#rename(step.from, step.to)
      case 'stat': {
        const found = this.#table.get(step.path)
        if (found === undefined) return undefined
        return found === 'directory'
          ? { kind: 'directory', sizeBytes: 0 }
          : { kind: 'file', sizeBytes: found.bytes.length }
      }
      case 'list':
        this.#demandDirectory(step.path)
        return this.#childrenOf(step.path).toSorted()
      case 'syncDirectory':
        return this.#demandDirectory(step.path)
      case 'makeDirectory':
        return this.#makeDirectory(step.path)
      case 'remove':
        if (this.#find(step.path) === 'directory' && this.#childrenOf(step.path).length > 0) raise('ENOTEMPTY')
        this.#table.delete(step.path)
        return undefined
      case 'write':
      case 'read':
      case 'truncate':
      case 'size':
      case 'sync':
      case 'close': {
        const handle = this.#handles[step.file]
        if (handle === undefined) return 'no such file'
        return this.#stepOnFile(handle, step)
      }
    }
  }

  #stepOnFile(handle: ModelHandle, step: Extract<DiskStep, { readonly file: number }>): Answer {
    const { file } = handle
    if (step.kind === 'close') {
      handle.isOpen = false
      return undefined
    }
    if (!handle.isOpen) return raise('EBADF')
    switch (step.kind) {
      case 'write': {
        const bytes = step.pieces.flatMap((piece) => [...piece])
        if (handle.mode === 'read' && bytes.length > 0) return raise('EBADF')
        for (const [i, byte] of bytes.entries()) {
          while (file.bytes.length < step.offset + i) file.bytes.push(0)
          file.bytes[step.offset + i] = byte
        }
        return undefined
      }
      case 'read':
        return file.bytes.slice(step.offset, step.offset + step.length)
      case 'truncate':
        if (handle.mode === 'read') return raise('EINVAL')
        while (file.bytes.length < step.sizeBytes) file.bytes.push(0)
        file.bytes.length = step.sizeBytes
        return undefined
      case 'size':
        return file.bytes.length
      case 'sync':
        return undefined
    }
  }

  #open(path: string, mode: OpenMode): Answer {
    this.#demandDirectory(parentOf(path))
    let found = this.#table.get(path)
    if (mode === 'create') {
      if (found !== undefined) return raise('EEXIST')
      found = { bytes: [] }
      this.#table.set(path, found)
    }
    if (found === undefined) return raise('ENOENT')
    if (found === 'directory') return raise('EISDIR')
    return this.#handles.push({ file: found, mode, isOpen: true })
  }

  #makeDirectory(path: string): void {
    const existing = this.#table.get(path)
    if (existing === 'directory') return
    if (existing !== undefined) raise('EEXIST')
    const parent = parentOf(path)
    if (this.#table.get(parent) !== 'directory') {
      if (this.#table.has(parent)) raise('ENOTDIR')
      this.#makeDirectory(parent)
    }
    this.#table.set(path, 'directory')
  }

  #rename(from: string, to: string): void {
    this.#demandDirectory(parentOf(from))
    this.#demandDirectory(parentOf(to))
    const source = this.#find(from)
    const target = this.#table.get(to)
    if (from === to) return
    if (source === 'directory' && to.startsWith(`${from}/`)) raise('EINVAL')
    if (from.startsWith(`${to}/`)) raise('ENOTEMPTY')
    if (source === 'directory' && target !== undefined && target !== 'directory') raise('ENOTDIR')
    if (source !== 'directory' && target === 'directory') raise('EISDIR')
    if (target === 'directory' && this.#childrenOf(to).length > 0) raise('ENOTEMPTY')
    for (const [path, content] of Array.from(this.#table)) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#table.delete(path)
      this.#table.set(to + path.slice(from.length), content)
    }
  }

  #find(path: string): ModelFile | 'directory' {
    this.#demandDirectory(parentOf(path))
    return this.#table.get(path) ?? raise('ENOENT')
  }

  #demandDirectory(path: string): void {
    if (path !== '') this.#demandDirectory(parentOf(path))
    const found = this.#table.get(path)
    if (found === undefined) raise('ENOENT')
    if (found !== 'directory') raise('ENOTDIR')
  }

  #childrenOf(directory: string): string[] {
    const prefix = directory === '' ? '' : `${directory}/`
    return [...this.#table.keys()]
      .filter((path) => path !== '' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function raise(errno: string): never {
  throw diskError({ errno, operation: 'model', path: '' })
}
