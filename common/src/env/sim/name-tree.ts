import { diskError } from '../shared/disk-error.ts'
import { SimInode } from './sim-inode.ts'
import type { SimRandom } from './sim-random.ts'

/** A directory: the names that callers see, and the names that are on the device. */
export class SimDirectory {
  readonly entries = new Map<string, SimNode>()
  readonly durable = new Map<string, SimNode>()
}

export type SimNode = SimInode | SimDirectory

/** One name that an operation sets or, with an undefined node, takes away. */
interface Change {
  readonly directory: SimDirectory
  readonly name: string
  readonly node: SimNode | undefined
}

/**
 * One creation, renaming or removal. It is atomic, and durable when every directory it touched was synced. It never gets
 * to the device before an earlier one of the same name: a node renamed twice must not be found under two names.
 */
interface NameOperation {
  readonly order: number
  readonly changes: readonly Change[]
  readonly unsynced: Set<SimDirectory>
  readonly after: readonly NameOperation[]
  durable: boolean
  /** A sync of it failed: no later sync covers it, and a crash may still keep it. */
  isForsaken: boolean
}

/**
 * Which of the name operations that nobody synced a power cut keeps: any of them, or, as on a file system with an
 * ordered journal, a prefix. Code that is right under `any` is right under both.
 */
export type NameCrash = 'any' | 'prefix'

/** The parent of a path, and its last name. */
interface Slot {
  readonly directory: SimDirectory
  readonly name: string
}

const longestNameBytes = 255

/** The names of a simulated file system, apart from the bytes of its files. */
export class NameTree {
  readonly #root: SimDirectory
  readonly #crashMode: NameCrash
  #pending: NameOperation[] = []
  #order = 0

  constructor(crashMode: NameCrash, root = new SimDirectory()) {
    this.#crashMode = crashMode
    this.#root = root
  }

  /** The node at `path`; undefined when a part of it is missing or is not a directory. */
  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root
    for (const name of partsOf(path)) node = node instanceof SimDirectory ? node.entries.get(name) : undefined
    return node
  }

  /** The node at `path`, or ENOENT, ENOTDIR. */
  get(path: string, operation: string): SimNode {
    const parts = partsOf(path)
    if (parts.length === 0) return this.#root
    const { directory, name } = this.#slot(path, operation)
    const node = directory.entries.get(name)
    if (node === undefined) throw diskError({ errno: 'ENOENT', operation, path })
    return node
  }

  directory(path: string, operation: string): SimDirectory {
    const node = this.get(path, operation)
    if (!(node instanceof SimDirectory)) throw diskError({ errno: 'ENOTDIR', operation, path })
    return node
  }

  createFile(path: string): SimInode {
    const { directory, name } = this.#slot(path, 'open')
    if (directory.entries.has(name)) throw diskError({ errno: 'EEXIST', operation: 'open', path })
    const inode = new SimInode()
    inode.names = 1
    this.#perform([{ directory, name, node: inode }])
    return inode
  }

  makeDirectory(path: string): void {
    let node: SimNode = this.#root
    const parts = partsOf(path)
    for (const [depth, name] of parts.entries()) {
      if (!(node instanceof SimDirectory)) throw diskError({ errno: 'ENOTDIR', operation: 'makeDirectory', path })
      refuseLongName(name, 'makeDirectory', path)
      let child: SimNode | undefined = node.entries.get(name)
      if (child === undefined) {
        child = new SimDirectory()
        this.#perform([{ directory: node, name, node: child }])
      } else if (depth === parts.length - 1 && !(child instanceof SimDirectory)) {
        throw diskError({ errno: 'EEXIST', operation: 'makeDirectory', path })
      }
      node = child
    }
  }

  /** Returns the file whose name was taken over, if any; it has one name less. */
  rename(from: string, to: string): SimInode | undefined {
    const source = this.#slot(from, 'rename')
    const target = this.#slot(to, 'rename')
    const node = source.directory.entries.get(source.name)
    const replaced = target.directory.entries.get(target.name)
    const fail = (errno: string): never => {
      throw diskError({ errno, operation: 'rename', path: from })
    }
    if (node === undefined) return fail('ENOENT')
    if (node === replaced) return undefined
    if (node instanceof SimDirectory) {
      if (isBelow(node, target.directory)) return fail('EINVAL')
      if (replaced !== undefined && !(replaced instanceof SimDirectory)) return fail('ENOTDIR')
    }
    if (replaced instanceof SimDirectory) {
      if (isBelow(replaced, source.directory)) return fail('ENOTEMPTY')
      if (!(node instanceof SimDirectory)) return fail('EISDIR')
      if (replaced.entries.size > 0) return fail('ENOTEMPTY')
    }
    this.#perform([
      { ...source, node: undefined },
      { ...target, node },
    ])
    return unnamed(replaced)
  }

  /** Returns the file that lost its name, if it was a file. */
  remove(path: string): SimInode | undefined {
    const { directory, name } = this.#slot(path, 'remove')
    const node = directory.entries.get(name)
    if (node === undefined) throw diskError({ errno: 'ENOENT', operation: 'remove', path })
    if (node instanceof SimDirectory && node.entries.size > 0) {
      throw diskError({ errno: 'ENOTEMPTY', operation: 'remove', path })
    }
    this.#perform([{ directory, name, node: undefined }])
    return unnamed(node)
  }

  /** Begins a directory's sync: it covers the operations before this call. */
  mark(): number {
    return this.#order
  }

  syncDone(directory: SimDirectory, mark: number): void {
    const covered = this.#pending.filter(({ order, isForsaken }) => order <= mark && !isForsaken)
    const last = covered.findLast(({ unsynced }) => unsynced.has(directory))
    if (last === undefined) return
    for (const operation of covered) {
      operation.unsynced.delete(directory)
      const journaled = this.#crashMode === 'prefix' && operation.order <= last.order
      if (journaled || operation.unsynced.size === 0) commit(operation)
    }
    this.#pending = this.#pending.filter(({ durable }) => !durable)
  }

  /** As with the bytes of a file: what a failed sync should have covered is not covered by the next one. */
  syncFailed(directory: SimDirectory, mark: number): void {
    for (const operation of this.#pending) {
      if (operation.order <= mark && operation.unsynced.has(directory)) operation.isForsaken = true
    }
  }

  /** The file at `path` if every crash would leave it there. */
  durableFile(path: string): SimInode | undefined {
    let node: SimNode | undefined = this.#root
    for (const name of partsOf(path)) {
      if (!(node instanceof SimDirectory) || this.#lastPending(node, name) !== undefined) return undefined
      node = node.durable.get(name)
    }
    return node instanceof SimInode ? node : undefined
  }

  /** The names after a power cut, over copies of the files made by `crashFile`. */
  crash(random: SimRandom, crashFile: (inode: SimInode) => SimInode): NameTree {
    const mood = random.fraction()
    const share = mood < 0.2 ? 0 : mood < 0.4 ? 1 : 0.5
    const prefix = random.below(this.#pending.length + 1)
    for (const [index, operation] of this.#pending.entries()) {
      const kept = this.#crashMode === 'any' ? random.chance(share) : index < prefix
      if (kept && operation.after.every(({ durable }) => durable)) commit(operation)
    }
    return new NameTree(this.#crashMode, survivorOf(this.#root, crashFile))
  }

  /** Every file that has a name. */
  *files(directory = this.#root): Generator<SimInode> {
    for (const node of directory.entries.values()) {
      if (node instanceof SimDirectory) yield* this.files(node)
      else yield node
    }
  }

  #slot(path: string, operation: string): Slot {
    const parts = partsOf(path)
    const name = parts.pop()
    if (name === undefined) throw diskError({ errno: 'EBUSY', operation, path })
    let node: SimNode = this.#root
    for (const part of parts) {
      refuseLongName(part, operation, path)
      const child: SimNode | undefined = node instanceof SimDirectory ? node.entries.get(part) : undefined
      if (child === undefined) {
        throw diskError({ errno: node instanceof SimDirectory ? 'ENOENT' : 'ENOTDIR', operation, path })
      }
      node = child
    }
    if (!(node instanceof SimDirectory)) throw diskError({ errno: 'ENOTDIR', operation, path })
    refuseLongName(name, operation, path)
    return { directory: node, name }
  }

  #perform(changes: readonly Change[]): void {
    for (const { directory, name, node } of changes) {
      if (node === undefined) directory.entries.delete(name)
      else directory.entries.set(name, node)
    }
    const after = changes.flatMap(({ directory, name }) => this.#lastPending(directory, name) ?? [])
    const unsynced = new Set(changes.map(({ directory }) => directory))
    this.#pending.push({ order: ++this.#order, changes, unsynced, after, durable: false, isForsaken: false })
  }

  #lastPending(directory: SimDirectory, name: string): NameOperation | undefined {
    return this.#pending.findLast(({ changes }) =>
      changes.some((change) => change.directory === directory && change.name === name),
    )
  }
}

function unnamed(node: SimNode | undefined): SimInode | undefined {
  if (!(node instanceof SimInode)) return undefined
  node.names--
  return node
}

/** To the device, behind those that it must not overtake. */
function commit(operation: NameOperation): void {
  if (operation.durable) return
  operation.durable = true
  for (const earlier of operation.after) commit(earlier)
  for (const { directory, name, node } of operation.changes) {
    if (node === undefined) directory.durable.delete(name)
    else directory.durable.set(name, node)
  }
}

function survivorOf(directory: SimDirectory, crashFile: (inode: SimInode) => SimInode): SimDirectory {
  const survivor = new SimDirectory()
  for (const [name, node] of directory.durable) {
    const copy = node instanceof SimInode ? crashFile(node) : survivorOf(node, crashFile)
    if (copy instanceof SimInode) copy.names = 1
    survivor.entries.set(name, copy)
    survivor.durable.set(name, copy)
  }
  return survivor
}

/** Whether `directory` is `ancestor` or inside of it. */
function isBelow(ancestor: SimDirectory, directory: SimDirectory): boolean {
  if (ancestor === directory) return true
  for (const child of ancestor.entries.values()) {
    if (child instanceof SimDirectory && isBelow(child, directory)) return true
  }
  return false
}

function refuseLongName(name: string, operation: string, path: string): void {
  if (Buffer.byteLength(name) > longestNameBytes) throw diskError({ errno: 'ENAMETOOLONG', operation, path })
}

/** `.` and empty parts say nothing, `..` goes up. */
function partsOf(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}
