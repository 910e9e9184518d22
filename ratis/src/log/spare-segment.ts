/**
 * The next segment's file, made ahead of need: full length, every block written once, synced, named. Appending to blocks
 * that are already allocated and written is what makes `fdatasync` cheap (no journal commit), and it is the reserve of a
 * full disk: the log goes on while there is a spare, and says `outOfSpace` as soon as there cannot be one.
 *
 * A spare is the file of a segment that was cut away, when there is one; else it is written with zeros. What an old file
 * still holds does no harm: checksums start from a segment's own number, so no old record verifies in a new segment.
 */

import type { DiskFile, Env, Task } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'

export interface SpareOptions {
  readonly directory: string
  readonly segmentBytes: number
  /** How often a full disk is tried again. */
  readonly retryMs: number
  /** A write or sync failed for another reason than space: the volume is not to be trusted. */
  readonly onFailure: (error: unknown) => void
}

export interface Spare {
  readonly file: DiskFile
  /** Its name, until the segment's takes its place. */
  readonly path: string
  /** It was a segment before: there are no zeros in it to be relied on. */
  readonly isReused: boolean
}

/** What is written and synced at once: a sync of the log waits for no more than this. */
const chunkBytes = 1024 * 1024
/** Between two chunks, while nobody waits for the spare: it is not needed for another segment, but the disk is. */
const pauseMs = 8
const zeros = new Uint8Array(chunkBytes)

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'preparing'; readonly task: Task }
  | { readonly kind: 'ready'; readonly spare: Spare }
  | { readonly kind: 'out-of-space'; readonly error: StoreError; readonly cancelRetry: () => void }
  | { readonly kind: 'closed' }

export class SpareSegment {
  readonly path: string
  private readonly draftPath: string
  private readonly retiredPath: string
  private readonly env: Env
  private readonly options: SpareOptions
  private state: State = { kind: 'none' }
  /** A file waits under the retired segment's name. */
  private hasRetired = false
  private starved = false
  private awaited = false

  constructor(env: Env, options: SpareOptions) {
    this.env = env
    this.options = options
    this.path = `${options.directory}/spare`
    this.draftPath = `${this.path}.new`
    this.retiredPath = `${options.directory}/retired`
  }

  /** A spare is there to be taken at once. */
  get isReady(): boolean {
    return this.state.kind === 'ready'
  }

  /** True while the reserve of a full disk could not be kept. */
  get outOfSpace(): boolean {
    return this.starved
  }

  /**
   * Takes over what an earlier process left; removes half a spare. `mistrust`: removes all of it. When the hard state was
   * lost, numbers of segments may be used again, and then an old record would verify in a new segment.
   */
  async adopt(how: 'trust' | 'mistrust'): Promise<void> {
    await this.discard(this.draftPath)
    if (how === 'mistrust') {
      await this.discard(this.retiredPath)
      return this.discard(this.path)
    }
    this.hasRetired = await this.isWhole(this.retiredPath)
    if (!this.hasRetired) await this.discard(this.retiredPath)
    if (!(await this.isWhole(this.path))) return this.discard(this.path)
    const file = await this.env.disk.open(this.path, 'read-write')
    // Whether it was reused is not written down; to take it for reused is always right.
    this.state = { kind: 'ready', spare: { file, path: this.path, isReused: true } }
  }

  /** Starts making a spare in the background unless there is one. */
  prepare(): void {
    if (this.state.kind === 'out-of-space') this.state.cancelRetry()
    else if (this.state.kind !== 'none') return
    const task = this.env.tasks.spawn('log.prepare-segment', () => this.make())
    this.state = { kind: 'preparing', task }
  }

  /** The spare, its file still under the spare's name. Rejects with `OutOfSpace` when there cannot be one now. */
  async take(): Promise<Spare> {
    if (this.state.kind !== 'ready') {
      this.awaited = true
      this.prepare()
      if (this.state.kind === 'preparing') await this.state.task.done
      this.awaited = false
    }
    const { state } = this
    if (state.kind === 'out-of-space') throw state.error
    if (state.kind !== 'ready') throw new StoreError('Closed', 'the log is closed')
    this.state = { kind: 'none' }
    return state.spare
  }

  /**
   * An empty file under the name of half a spare, for a segment that is made with records in it. Whatever becomes of it, no
   * later segment is made of that file. (Its records would verify there: the number of a segment that was never recorded is
   * used again.) Not while a spare is being made.
   */
  async draft(): Promise<Spare> {
    await this.discard(this.draftPath)
    return { file: await this.env.disk.open(this.draftPath, 'create'), path: this.draftPath, isReused: false }
  }

  /** After a `take` or a `draft` that led to nothing. */
  async giveBack(spare: Spare): Promise<void> {
    if (spare.path === this.path) this.state = { kind: 'ready', spare }
    else await spare.file.close()
  }

  /**
   * Keeps the file of a segment that the log no longer needs, one at most. False: it is not wanted. Durable after the
   * caller's sync of the directory.
   */
  async retire(path: string): Promise<boolean> {
    if (this.hasRetired || this.state.kind === 'closed' || !(await this.isWhole(path))) return false
    await this.env.disk.rename(path, this.retiredPath)
    this.hasRetired = true
    return true
  }

  async close(): Promise<void> {
    const { state } = this
    this.state = { kind: 'closed' }
    if (state.kind === 'ready') await state.spare.file.close()
    if (state.kind === 'out-of-space') state.cancelRetry()
    if (state.kind === 'preparing') await state.task.done
  }

  private async make(): Promise<void> {
    try {
      await this.discard(this.draftPath)
      const spare = this.hasRetired ? await this.reuseRetired() : await this.writeZeros()
      this.starved = false
      if (this.isClosed()) await spare.file.close()
      else this.state = { kind: 'ready', spare }
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) {
        if (!this.isClosed()) this.state = { kind: 'none' }
        this.options.onFailure(error)
        return
      }
      this.starved = true
      await this.discard(this.draftPath)
      if (this.isClosed()) return
      const cancelRetry = this.env.clock.after(this.options.retryMs, () => this.prepare())
      this.state = { kind: 'out-of-space', error, cancelRetry }
    }
  }

  private async reuseRetired(): Promise<Spare> {
    const { disk } = this.env
    this.env.at('log.prepare.before-reuse')
    await disk.rename(this.retiredPath, this.path)
    this.hasRetired = false
    await disk.syncDirectory(this.options.directory)
    return { file: await disk.open(this.path, 'read-write'), path: this.path, isReused: true }
  }

  private async writeZeros(): Promise<Spare> {
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
      if (this.isClosed()) return { file, path: this.path, isReused: false }
      await disk.rename(this.draftPath, this.path)
      await disk.syncDirectory(directory)
      return { file, path: this.path, isReused: false }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  private async isWhole(path: string): Promise<boolean> {
    const found = await this.env.disk.stat(path)
    return found?.sizeBytes === this.options.segmentBytes
  }

  private async discard(path: string): Promise<void> {
    const { disk } = this.env
    if ((await disk.stat(path)) !== undefined) await disk.remove(path)
  }

  private isClosed(): boolean {
    return this.state.kind === 'closed'
  }
}
