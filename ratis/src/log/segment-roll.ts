import type { DiskFile, Env } from '@o3/common/env'
import type { LogIndex, Term } from '../api/api.ts'
import { synced } from './damage.ts'
import type { HardStateFile } from './hard-state.ts'
import { encodeSegmentHeader, firstRecordOffset } from './segment-header.ts'
import { Segment } from './segment.ts'
import type { SpareSegment } from './spare-segment.ts'

/** The segment that is being appended to. */
export interface OpenSegment {
  readonly info: Segment
  readonly file: DiskFile
}

export interface SegmentRollOptions {
  readonly directory: string
  readonly segmentBytes: number
  readonly hardState: HardStateFile
  readonly spare: SpareSegment
  /** Oldest first; the roll adds to it. */
  readonly segments: Segment[]
}

/**
 * Moves the log on to its next segment: spare → header, synced → segment's name, directory synced → hard state knows of
 * it → first use. A crash anywhere leaves the log without the segment, or with an empty one that recovery adopts; and
 * because the hard state is told before the first record, a segment that vanishes later is missed.
 */
export class SegmentRoll {
  private readonly env: Env
  private readonly options: SegmentRollOptions
  private open: OpenSegment | undefined
  /** Made and named, but not yet recorded in the hard state. */
  private unrecorded: OpenSegment | undefined

  constructor(env: Env, options: SegmentRollOptions) {
    this.env = env
    this.options = options
  }

  get current(): OpenSegment {
    if (this.open === undefined) throw new Error('the log has no open segment')
    return this.open
  }

  /** Bytes of records that the current segment still takes. */
  get room(): number {
    if (this.open === undefined || this.open.info.isSealed) return 0
    return this.options.segmentBytes - this.open.info.endOffset
  }

  /** The largest append that any segment takes. */
  get capacity(): number {
    return this.options.segmentBytes - firstRecordOffset
  }

  /** Goes on with the youngest segment found by recovery. */
  async resume(): Promise<void> {
    const info = this.options.segments.at(-1)
    if (info === undefined) return
    const file = await this.env.disk.open(info.path, 'read-write')
    this.open = { info, file }
    const { hardState, segmentBytes } = this.options
    // An empty one goes on all the same: its successor would have its name.
    info.isSealed = info.lastIndex >= info.firstIndex && (await file.size()) < segmentBytes
    if (hardState.state.lastSequence < info.sequence) await this.record(info)
  }

  /** Opens a segment for the entries behind `last`, which is durable. Rejects with `OutOfSpace`: nothing changed. */
  async next(last: { readonly index: LogIndex; readonly term: Term }): Promise<OpenSegment> {
    this.unrecorded ??= await this.make(last)
    const made = this.unrecorded
    await this.record(made.info)
    this.env.at('log.roll.before-first-use')
    await this.open?.file.close()
    this.unrecorded = undefined
    this.open = made
    this.options.segments.push(made.info)
    this.options.spare.prepare()
    return made
  }

  /** Cuts off what the file held in its earlier use, so that the next start finds a clean end. */
  async trim(): Promise<void> {
    const { info, file } = this.current
    if (!info.isReused || info.isSealed) return
    await file.truncate(info.endOffset)
    await synced(file.sync())
  }

  async close(): Promise<void> {
    await this.open?.file.close()
    await this.unrecorded?.file.close()
  }

  private record({ sequence, firstIndex }: Segment): Promise<void> {
    return this.options.hardState.save({ lastSequence: sequence, lastFirstIndex: firstIndex })
  }

  private async make(last: { readonly index: LogIndex; readonly term: Term }): Promise<OpenSegment> {
    const { directory, spare, segments, hardState } = this.options
    const { file, isReused } = await spare.take()
    const header = {
      groupId: hardState.state.groupId,
      sequence: (segments.at(-1)?.sequence ?? 0) + 1,
      firstIndex: last.index + 1,
      previousTerm: last.term,
      isReused,
    }
    const info = new Segment(directory, header)
    try {
      this.env.at('log.roll.before-header')
      await file.write([encodeSegmentHeader(header)], 0)
      await synced(file.sync())
      this.env.at('log.roll.before-rename')
      await this.env.disk.rename(spare.path, info.path)
    } catch (error) {
      spare.giveBack({ file, isReused })
      throw error
    }
    this.env.at('log.roll.before-directory-sync')
    await synced(this.env.disk.syncDirectory(directory))
    return { info, file }
  }
}
