import type { Env } from '@o3/common/env'
import { isStoreError, StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { synced } from './damage.ts'
import { GroupCommit, type AppendDone } from './group-commit.ts'
import type { HardState, HardStateFile } from './hard-state.ts'
import { SegmentsReader, type LogReader } from './log-reader.ts'
import { recordBytes, type LogEntry } from './record.ts'
import type { Recovery } from './recover-segments.ts'
import { SegmentRoll } from './segment-roll.ts'
import type { Segment } from './segment.ts'
import type { HardStateChange, LogOpening, LogOptions, SegmentedLog } from './segmented-log.ts'
import { SpareSegment } from './spare-segment.ts'
import type { TermRun } from './term-runs.ts'

/** `LogOptions`, none missing. */
export type LogSettings = Required<Omit<LogOptions, 'groupId'>>

interface Opened {
  readonly directory: string
  readonly settings: LogSettings
  readonly hardState: HardStateFile
  readonly recovery: Recovery
  readonly created: boolean
}

/** A log whose files were verified. `start` before anything else. */
export class OpenLog implements SegmentedLog {
  readonly opening: LogOpening
  private readonly env: Env
  private readonly directory: string
  private readonly settings: LogSettings
  private readonly hard: HardStateFile
  private readonly segments: Segment[]
  private readonly spare: SpareSegment
  private readonly roll: SegmentRoll
  private readonly commit: GroupCommit
  private failure: StoreError | undefined
  private closing: Promise<void> | undefined
  private committed: LogIndex
  private cancelFloor: (() => void) | undefined
  private cutting: Promise<void> = Promise.resolve()

  constructor(env: Env, opened: Opened) {
    const { directory, settings, hardState, recovery } = opened
    this.env = env
    this.directory = directory
    this.settings = settings
    this.hard = hardState
    this.opening = { created: opened.created, cutBytes: recovery.cutBytes }
    this.segments = [...recovery.segments]
    this.committed = hardState.state.commitFloor
    const onFailure = (error: unknown): void => this.fail(error)
    const { segmentBytes, spaceRetryMs, maxBatchBytes } = settings
    this.spare = new SpareSegment(env, { directory, segmentBytes, retryMs: spaceRetryMs, onFailure })
    const { spare, segments } = this
    this.roll = new SegmentRoll(env, { directory, segmentBytes, hardState, spare, segments })
    const { roll } = this
    this.commit = new GroupCommit(env, { maxBatchBytes, roll, terms: recovery.terms, onFailure })
  }

  async start(): Promise<void> {
    await this.spare.adopt()
    await this.roll.resume()
    if (this.segments.length === 0) await this.roll.next({ index: 0, term: 0 })
    this.spare.prepare()
  }

  get hardState(): HardState {
    return this.hard.state
  }

  get firstIndex(): LogIndex {
    return this.segments[0]?.firstIndex ?? 1
  }

  get lastIndex(): LogIndex {
    return this.commit.terms.lastIndex
  }

  get durableIndex(): LogIndex {
    return this.commit.durableIndex
  }

  get termRuns(): readonly TermRun[] {
    return this.commit.terms.list
  }

  termAt(index: LogIndex): Term | undefined {
    return this.commit.terms.termAt(index)
  }

  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.endOffset, 0)
  }

  get queuedBytes(): number {
    return this.commit.queuedBytes
  }

  get maxAppendBytes(): number {
    return Math.min(this.roll.capacity, this.settings.maxQueuedBytes)
  }

  get outOfSpace(): boolean {
    return this.spare.outOfSpace
  }

  get failed(): ErrorRecord | undefined {
    return this.failure?.toRecord()
  }

  append(entries: readonly LogEntry[], done: AppendDone): void {
    this.expectOpen()
    let bytes = 0
    let { lastIndex } = this
    let term: Term = this.commit.terms.lastTerm
    for (const entry of entries) {
      if (entry.index !== ++lastIndex || entry.term < term) {
        throw new StoreError(
          'InvalidArgument',
          `entry ${entry.index} (term ${entry.term}) does not follow ${lastIndex - 1}`,
        )
      }
      term = entry.term
      bytes += recordBytes(entry.payload.length)
    }
    if (bytes > this.maxAppendBytes) throw new StoreError('TooLarge', 'the entries do not fit into a log segment')
    if (this.queuedBytes + bytes > this.settings.maxQueuedBytes) {
      throw new StoreError('Busy', 'too many log entries wait for the disk')
    }
    this.commit.append(entries, done)
  }

  noteCommitted(index: LogIndex): void {
    if (index <= this.committed) return
    this.committed = index
    if (this.cancelFloor !== undefined || this.settings.commitFloorMs === 0 || this.closing !== undefined) return
    this.cancelFloor = this.env.clock.after(this.settings.commitFloorMs, () => {
      this.cancelFloor = undefined
      this.saveFloor().catch((error: unknown) => this.fail(error))
    })
  }

  async saveHardState(change: HardStateChange): Promise<void> {
    this.expectOpen()
    await this.save(change)
  }

  read(from: LogIndex): LogReader {
    return new SegmentsReader(this.env, this.segments, from)
  }

  truncateBefore(index: LogIndex, keepBytes = 0): Promise<void> {
    const done = this.cutting.then(() => this.cut(index, keepBytes))
    // The caller has the rejection; the next cut only waits for its turn.
    this.cutting = done.catch(() => undefined)
    return done
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  private async finish(): Promise<void> {
    await this.commit.settled()
    await this.cutting
    this.cancelFloor?.()
    try {
      if (this.failure === undefined) {
        await this.roll.trim()
        await this.saveFloor()
      }
    } finally {
      await this.spare.close()
      await this.roll.close()
      await this.hard.close()
    }
  }

  private async cut(index: LogIndex, keepBytes: number): Promise<void> {
    this.expectOpen()
    const count = this.removable(index, keepBytes)
    if (count === 0) return
    const removed = this.segments.slice(0, count)
    // First the hard state: from then on the segments are leftovers, in whatever order their removals become durable.
    this.env.at('log.truncate.before-hard-state')
    await this.save({ firstIndex: (this.segments[count] as Segment).firstIndex })
    this.segments.splice(0, count)
    this.commit.startAt(this.firstIndex - 1)
    this.env.at('log.truncate.before-remove')
    for (const segment of removed) {
      if (!(await this.spare.retire(segment.path))) await this.env.disk.remove(segment.path)
    }
    await synced(this.env.disk.syncDirectory(this.directory))
    this.env.at('log.truncate.after-remove')
    if (this.spare.outOfSpace) this.spare.prepare()
  }

  /** How many of the oldest segments may go. The one that is being appended to stays. */
  private removable(index: LogIndex, keepBytes: number): number {
    let kept = this.bytes
    let count = 0
    for (; count < this.segments.length - 1; count++) {
      const segment = this.segments[count] as Segment
      if (segment.lastIndex >= index || kept - segment.endOffset < keepBytes) break
      kept -= segment.endOffset
    }
    return count
  }

  private async saveFloor(): Promise<void> {
    if (this.committed <= this.hard.state.commitFloor) return
    try {
      await this.save({ commitFloor: this.committed })
    } catch (error) {
      // A floor that lags is no loss; a full disk says so to the next append.
      if (!isStoreError(error, 'OutOfSpace')) throw error
    }
  }

  private async save(change: Partial<HardState>): Promise<void> {
    try {
      await this.hard.save(change)
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) this.fail(error)
      throw error
    }
  }

  private expectOpen(): void {
    if (this.failure !== undefined) throw this.failure
    if (this.closing !== undefined) throw new StoreError('Closed', 'the log is closed')
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = new StoreError('VolumeFailed', 'the log failed; a restart verifies it again', { cause: error })
    this.commit.fail(this.failure)
  }
}
