/**
 * The file of one generation of a container, opened when somebody needs it and counted while in use. Compaction and
 * deletion *retire* it: it is closed and removed only after the last reader has let go of it.
 */

import type { Disk, DiskFile, OpenMode } from '@o3/common/env'
import { StoreError, assert, isStoreError } from '@o3/common/errors'
import type { ContainerFileName } from '../core/container-name.ts'
import { formatContainerName } from '../core/container-name.ts'
import { isMissing } from '../core/disk-failure.ts'

/** Keeps at most `maxIdle` files open that nobody uses at the moment; the one that rested longest is closed first. */
export class FilePool {
  /** A close that failed may have lost what was written before: the disk is not to be trusted any more. */
  readonly closeFailed: (error: unknown) => void
  /** Told of a file that is not where it was, whoever wanted it. */
  vanished: (file: ContainerFile) => void = () => {}
  private readonly idle = new Set<ContainerFile>()
  private readonly maxIdle: number

  constructor(maxIdle: number, closeFailed: (error: unknown) => void) {
    this.maxIdle = maxIdle
    this.closeFailed = closeFailed
  }

  rest(file: ContainerFile): void {
    this.idle.add(file)
    if (this.idle.size <= this.maxIdle) return
    const [oldest] = this.idle
    if (oldest === undefined) return
    this.idle.delete(oldest)
    void oldest.closeIdle()
  }

  wake(file: ContainerFile): void {
    this.idle.delete(file)
  }

  /** Closes all that nobody uses; resolves when they are. */
  async closeIdle(): Promise<void> {
    const files = [...this.idle]
    this.idle.clear()
    await Promise.all(files.map((file) => file.closeIdle()))
  }
}

export class ContainerFile {
  readonly name: ContainerFileName
  readonly path: string
  private readonly disk: Disk
  private readonly pool: FilePool
  private file: DiskFile | undefined
  private opening: Promise<DiskFile> | undefined
  private closing: Promise<void> = Promise.resolve()
  private users = 0
  private retired = false
  private whenUnused: (() => void) | undefined
  private readonly going = new AbortController()

  constructor(options: {
    readonly disk: Disk
    readonly directory: string
    readonly name: ContainerFileName
    /** Default: of a container that is there. */
    readonly fileName?: string
    readonly pool: FilePool
    /** When it was just created. */
    readonly file?: DiskFile
  }) {
    this.disk = options.disk
    this.pool = options.pool
    this.name = options.name
    this.path = `${options.directory}/${options.fileName ?? formatContainerName(options.name)}`
    this.file = options.file
  }

  /** Each `acquire` that returned or resolved is followed by one `release`. `ContainerNotFound` after `retire`. */
  acquire(): DiskFile | Promise<DiskFile> {
    // Whoever looks a container up again after a compaction gets the next file: this one's container was deleted.
    if (this.retired) throw new StoreError('ContainerNotFound', `container ${this.name.container} was deleted`)
    this.users++
    this.pool.wake(this)
    if (this.file !== undefined) return this.file
    this.opening ??= this.open('read-write')
    return this.opening
  }

  release(): void {
    this.users--
    assert(this.users >= 0, `${this.path} was released too often`)
    if (this.users > 0) return
    if (this.whenUnused !== undefined) this.whenUnused()
    else if (this.file !== undefined) this.pool.rest(this)
  }

  /**
   * Aborted once the file is to go. Who reads it for hours, and for nobody in particular, lets go of it then: its space
   * comes back, and the deletion of its container is answered, only after the last user.
   */
  get retiring(): AbortSignal {
    return this.going.signal
  }

  get isInUse(): boolean {
    return this.users > 0
  }

  /** Resolves when nobody uses the file any more and it is closed. */
  async retire(): Promise<void> {
    this.going.abort(new StoreError('Aborted', `${this.path} is about to be removed`))
    this.retired = true
    if (this.users > 0) {
      await new Promise<void>((resolve) => {
        this.whenUnused = resolve
      })
    }
    this.pool.wake(this)
    await this.closeIdle()
  }

  /** Called with no users. */
  closeIdle(): Promise<void> {
    const { file } = this
    this.file = undefined
    if (file !== undefined) this.closing = file.close().catch(this.pool.closeFailed)
    return this.closing
  }

  private async open(mode: OpenMode): Promise<DiskFile> {
    try {
      await this.closing
      this.file = await this.disk.open(this.path, mode)
      return this.file
    } catch (error) {
      this.users-- // the caller gets an error, not a file to release
      throw this.openFailed(error)
    } finally {
      this.opening = undefined
    }
  }

  /** To the disk a path that leads nowhere is its caller's mistake. This one was right: the disk has gone, or the file has. */
  private openFailed(error: unknown): unknown {
    if (!isStoreError(error, 'InvalidArgument')) return error
    if (isMissing(error)) this.pool.vanished(this)
    const details = { container: this.name.container, path: this.path }
    return new StoreError('VolumeFailed', 'the file of a container cannot be opened', { details, cause: error })
  }
}
