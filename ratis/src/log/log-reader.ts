import type { DiskFile, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { damaged, isMissingFile } from './damage.ts'
import type { LogEntry } from './record.ts'
import { RecordScanner } from './record-scanner.ts'
import type { Segment } from './segment.ts'

/** Reads entries in order, verifying each. One call at a time. */
export interface LogReader {
  /**
   * The next entries up to index `upTo` (which must be durable), about `maxBytes` of them and at least one; empty when
   * there are none yet. Rejects with `InvalidRange` when the next entry was compacted away, `ConcurrentChange` when an entry
   * that it gave was cut off the end of the log, or the log was reset; `Damaged` when the next does not verify. What was cut
   * is not given any more from the call of `truncateFrom` on.
   */
  next(upTo: LogIndex, maxBytes: number): Promise<readonly LogEntry[]>
  close(): Promise<void>
}

interface Position {
  readonly segment: Segment
  readonly file: DiskFile
  readonly scanner: RecordScanner
  /** How often the log had been cut at its end. */
  readonly cuts: number
}

export interface ReaderOptions {
  /** The log's live list, oldest first. */
  readonly segments: readonly Segment[]
  readonly from: LogIndex
  /** What may be read now. */
  readonly durableIndex: () => LogIndex
  readonly onClose: () => void
}

export class SegmentsReader implements LogReader {
  private readonly env: Env
  private readonly options: ReaderOptions
  private readonly segments: readonly Segment[]
  private index: LogIndex
  private position: Position | undefined
  /** How often the log was cut at its end. */
  private cuts = 0
  private lowestCut = Infinity

  constructor(env: Env, options: ReaderOptions) {
    this.env = env
    this.options = options
    this.segments = options.segments
    this.index = options.from
  }

  async next(upTo: LogIndex, maxBytes: number): Promise<readonly LogEntry[]> {
    for (;;) {
      const { cuts } = this
      if (this.index > this.lowestCut) throw changed(this.lowestCut)
      const last = Math.min(upTo, this.options.durableIndex())
      if (this.index > last) return []
      try {
        const entries = await this.readOn(last, maxBytes)
        if (this.cuts === cuts) return await this.given(entries)
      } catch (error) {
        // Files that change their names and lengths under a reader tell nothing.
        if (this.cuts === cuts) throw error
      }
    }
  }

  /** The log was cut from `index` on. The reader may go on if it gave nothing of that. */
  cutFrom(index: LogIndex): void {
    this.cuts++
    this.lowestCut = Math.min(this.lowestCut, index)
  }

  async close(): Promise<void> {
    this.options.onClose()
    await this.leave()
  }

  private async readOn(upTo: LogIndex, maxBytes: number): Promise<readonly LogEntry[]> {
    const position = await this.positioned()
    const { scanner, segment } = position
    const last = Math.min(upTo, segment.lastIndex)
    let entries = await scanner.next(last, maxBytes)
    if (entries.length === 0) {
      // What was read ahead may be older than the records written since.
      scanner.forgetWindow()
      entries = await scanner.next(last, maxBytes)
    }
    if (entries.length === 0) throw this.unreadable(position)
    return entries
  }

  /** The file of a segment that was cut may already hold other entries. */
  private unreadable({ segment, scanner }: Position): StoreError {
    if (!this.segments.includes(segment)) return compacted(scanner.index)
    return damaged(segment.path, scanner.offset, `the record of index ${scanner.index} does not verify`)
  }

  /** Leaves the segment when its last entry was read and it has a successor. */
  private async given(entries: readonly LogEntry[]): Promise<readonly LogEntry[]> {
    this.index = (entries.at(-1) as LogEntry).index + 1
    const { segment } = this.position as Position
    if (this.index > segment.lastIndex && this.segments.at(-1) !== segment) await this.leave()
    return entries
  }

  private async leave(): Promise<void> {
    const { position } = this
    this.position = undefined
    await position?.file.close()
  }

  private async positioned(): Promise<Position> {
    const { position } = this
    // A cut made the position worthless, or there is a next segment.
    if (position !== undefined && (position.cuts < this.cuts || this.index > position.segment.lastIndex))
      await this.leave()
    if (this.position !== undefined) return this.position
    const { cuts } = this
    const segment = this.segments.findLast((candidate) => candidate.firstIndex <= this.index)
    if (segment === undefined) throw compacted(this.index)
    const file = await this.open(segment)
    const scanner = new RecordScanner(file, segment.seed, segment.startFor(this.index))
    this.position = { segment, file, scanner, cuts }
    while (scanner.index < this.index) {
      const skipped = await scanner.next(this.index - 1, Number.MAX_SAFE_INTEGER)
      if (skipped.length === 0) throw this.unreadable(this.position)
    }
    return this.position
  }

  private async open(segment: Segment): Promise<DiskFile> {
    try {
      return await this.env.disk.open(segment.path, 'read')
    } catch (error) {
      if (isMissingFile(error)) throw compacted(this.index)
      throw error
    }
  }
}

function changed(index: LogIndex): StoreError {
  return new StoreError('ConcurrentChange', `the log was cut from entry ${index} on`, { details: { index } })
}

function compacted(index: LogIndex): StoreError {
  return new StoreError('InvalidRange', `log entry ${index} was compacted away`, { details: { index } })
}
