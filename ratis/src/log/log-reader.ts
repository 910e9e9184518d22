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
   * there are none yet. Rejects with `InvalidRange` when the next entry was cut away, `Damaged` when it does not verify.
   */
  next(upTo: LogIndex, maxBytes: number): Promise<readonly LogEntry[]>
  close(): Promise<void>
}

interface Position {
  readonly segment: Segment
  readonly file: DiskFile
  readonly scanner: RecordScanner
}

export class SegmentsReader implements LogReader {
  private readonly env: Env
  /** The log's live list, oldest first. */
  private readonly segments: readonly Segment[]
  private index: LogIndex
  private position: Position | undefined

  constructor(env: Env, segments: readonly Segment[], from: LogIndex) {
    this.env = env
    this.segments = segments
    this.index = from
  }

  async next(upTo: LogIndex, maxBytes: number): Promise<readonly LogEntry[]> {
    if (this.index > upTo) return []
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
    await this.skipTo(position, entries)
    return entries
  }

  /** The file of a segment that was cut may already hold other entries. */
  private unreadable({ segment, scanner }: Position): StoreError {
    if (!this.segments.includes(segment)) return compacted(scanner.index)
    return damaged(segment.path, scanner.offset, `the record of index ${scanner.index} does not verify`)
  }

  async close(): Promise<void> {
    await this.position?.file.close()
    this.position = undefined
  }

  /** Leaves the segment when its last entry was read and it has a successor. */
  private async skipTo(position: Position, entries: readonly LogEntry[]): Promise<void> {
    this.index = (entries.at(-1) as LogEntry).index + 1
    if (this.index > position.segment.lastIndex && this.segments.at(-1) !== position.segment) await this.close()
  }

  private async positioned(): Promise<Position> {
    if (this.position !== undefined && this.index > this.position.segment.lastIndex) await this.close()
    if (this.position !== undefined) return this.position
    const segment = this.segments.findLast((candidate) => candidate.firstIndex <= this.index)
    if (segment === undefined) throw compacted(this.index)
    const file = await this.open(segment)
    const scanner = new RecordScanner(file, segment.seed, segment.startFor(this.index))
    this.position = { segment, file, scanner }
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

function compacted(index: LogIndex): StoreError {
  return new StoreError('InvalidRange', `log entry ${index} was compacted away`, { details: { index } })
}
