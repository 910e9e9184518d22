import type { DiskFile, Env } from '@o3/common/env'
import type { LogIndex, Term } from '../api/api.ts'
import { synced } from './damage.ts'
import type { HardState, HardStateFile } from './hard-state.ts'
import { encodeSegmentHeader, firstRecordOffset } from './segment-header.ts'
import { Segment } from './segment.ts'
import { copyRecords } from './copy-records.ts'
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

/** Where a segment begins: behind this entry, which is durable or the place of a snapshot. */
export interface Place {
  readonly index: LogIndex
  readonly term: Term
}

/** What a segment is made for: names the sites that its making passes. */
type Purpose = 'roll' | 'cut' | 'reset' | 'repair' | 'carry'

/** Writes the records that a segment is made with. */
type Fill = (made: OpenSegment) => Promise<void>

/**
 * Moves the log on to its next segment: spare → header, synced → segment's name, directory synced → hard state knows of
 * it → first use. A crash anywhere leaves the log without the segment, or with an empty one that recovery adopts; and
 * because the hard state is told before the first record, a segment that vanishes later is missed.
 *
 * A log is cut at its end, or reset, in the same way: by a segment that continues an earlier place, or none. Its name is
 * the one fact that makes the difference, so the cut happens whole or not at all; and since nothing is written behind the
 * entries that stay, and no record verifies in another segment, what was cut cannot come back.
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
    if (hardState.state.lastSequence < info.sequence) await this.record(info, adopted(info))
  }

  /** Opens a segment for the entries behind `last`, the log's end. Rejects with `OutOfSpace`: nothing changed. */
  async next(last: Place): Promise<OpenSegment> {
    this.unrecorded ??= await this.make(last, this.options.segments.at(-1), 'roll')
    const made = this.unrecorded
    await this.record(made.info)
    this.env.at('log.roll.before-first-use')
    await this.use(made)
    return made
  }

  /**
   * Drops all entries behind `last`; `swapped` is called in the turn in which the list of segments changes. Resolves with the
   * segments that are left over. Rejects with `OutOfSpace`: nothing changed.
   */
  async cutBehind(last: Place, swapped: () => void): Promise<readonly Segment[]> {
    await this.useUnrecorded()
    const { segments } = this.options
    const previous = segments.findLast(({ firstIndex }) => firstIndex <= last.index)
    const made = await this.make(last, previous, 'cut')
    // Its name is durable: a full disk is too late here.
    await synced(this.record(made.info))
    this.env.at('log.cut.before-first-use')
    return this.replace(made, previous, swapped)
  }

  /** The log starts anew behind `place`, of which all is committed. Otherwise as `cutBehind`. */
  async resetTo(place: Place, swapped: () => void): Promise<readonly Segment[]> {
    await this.useUnrecorded()
    const made = await this.make(place, undefined, 'reset')
    await synced(this.record(made.info, adopted(made.info)))
    this.env.at('log.reset.before-first-use')
    return this.replace(made, undefined, swapped)
  }

  /**
   * Writes the entries behind `last`, which are the youngest segment's, again: into a new segment that continues the log at
   * `last` and holds them when it gets its name. Nothing that was durable is touched, and until then the log is as it was.
   * Rejects with `OutOfSpace`: nothing changed.
   */
  async carryBehind(last: Place): Promise<void> {
    const { segments } = this.options
    const from = this.current
    const previous = segments.findLast(({ firstIndex }) => firstIndex <= last.index)
    const made = await this.make(last, previous, 'carry', (to) => copyRecords(from, to))
    // Its file is not preallocated: only a full disk goes on in it.
    made.info.isSealed = this.options.spare.isReady
    await synced(this.record(made.info))
    this.env.at('log.carry.before-first-use')
    // One that it replaces whole has lost its name to it.
    await this.replace(made, previous, () => {})
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

  /** Goes on behind the last good entry of a damaged log. */
  async repairBehind(last: Place): Promise<void> {
    const made = await this.make(last, this.options.segments.at(-1), 'repair')
    await this.record(made.info, adopted(made.info))
    await this.use(made)
  }

  /** A segment that was made and not recorded has a number, and may be on the disk: it is dropped like all others. */
  private async useUnrecorded(): Promise<void> {
    if (this.unrecorded === undefined) return
    const { firstIndex, previousTerm } = this.unrecorded.info
    await this.next({ index: firstIndex - 1, term: previousTerm })
  }

  private async replace(
    made: OpenSegment,
    previous: Segment | undefined,
    swapped: () => void,
  ): Promise<readonly Segment[]> {
    const { segments } = this.options
    const dropped = segments.splice(previous === undefined ? 0 : segments.indexOf(previous) + 1)
    if (previous !== undefined) previous.lastIndex = made.info.firstIndex - 1
    const used = this.use(made)
    swapped()
    await used
    // One that began at the same index has lost its name already.
    return dropped.filter(({ path }) => path !== made.info.path)
  }

  private async use(made: OpenSegment): Promise<void> {
    const { open } = this
    this.unrecorded = undefined
    this.open = made
    this.options.segments.push(made.info)
    this.options.spare.prepare()
    await open?.file.close()
  }

  private record(info: Segment, change: Partial<HardState> = {}): Promise<void> {
    const { sequence, firstIndex } = info
    return this.options.hardState.save({ ...change, lastSequence: sequence, lastFirstIndex: firstIndex })
  }

  private async make(last: Place, previous: Segment | undefined, purpose: Purpose, fill?: Fill): Promise<OpenSegment> {
    const { directory, spare, hardState } = this.options
    const taken = await (fill === undefined ? spare.take() : spare.draft())
    const { file, path, isReused } = taken
    const header = {
      groupId: hardState.state.groupId,
      sequence: hardState.state.lastSequence + 1,
      firstIndex: last.index + 1,
      previousTerm: last.term,
      isReused,
      previousSequence: previous?.sequence ?? 0,
      previousFirstIndex: previous?.firstIndex ?? 0,
    }
    const info = new Segment(directory, header)
    try {
      this.env.at(`log.${purpose}.before-header`)
      await file.write([encodeSegmentHeader(header)], 0)
      await fill?.({ info, file })
      await synced(file.sync())
      this.env.at(`log.${purpose}.before-rename`)
      await this.env.disk.rename(path, info.path)
    } catch (error) {
      await spare.giveBack(taken)
      throw error
    }
    this.env.at(`log.${purpose}.before-directory-sync`)
    await synced(this.env.disk.syncDirectory(directory))
    return { info, file }
  }
}

/** What the hard state has to say of a segment that starts the log anew. */
function adopted({ firstIndex, previousSequence }: Segment): Partial<HardState> {
  return previousSequence === 0 ? { firstIndex, commitFloor: firstIndex - 1 } : {}
}
