/**
 * The log of one Raft group member on one directory: entries in checksummed segment files, a hard state beside them.
 *
 * Promises: an entry is acknowledged after its bytes, its file's name and everything before it are on stable storage; an
 * acknowledged entry is there after any crash, in order; one that was not acknowledged is there whole or not at all. A
 * failed write or sync ends the log for this process: nothing is retried, a restart re-verifies. A full disk does not.
 */

import type { Env } from '@o3/common/env'
import { isStoreError, StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { foreign, synced } from './damage.ts'
import { GroupCommit, type AppendDone } from './group-commit.ts'
import { makeDurableDirectory } from './durable-directory.ts'
import { HardStateFile, type HardState } from './hard-state.ts'
import { SegmentsReader, type LogReader } from './log-reader.ts'
import { blockBytes, recordBytes, type LogEntry } from './record.ts'
import { recoverSegments, type Recovery } from './recover-segments.ts'
import { SegmentRoll } from './segment-roll.ts'
import type { Segment } from './segment.ts'
import { SpareSegment } from './spare-segment.ts'

export type { AppendDone } from './group-commit.ts'
export type { HardState } from './hard-state.ts'
export type { LogReader } from './log-reader.ts'
export type { LogEntry } from './record.ts'
export { logSites, type LogSite } from './sites.ts'

export interface LogOptions {
  /** Length of a segment file, a multiple of 4 KiB; twice this is allocated at least. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Most bytes of entries in one write. Default 4 MiB. */
  readonly maxBatchBytes?: number
  /** Most bytes of entries that wait; beyond, `append` throws `Busy`. Default 64 MiB. */
  readonly maxQueuedBytes?: number
  /** The log's identity, 32 hex digits: recorded when the log is made, and refused when another one is found. */
  readonly groupId?: string
  /**
   * How long the durable commit floor may lag behind `noteCommitted`. Within that time a rotten last record looks like a
   * torn one. Default 1,000; 0 turns the timer off.
   */
  readonly commitFloorMs?: number
  /** How often a full disk is tried again. Default 1,000. */
  readonly spaceRetryMs?: number
}

/** What opening the log found and did. */
export interface LogOpening {
  readonly created: boolean
  readonly cutBytes: number
}

export interface SegmentedLog {
  readonly hardState: HardState
  readonly opening: LogOpening
  /** The first entry that can be read; `lastIndex + 1` when there is none. */
  readonly firstIndex: LogIndex
  /** The last entry appended, durable or under way. The next one's index is one more. */
  readonly lastIndex: LogIndex
  readonly durableIndex: LogIndex
  /** Bytes in segments, without what is only preallocated. */
  readonly bytes: number
  /** Bytes of entries under way. */
  readonly queuedBytes: number
  /** The largest append that the log takes, entry headers of 32 bytes included. */
  readonly maxAppendBytes: number
  /** True while the disk does not let the log keep its reserve (a spare segment): only what frees space should be appended. */
  readonly outOfSpace: boolean
  readonly failed: ErrorRecord | undefined
  /**
   * Appends entries with indexes `lastIndex + 1 …`; `done` is called when they are durable or refused (see `AppendDone`).
   * Throws `VolumeFailed`, `Closed`, `Busy`, or `TooLarge` (an append must fit into one segment); nothing happened then.
   */
  append(entries: readonly LogEntry[], done: AppendDone): void
  /** Tells that all entries up to `index` are committed: from now on missing one of them is damage. */
  noteCommitted(index: LogIndex): void
  /** Durable when it resolves. */
  saveHardState(change: Partial<Pick<HardState, 'term' | 'vote' | 'commitFloor' | 'checkpointIndex'>>): Promise<void>
  /** A reader that starts at `from`. Must be closed. */
  read(from: LogIndex): LogReader
  /** Removes whole segments that only hold entries before `index` and are older than the newest `keepBytes` of log. */
  truncateBefore(index: LogIndex, keepBytes?: number): Promise<void>
  /** Waits for what is under way, records how far it is committed, closes the files. Idempotent. */
  close(): Promise<void>
}

const defaults = {
  segmentBytes: 64 * 1024 * 1024,
  maxBatchBytes: 4 * 1024 * 1024,
  maxQueuedBytes: 64 * 1024 * 1024,
  commitFloorMs: 1000,
  spaceRetryMs: 1000,
}

type Settings = typeof defaults

/**
 * Opens the log in `directory`, making it when there is none. Rejects with `Damaged` (details: `path`, `offset`) when
 * something that had been durable is broken or missing, `Incompatible` when the files are another log's or of another
 * format, `OutOfSpace` when a new log has no room. The caller holds the lock of the data directory.
 */
export async function openLog(env: Env, directory: string, options: LogOptions = {}): Promise<SegmentedLog> {
  const settings: Settings = { ...defaults, ...options }
  if (settings.segmentBytes % blockBytes !== 0 || settings.segmentBytes < 2 * blockBytes) {
    throw new StoreError(
      'InvalidArgument',
      `segmentBytes must be a multiple of ${blockBytes}, and at least two of them`,
    )
  }
  await makeDurableDirectory(env.disk, directory)
  const found = await HardStateFile.open(env, directory)
  const hardState = found ?? (await createHardState(env, directory, options.groupId))
  try {
    if (options.groupId !== undefined && hardState.state.groupId !== options.groupId) {
      throw foreign(directory, `this log belongs to group ${hardState.state.groupId}`)
    }
    const recovery = await recoverSegments(env, directory, hardState.state)
    const log = new OpenLog(env, { directory, settings, hardState, recovery, created: found === undefined })
    await log.start()
    return log
  } catch (error) {
    await hardState.close()
    throw error
  }
}

/** A directory that has segments but no hard state lost it: it is not a new log. */
async function createHardState(env: Env, directory: string, groupId: string | undefined): Promise<HardStateFile> {
  const names = await env.disk.list(directory)
  const stray = names.find((name) => name.endsWith('.segment'))
  if (stray !== undefined) {
    const path = `${directory}/hard-state`
    throw new StoreError('Damaged', `${path} is missing beside ${stray}`, { details: { path, offset: 0 } })
  }
  return HardStateFile.create(env, directory, {
    groupId: groupId ?? Buffer.from(env.random.bytes(16)).toString('hex'),
    term: 0,
    vote: '',
    commitFloor: 0,
    checkpointIndex: 0,
    firstIndex: 1,
    lastSequence: 0,
  })
}

interface Opened {
  readonly directory: string
  readonly settings: Settings
  readonly hardState: HardStateFile
  readonly recovery: Recovery
  readonly created: boolean
}

class OpenLog implements SegmentedLog {
  readonly opening: LogOpening
  private readonly env: Env
  private readonly directory: string
  private readonly settings: Settings
  private readonly hard: HardStateFile
  private readonly segments: Segment[]
  private readonly spare: SpareSegment
  private readonly roll: SegmentRoll
  private readonly commit: GroupCommit
  private failure: StoreError | undefined
  private closing: Promise<void> | undefined
  private committed: LogIndex
  private cancelFloor: (() => void) | undefined

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
    const durableIndex = segments.at(-1)?.lastIndex ?? 0
    const durableTerm = recovery.lastTerm
    this.commit = new GroupCommit(env, { maxBatchBytes, roll, durableIndex, durableTerm, onFailure })
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
    return this.commit.lastIndex
  }

  get durableIndex(): LogIndex {
    return this.commit.durableIndex
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
    let term: Term = this.commit.lastTerm
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

  async saveHardState(
    change: Partial<Pick<HardState, 'term' | 'vote' | 'commitFloor' | 'checkpointIndex'>>,
  ): Promise<void> {
    this.expectOpen()
    await this.save(change)
  }

  read(from: LogIndex): LogReader {
    return new SegmentsReader(this.env, this.segments, from)
  }

  async truncateBefore(index: LogIndex, keepBytes = 0): Promise<void> {
    this.expectOpen()
    const count = this.removable(index, keepBytes)
    if (count === 0) return
    const removed = this.segments.slice(0, count)
    // First the hard state: from then on the segments are leftovers, in whatever order their removals become durable.
    this.env.at('log.truncate.before-hard-state')
    await this.save({ firstIndex: (this.segments[count] as Segment).firstIndex })
    this.segments.splice(0, count)
    this.env.at('log.truncate.before-remove')
    for (const segment of removed) {
      if (!(await this.spare.retire(segment.path))) await this.env.disk.remove(segment.path)
    }
    await synced(this.env.disk.syncDirectory(this.directory))
    this.env.at('log.truncate.after-remove')
    if (this.spare.outOfSpace) this.spare.prepare()
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  private async finish(): Promise<void> {
    await this.commit.settled()
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
