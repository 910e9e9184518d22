import type { LogIndex, Term } from '../api/api.ts'
import { segmentSeed } from './checksum.ts'
import { firstRecordOffset, segmentName, type SegmentHeader } from './segment-header.ts'

/** One mark about every so many bytes: what a reader skips at most when it starts in the middle of a segment. */
const markEveryBytes = 64 * 1024

/** What is known of one segment file: where it is, what it holds, and where to start reading for an index. */
export class Segment {
  readonly path: string
  readonly groupId: string
  readonly sequence: number
  readonly seed: number
  readonly firstIndex: LogIndex
  readonly previousTerm: Term
  readonly isReused: boolean
  readonly previousSequence: number
  readonly previousFirstIndex: LogIndex
  /** Nothing is appended to it any more, though there would be room: its file is no longer preallocated. */
  isSealed = false
  /** The last entry; `firstIndex - 1` while there is none. */
  lastIndex: LogIndex
  /** Where the next batch goes; a block boundary. */
  endOffset = firstRecordOffset
  private readonly markIndexes: LogIndex[] = []
  private readonly markOffsets: number[] = []

  constructor(directory: string, header: SegmentHeader) {
    this.path = `${directory}/${segmentName(header.firstIndex)}`
    this.groupId = header.groupId
    this.sequence = header.sequence
    this.seed = segmentSeed(header.groupId, header.sequence)
    this.firstIndex = header.firstIndex
    this.previousTerm = header.previousTerm
    this.isReused = header.isReused
    this.previousSequence = header.previousSequence
    this.previousFirstIndex = header.previousFirstIndex
    this.lastIndex = header.firstIndex - 1
  }

  /** Remembers that the record of `index` starts at `offset`; calls come in order. */
  mark(index: LogIndex, offset: number): void {
    const last = this.markOffsets.at(-1) ?? -markEveryBytes
    if (offset - last < markEveryBytes) return
    this.markIndexes.push(index)
    this.markOffsets.push(offset)
  }

  /** Drops the marks of records that were taken back. */
  forgetMarksFrom(offset: number): void {
    while ((this.markOffsets.at(-1) ?? -1) >= offset) {
      this.markOffsets.pop()
      this.markIndexes.pop()
    }
  }

  /** The closest place known at or before `index`. */
  startFor(index: LogIndex): { readonly index: LogIndex; readonly offset: number } {
    let low = 0
    let high = this.markIndexes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.markIndexes[middle] as LogIndex) <= index) low = middle + 1
      else high = middle
    }
    const at = low - 1
    if (at < 0) return { index: this.firstIndex, offset: firstRecordOffset }
    return { index: this.markIndexes[at] as LogIndex, offset: this.markOffsets[at] as number }
  }
}
