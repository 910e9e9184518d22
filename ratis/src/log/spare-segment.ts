import type { DiskFile, Env, Task } from '@o3/common/env'
import { isStoreError, type StoreError } from '@o3/common/errors'

/**
 * The next segment's file, made ahead of need: full length, written with zeros, synced, named. Appending to blocks that
 * are already allocated and written is what makes `fdatasync` cheap (no journal commit), and it is the reserve of a full
 * disk: the log goes on while there is a spare, and says `outOfSpace` as soon as there cannot be one.
 */

export interface SpareOptions {
  readonly directory: string
  readonly segmentBytes: number
  /** How often a full disk is tried again. */
  readonly retryMs: number
  /** A write or sync failed for another reason than space: the volume is not to be trusted. */
  readonly onFailure: (error: unknown) => void
}

/** What is written and synced at once: a sync of the log waits for no more than this. */
const chunkBytes = 1024 * 1024
/** Between two chunks, while nobody waits for the spare: it is not needed for another segment, but the disk is. */
const pauseMs = 8
const zeros = new Uint8Array(chunkBytes)

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'preparing'; readonly task: Task }
  | { readonly kind: 'ready'; readonly file: DiskFile }
  | { readonly kind: 'out-of-space'; readonly error: StoreError; readonly cancelRetry: () => void }
  | { readonly kind: 'closed' }

export class SpareSegment {
  readonly path: string
  private readonly env: Env
  private readonly options: SpareOptions
  private state: State = { kind: 'none' }
  private starved = false
  private awaited = false

  constructor(env: Env, options: SpareOptions) {
    this.env = env
    this.options = options
    this.path = `${options.directory}/spare`
  }

  /** True while the reserve of a full disk could not be kept. */
  get outOfSpace(): boolean {
    return this.starved
  }

  /** Takes over the spare that an earlier process finished; removes half a one. */
  async adopt(): Promise<void> {
    const { disk } = this.env
    await this.discardDraft()
    const found = await disk.stat(this.path)
    if (found === undefined) return
    if (found.sizeBytes === this.options.segmentBytes) {
      this.state = { kind: 'ready', file: await disk.open(this.path, 'read-write') }
    } else await disk.remove(this.path)
  }

  /** Starts making a spare in the background unless there is one. */
  prepare(): void {
    if (this.state.kind === 'out-of-space') this.state.cancelRetry()
    else if (this.state.kind !== 'none') return
    const task = this.env.tasks.spawn('log.prepare-segment', () => this.make())
    this.state = { kind: 'preparing', task }
  }

  /** The spare's file, still under the spare's name. Rejects with `OutOfSpace` when there cannot be one now. */
  async take(): Promise<DiskFile> {
    if (this.state.kind !== 'ready') {
      this.awaited = true
      this.prepare()
      if (this.state.kind === 'preparing') await this.state.task.done
      this.awaited = false
    }
    const { state } = this
    if (state.kind === 'out-of-space') throw state.error
    if (state.kind !== 'ready') throw new Error('the spare segment was closed')
    this.state = { kind: 'none' }
    return state.file
  }

  /** After a `take` that led to nothing. */
  giveBack(file: DiskFile): void {
    this.state = { kind: 'ready', file }
  }

  async close(): Promise<void> {
    const { state } = this
    this.state = { kind: 'closed' }
    if (state.kind === 'ready') await state.file.close()
    if (state.kind === 'out-of-space') state.cancelRetry()
    if (state.kind === 'preparing') await state.task.done
  }

  private async make(): Promise<void> {
    try {
      await this.discardDraft()
      const file = await this.writeZeros()
      this.starved = false
      if (this.isClosed()) await file.close()
      else this.state = { kind: 'ready', file }
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) {
        if (!this.isClosed()) this.state = { kind: 'none' }
        this.options.onFailure(error)
        return
      }
      this.starved = true
      await this.discardDraft()
      if (this.isClosed()) return
      const cancelRetry = this.env.clock.after(this.options.retryMs, () => this.prepare())
      this.state = { kind: 'out-of-space', error, cancelRetry }
    }
  }

  private async writeZeros(): Promise<DiskFile> {
    const { disk } = this.env
    const { segmentBytes, directory } = this.options
    const file = await disk.open(this.draftPath, 'create')
    try {
      this.env.at('log.prepare.before-zeros')
      for (let at = 0; at < segmentBytes && !this.isClosed(); at += chunkBytes) {
        await file.write([zeros.subarray(0, Math.min(chunkBytes, segmentBytes - at))], at)
        this.env.at('log.prepare.before-sync')
        await file.sync()
        if (!this.awaited && at + chunkBytes < segmentBytes) await this.env.clock.sleep(pauseMs)
      }
      this.env.at('log.prepare.before-rename')
      if (this.isClosed()) return file
      await disk.rename(this.draftPath, this.path)
      await disk.syncDirectory(directory)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  private get draftPath(): string {
    return `${this.path}.new`
  }

  private async discardDraft(): Promise<void> {
    const { disk } = this.env
    if ((await disk.stat(this.draftPath)) !== undefined) await disk.remove(this.draftPath)
  }

  private isClosed(): boolean {
    return this.state.kind === 'closed'
  }
}
