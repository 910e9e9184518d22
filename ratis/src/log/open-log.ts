import type { Env } from '@o3/common/env'
import { isStoreError, StoreError, type ErrorRecord } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { synced } from './damage.ts'
import { GroupCommit, type AppendDone, type Restart } from './group-commit.ts'
import type { HardState, HardStateFile } from './hard-state.ts'
import { keepAside } from './keep-aside.ts'
import { SegmentsReader, type LogReader } from './log-reader.ts'
import { RecordScanner } from './record-scanner.ts'
import { alignToBlock, recordBytes, type LogEntry } from './record.ts'
import type { Recovery } from './recover-segments.ts'
import { segmentName } from './segment-header.ts'
import { SegmentRoll } from './segment-roll.ts'
import type { Segment } from './segment.ts'
import type { HardStateChange, LogDamage, LogOpening, LogOptions, SegmentedLog } from './segmented-log.ts'
import { SpareSegment } from './spare-segment.ts'
import type { TermRun } from './term-runs.ts'

/** `LogOptions`, none missing. */
export type LogSettings = Required<Omit<LogOptions, 'groupId'>>

const scanBytes = 1024 * 1024

interface Opened {
  readonly directory: string
  readonly settings: LogSettings
  readonly hardState: HardStateFile
  readonly recovery: Recovery
  readonly created: boolean
  readonly damage: LogDamage | undefined
}

/** A log whose files were verified. `start` before anything else. */
export class OpenLog implements SegmentedLog {
  readonly opening: LogOpening
  private readonly recovery: Recovery
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
  private committed: LogIndex = 0
  private cancelFloor: (() => void) | undefined
  /** Changes of the list of segments, but for the next one at its end, are made one after the other. */
  private structure: Promise<void> = Promise.resolve()
  private readonly readers = new Set<SegmentsReader>()

  constructor(env: Env, opened: Opened) {
    const { directory, settings, hardState, recovery } = opened
    this.env = env
    this.directory = directory
    this.settings = settings
    this.hard = hardState
    const { created, damage } = opened
    this.recovery = recovery
    this.opening = { created, cutBytes: recovery.cutBytes, ...(damage !== undefined && { damage }) }
    this.segments = [...recovery.segments]
    const onFailure = (error: unknown): void => this.fail(error)
    const { segmentBytes, spaceRetryMs, maxBatchBytes } = settings
    this.spare = new SpareSegment(env, { directory, segmentBytes, retryMs: spaceRetryMs, onFailure })
    const { spare, segments } = this
    this.roll = new SegmentRoll(env, { directory, segmentBytes, hardState, spare, segments })
    const { roll } = this
    const restart = (what: Restart, swapped: () => void): Promise<void> => this.restart(what, swapped)
    this.commit = new GroupCommit(env, { maxBatchBytes, roll, hardState, restart, terms: recovery.terms, onFailure })
  }

  /** Rejects when the log could not be made fit for use; it is closed then, but for the hard state. */
  async start(): Promise<void> {
    try {
      await this.prepare()
    } catch (error) {
      await this.spare.close()
      await this.roll.close()
      throw error
    }
  }

  private async prepare(): Promise<void> {
    await this.spare.adopt(this.hard.state.mayVote ? 'trust' : 'mistrust')
    const { damage, terms, broken } = this.recovery
    if (damage === undefined) await this.roll.resume()
    if (damage !== undefined || this.segments.length === 0) {
      const place = { index: terms.lastIndex, term: terms.lastTerm }
      // It would lose its name to the new one.
      const path = `${this.directory}/${segmentName(place.index + 1)}`
      if (broken.includes(path)) await keepAside(this.env, this.directory, [path])
      // The rest is fetched from the others. As with a cut, the new segment's name makes the difference: until then the next
      // start finds the same damage.
      await (damage === undefined ? this.roll.next(place) : this.roll.repairBehind(place))
    }
    await this.settle(this.recovery)
    // A reset that was not recorded yet has a floor of its own.
    this.committed = this.hard.state.commitFloor
    await this.clear(this.recovery)
    this.spare.prepare()
  }

  /**
   * Nothing is built upon entries that only the page cache may hold. To write them in their place again could spoil what is
   * durable there, when the power goes meanwhile.
   */
  private async settle({ provenIndex, terms }: Recovery): Promise<void> {
    const term = terms.termAt(provenIndex)
    if (provenIndex === terms.lastIndex || term === undefined) return
    const place = { index: provenIndex, term }
    const before = this.segments.at(-1)
    try {
      await this.roll.carryBehind(place)
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      // What the segment had preallocated is room as well.
      await this.shorten(before, terms.lastIndex)
      await this.roll.carryBehind(place)
    }
    const previous = this.segments.at(-2)
    if (previous === before) await this.shorten(previous, provenIndex)
  }

  /** Takes away what is not of the log, now that the log is known to be whole without it. */
  private async clear({ leftovers, broken }: Recovery): Promise<void> {
    const names = new Set(this.segments.map(({ path }) => path))
    const isApart = (path: string): boolean => !names.has(path)
    if (leftovers.length + broken.length === 0) return
    await keepAside(this.env, this.directory, broken.filter(isApart))
    for (const { path } of leftovers) if (isApart(path)) await this.env.disk.remove(path)
    await synced(this.env.disk.syncDirectory(this.directory))
    this.env.at('log.repair.after-aside')
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
    const { commitFloor, mayVote } = change
    this.committed = Math.max(this.committed, commitFloor ?? 0)
    await this.save({
      ...change,
      ...(commitFloor !== undefined && { commitFloor: this.durableFloor(commitFloor) }),
      ...(mayVote === true && { catchUpIndex: 0 }),
    })
  }

  read(from: LogIndex): LogReader {
    const { segments } = this
    const reader: SegmentsReader = new SegmentsReader(this.env, {
      segments,
      from,
      durableIndex: () => this.durableIndex,
      onClose: () => this.readers.delete(reader),
    })
    this.readers.add(reader)
    return reader
  }

  truncateFrom(index: LogIndex, done: AppendDone): void {
    this.expectOpen()
    const { terms } = this.commit
    if (index > terms.lastIndex + 1) {
      throw new StoreError('InvalidArgument', `a cut at ${index} is behind the log, which ends at ${terms.lastIndex}`)
    }
    const last = { index: index - 1, term: terms.termAt(index - 1) }
    if (index <= this.committed || last.term === undefined) {
      throw new StoreError('Damaged', `log entry ${index} is committed: it must not be cut away`, {
        details: { path: this.directory, index, commitFloor: this.committed },
      })
    }
    for (const reader of this.readers) reader.cutFrom(index)
    this.commit.restart({ kind: 'cut', place: { index: last.index, term: last.term }, done })
  }

  async resetTo(place: { readonly index: LogIndex; readonly term: Term }): Promise<void> {
    this.expectOpen()
    for (const reader of this.readers) reader.cutFrom(0)
    const { committed } = this
    this.committed = place.index
    await new Promise<void>((resolve, reject) => {
      const done: AppendDone = (error) => {
        if (error === undefined) return resolve()
        this.committed = Math.max(this.committed, committed)
        reject(error)
      }
      this.commit.restart({ kind: 'reset', place, done })
    })
  }

  truncateBefore(index: LogIndex, keepBytes = 0): Promise<void> {
    return this.exclusively(() => this.cut(index, keepBytes))
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  private async finish(): Promise<void> {
    await this.commit.settled()
    await this.structure
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

  private exclusively(change: () => Promise<void>): Promise<void> {
    const done = this.structure.then(change)
    // The caller has the rejection; the next change only waits for its turn.
    this.structure = done.catch(() => undefined)
    return done
  }

  private restart({ kind, place }: Restart, swapped: () => void): Promise<void> {
    return this.exclusively(async () => {
      const onSwap = (): void => {
        swapped()
        if (kind === 'reset') for (const reader of this.readers) reader.cutFrom(0)
      }
      const left = await (kind === 'cut' ? this.roll.cutBehind(place, onSwap) : this.roll.resetTo(place, onSwap))
      this.env.at(`log.${kind}.before-remove`)
      await this.removeSegments(left)
      if (kind === 'cut') await this.shorten(this.segments.at(-2), place.index)
      this.env.at(`log.${kind}.after-remove`)
    })
  }

  /** Gives back the space of a segment behind its last entry, which was cut: nothing is appended there any more. */
  private async shorten(segment: Segment | undefined, lastIndex: LogIndex): Promise<void> {
    if (segment === undefined) return
    const file = await this.env.disk.open(segment.path, 'read-write')
    try {
      const scanner = new RecordScanner(file, segment.seed, segment.startFor(lastIndex))
      while ((await scanner.next(lastIndex, scanBytes)).length > 0);
      // One that rotted meanwhile is for its readers to find, and for people to look at.
      if (scanner.index <= lastIndex) return
      segment.endOffset = alignToBlock(scanner.end)
      segment.forgetMarksFrom(segment.endOffset)
      await file.truncate(segment.endOffset)
    } finally {
      await file.close()
    }
  }

  private async removeSegments(segments: readonly Segment[]): Promise<void> {
    for (const { path } of segments) {
      if (!(await this.spare.retire(path))) await this.env.disk.remove(path)
    }
    await synced(this.env.disk.syncDirectory(this.directory))
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
    await this.removeSegments(removed)
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
    const commitFloor = this.durableFloor(this.committed)
    if (commitFloor <= this.hard.state.commitFloor) return
    try {
      await this.save({ commitFloor })
    } catch (error) {
      // A floor that lags is no loss; a full disk says so to the next append.
      if (!isStoreError(error, 'OutOfSpace')) throw error
    }
  }

  /** A group commits entries that are not durable here yet: to miss those would be no damage. */
  private durableFloor(commitFloor: LogIndex): LogIndex {
    return Math.min(commitFloor, this.commit.durableIndex)
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
