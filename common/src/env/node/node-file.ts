import fs from 'node:fs'
import { diskError } from '../shared/disk-error.ts'
import type { DiskFile } from '../env.ts'

/** Node refuses lengths of 2 GiB and more in one call. */
const longestReadBytes = 2 ** 30

type Reject = (error: unknown) => void

/**
 * A file by its descriptor. The callback API costs about half of a `FileHandle`'s promises per call.
 *
 * `close` waits for the operations in flight: the kernel gives a closed number to the next file opened, and a write
 * that still waits in the thread pool would then land in a stranger's file.
 */
export class NodeFile implements DiskFile {
  readonly path: string
  readonly #fd: number
  #inFlight = 0
  #closed: Promise<void> | undefined
  #whenIdle: (() => void) | undefined

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#enter('read', reject)) return
      let filled = 0
      const next = (): void => {
        const length = Math.min(target.length - filled, longestReadBytes)
        fs.read(this.#fd, target, filled, length, offset + filled, (error, count) => {
          if (error !== null) {
            this.#leave()
            reject(this.#failure('read', error))
            return
          }
          filled += count
          if (count > 0 && filled < target.length) {
            next()
            return
          }
          this.#leave()
          resolve(filled)
        })
      }
      next()
    })
  }

  readNow(target: Uint8Array, offset: number): number {
    if (this.#closed !== undefined) throw this.#closedFailure('read')
    let filled = 0
    try {
      while (filled < target.length) {
        const length = Math.min(target.length - filled, longestReadBytes)
        const count = fs.readSync(this.#fd, target, filled, length, offset + filled)
        if (count === 0) break
        filled += count
      }
    } catch (error) {
      throw this.#failure('read', error)
    }
    return filled
  }

  write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#enter('write', reject)) return
      let rest = unwritten(pieces, 0)
      let position = offset
      // libuv reports a failure after some bytes as a short write; writing the rest then brings the error itself.
      const next = (): void => {
        const [first] = rest
        if (first === undefined) {
          this.#leave()
          resolve()
        } else if (rest.length === 1) fs.write(this.#fd, first, 0, first.length, position, written)
        else fs.writev(this.#fd, rest, position, written)
      }
      const written = (error: NodeJS.ErrnoException | null, count: number): void => {
        rest = error === null ? unwritten(rest, count) : rest
        if (error === null && (count > 0 || rest.length === 0)) {
          position += count
          next()
          return
        }
        this.#leave()
        reject(this.#failure('write', error ?? { code: 'EIO' }))
      }
      next()
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#enter('sync', reject)) fs.fdatasync(this.#fd, this.#settle('sync', resolve, reject))
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#enter('truncate', reject)) {
        fs.ftruncate(this.#fd, sizeBytes, this.#settle('truncate', resolve, reject))
      }
    })
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#enter('size', reject)) return
      fs.fstat(this.#fd, (error, stats) => {
        this.#leave()
        if (error === null) resolve(stats.size)
        else reject(this.#failure('size', error))
      })
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
      })
    }
    await new Promise<void>((resolve, reject) => {
      fs.close(this.#fd, (error) => {
        if (error === null || error === undefined) resolve()
        else reject(this.#failure('close', error))
      })
    })
  }

  #enter(operation: string, reject: Reject): boolean {
    if (this.#closed !== undefined) {
      reject(this.#closedFailure(operation))
      return false
    }
    this.#inFlight++
    return true
  }

  #leave(): void {
    this.#inFlight--
    if (this.#inFlight === 0) this.#whenIdle?.()
  }

  #settle(operation: string, resolve: () => void, reject: Reject): (error: NodeJS.ErrnoException | null) => void {
    return (error) => {
      this.#leave()
      if (error === null) resolve()
      else reject(this.#failure(operation, error))
    }
  }

  #closedFailure(operation: string): Error {
    return diskError({ errno: 'EBADF', operation, path: this.path })
  }

  #failure(operation: string, error: unknown): Error {
    return nodeDiskError(operation, this.path, error)
  }
}

/** The `StoreError` for what an `fs` call threw. */
export function nodeDiskError(operation: string, path: string, error: unknown): Error {
  const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
  return diskError({ errno, operation, path, cause: error })
}

/** What is left of `pieces` after the first `count` bytes; empty pieces in front go too. */
function unwritten(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skip = count
  for (const [i, piece] of pieces.entries()) {
    if (skip < piece.length) {
      if (skip === 0) return i === 0 ? pieces : pieces.slice(i)
      return [piece.subarray(skip), ...pieces.slice(i + 1)]
    }
    skip -= piece.length
  }
  return []
}
