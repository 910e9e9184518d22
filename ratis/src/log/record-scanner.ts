import type { DiskFile } from '@o3/common/env'
import type { LogIndex } from '../api/api.ts'
import {
  alignRecord,
  alignToBlock,
  recordFloorAt,
  recordHeaderBytes,
  recordIndexAt,
  recordLengthAt,
  recordTermAt,
  sightRecord,
  type Bytes,
  type LogEntry,
} from './record.ts'

const windowBytes = 1024 * 1024

/**
 * Walks the records of one segment in order, a window at a time, and stops at the first place that does not hold the
 * next index. What that place means (the end, a torn tail, damage) is for the caller to say.
 */
export class RecordScanner {
  /** Where the next record is looked for: behind the last one, or on the block boundary behind its padding. */
  offset: number
  /** Behind the last record returned. */
  end: number
  /** The next index. */
  index: LogIndex
  /** The highest floor of the records returned: all up to it was durable when they were written. */
  floor: LogIndex = 0
  private readonly file: DiskFile
  private readonly seed: number
  private window = windowOf(new Uint8Array(0))
  private windowStart = 0

  constructor(file: DiskFile, seed: number, from: { readonly index: LogIndex; readonly offset: number }) {
    this.file = file
    this.seed = seed
    this.offset = from.offset
    this.end = from.offset
    this.index = from.index
  }

  /**
   * The next entries, up to index `upTo` and about `maxBytes`; empty when there are none or the scan has to stop.
   * Payloads are views of a window that is never written again. `onRecord` learns where each record starts.
   */
  async next(
    upTo: LogIndex,
    maxBytes: number,
    onRecord?: (index: LogIndex, offset: number) => void,
  ): Promise<LogEntry[]> {
    const entries: LogEntry[] = []
    let taken = 0
    while (this.index <= upTo && taken < maxBytes) {
      let length = this.find()
      for (let loads = 0; length === 'beyond' && loads < 2; loads++) {
        await this.load()
        length = this.find()
      }
      if (typeof length !== 'number') break
      const at = this.offset - this.windowStart
      onRecord?.(this.index, this.offset)
      this.floor = Math.max(this.floor, recordFloorAt(this.window.view, at))
      entries.push({
        index: this.index,
        term: recordTermAt(this.window.view, at),
        payload: this.window.bytes.subarray(at + recordHeaderBytes, at + length),
      })
      this.index++
      this.offset = alignRecord(this.offset + length)
      this.end = this.offset
      taken += length
    }
    return entries
  }

  /** Forgets what was read ahead: the file may have grown since. */
  forgetWindow(): void {
    this.window = windowOf(new Uint8Array(0))
    this.windowStart = this.offset
  }

  /** Moves `offset` over padding to the next record and returns its length, or why there is none. */
  private find(): number | 'beyond' | 'stop' {
    for (;;) {
      const at = this.offset - this.windowStart
      const { view } = this.window
      const sight = sightRecord(this.window, at, this.seed)
      if (sight === 'record') return recordIndexAt(view, at) === this.index ? recordLengthAt(view, at) : 'stop'
      if (sight !== 'nothing') return sight === 'beyond' ? 'beyond' : 'stop'
      const next = alignToBlock(this.offset)
      if (next === this.offset) return 'stop'
      this.offset = next
    }
  }

  /** Reads on from `offset`: a window, or the whole record where that is longer. */
  private async load(): Promise<void> {
    const { bytes, view } = this.window
    const at = this.offset - this.windowStart
    const known = bytes.length - at
    const wanted = known >= recordHeaderBytes ? recordLengthAt(view, at) : recordHeaderBytes
    const size = await this.file.size()
    const next = new Uint8Array(Math.max(0, Math.min(Math.max(windowBytes, wanted), size - this.offset)))
    const read = await this.file.read(next, this.offset)
    this.window = windowOf(next.subarray(0, read))
    this.windowStart = this.offset
  }
}

function windowOf(bytes: Uint8Array): Bytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}
