import type { DiskFile } from '../env.ts'
import { diskError } from '../shared/disk-error.ts'
import type { DiskOperation, Struck } from './disk-faults.ts'
import type { SimInode } from './sim-inode.ts'

/** An operation: what it does when its time has come, or, when it was struck, before it fails. */
export interface FileRequest<T> {
  readonly kind: DiskOperation
  readonly path: string
  readonly bytes?: number
  readonly act: (struck: Struck | undefined) => T
}

/** The disk, as its open files see it. */
export interface FileHost {
  request<T>(request: FileRequest<T>): Promise<T>
  strike(kind: DiskOperation, path: string): Struck | undefined
  /** Writes what there is room for, and throws if that is not all. */
  write(inode: SimInode, write: { bytes: Uint8Array; offset: number; path: string }): void
  resize(inode: SimInode, sizeBytes: number): void
  /** A handle was closed. */
  released(inode: SimInode): void
}

interface SimFileOptions {
  readonly host: FileHost
  readonly inode: SimInode
  readonly path: string
  readonly isWritable: boolean
}

/** An open file of a `SimDisk`. */
export class SimFile implements DiskFile {
  readonly path: string
  readonly #host: FileHost
  readonly #inode: SimInode
  readonly #isWritable: boolean
  readonly #inFlight = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined

  constructor({ host, inode, path, isWritable }: SimFileOptions) {
    this.path = path
    this.#host = host
    this.#inode = inode
    this.#isWritable = isWritable
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.#request('read', target.length, () => this.#inode.read(target, offset))
  }

  readNow(target: Uint8Array, offset: number): number {
    if (this.#closed !== undefined) throw this.#failure('EBADF', 'read')
    const struck = this.#host.strike('read', this.path)
    if (struck !== undefined) throw struck.error
    return this.#inode.read(target, offset)
  }

  write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return this.#request('write', total, (struck) => {
      if (!this.#isWritable && total > 0) throw this.#failure('EBADF', 'write')
      this.#writePieces(pieces, offset, struck)
    })
  }

  sync(): Promise<void> {
    const mark = this.#inode.mark()
    return this.#request('sync', 0, (struck) => {
      if (struck === undefined) this.#inode.syncDone(mark)
      else {
        this.#inode.syncFailed(mark)
        throw struck.error
      }
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#request('truncate', 0, () => {
      if (!this.#isWritable) throw this.#failure('EINVAL', 'truncate')
      this.#host.resize(this.#inode, sizeBytes)
    })
  }

  size(): Promise<number> {
    return this.#request('size', 0, () => this.#inode.sizeBytes)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#inFlight)
    await this.#host.request({
      kind: 'close',
      path: this.path,
      act: () => {
        this.#inode.handles--
        this.#host.released(this.#inode)
      },
    })
  }

  #writePieces(pieces: readonly Uint8Array[], offset: number, struck: Struck | undefined): void {
    let landing = struck?.landedBytes ?? Infinity
    let position = offset
    for (const piece of pieces) {
      const bytes = piece.subarray(0, Math.min(piece.length, landing))
      this.#host.write(this.#inode, { bytes, offset: position, path: this.path })
      position += bytes.length
      landing -= bytes.length
    }
    if (struck !== undefined) throw struck.error
  }

  #request<T>(kind: DiskOperation, bytes: number, act: (struck: Struck | undefined) => T): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#failure('EBADF', kind))
    const done = this.#host.request({ kind, path: this.path, bytes, act })
    this.#inFlight.add(done)
    const forget = (): void => void this.#inFlight.delete(done)
    done.then(forget, forget)
    return done
  }

  #failure(errno: string, operation: DiskOperation): Error {
    return diskError({ errno, operation, path: this.path })
  }
}
