import type { DiskFile } from '@o3/common/env'
import type { LogIndex } from '../api/api.ts'
import {
  alignToBlock,
  blockBytes,
  recordHeaderBytes,
  recordIndexAt,
  recordLengthAt,
  recordTermAt,
  sightRecord,
  type LogEntry,
} from './record.ts'

const windowBytes = 1024 * 1024

/** Why a scan went no further than `offset`. */
export type ScanStop =
  | 'nothing' // zeros at a block boundary, or the end of the file: where a log ends
  | 'invalid' // bytes that are no record, or the record of another index

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
  private readonly file: DiskFile
  private readonly seed: number
  private bytes = new Uint8Array(0)
  private view = new DataView(this.bytes.buffer)
  private windowStart = 0

  constructor(file: DiskFile, seed: number, from: { readonly index: LogIndex; readonly offset: number }) {
    this.file = file
    this.seed = seed
    this.offset = from.offset
    this.end = from.offset
    this.index = from.index
  }

  /**
   * The next entries, up to index `upTo` and about `maxBytes`; empty when there are none or the scan has to stop (see
   * `stop`). Payloads are views of a window that is never written again. `onRecord` learns where each one starts.
   */
  async next(
    upTo: LogIndex,
    maxBytes: number,
    onRecord?: (index: LogIndex, offset: number) => void,
  ): Promise<LogEntry[]> {
    const entries: LogEntry[] = []
    let taken = 0
    while (this.index <= upTo && taken < maxBytes) {
      const length = await this.find()
      if (length === undefined) break
      const at = this.offset - this.windowStart
      onRecord?.(this.index, this.offset)
      entries.push({
        index: this.index,
        term: recordTermAt(this.view, at),
        payload: this.bytes.subarray(at + recordHeaderBytes, at + length),
      })
      this.index++
      this.offset += length
      this.end = this.offset
      taken += length
    }
    return entries
  }

  /** What stands at `offset`, re-read from the file. Only after `next` came to a stop. */
  async stop(): Promise<ScanStop> {
    if (this.offset % blockBytes !== 0) return 'invalid'
    await this.load(this.offset, recordHeaderBytes)
    return this.bytes.subarray(0, recordHeaderBytes).every((byte) => byte === 0) ? 'nothing' : 'invalid'
  }

  /** Forgets what was read ahead: the file may have grown since. */
  forgetWindow(): void {
    this.bytes = new Uint8Array(0)
    this.view = new DataView(this.bytes.buffer)
    this.windowStart = this.offset
  }

  /** Moves `offset` over padding to the next record and returns its length, or undefined where there is none. */
  private async find(): Promise<number | undefined> {
    for (let reads = 0; ;) {
      const at = this.offset - this.windowStart
      const sight = sightRecord(this.bytes, this.view, at, this.bytes.length, this.seed)
      if (sight === 'record')
        return recordIndexAt(this.view, at) === this.index ? recordLengthAt(this.view, at) : undefined
      if (sight === 'invalid') return undefined
      if (sight === 'beyond') {
        if (reads++ === 2) return undefined
        const wanted = this.bytes.length - at >= recordHeaderBytes ? recordLengthAt(this.view, at) : recordHeaderBytes
        await this.load(this.offset, wanted)
        continue
      }
      const next = alignToBlock(this.offset)
      if (next === this.offset) return undefined
      this.offset = next
    }
  }

  private async load(from: number, atLeast: number): Promise<void> {
    const size = await this.file.size()
    const length = Math.max(0, Math.min(Math.max(windowBytes, atLeast), size - from))
    const bytes = new Uint8Array(length)
    const read = await this.file.read(bytes, from)
    this.bytes = bytes.subarray(0, read)
    this.view = new DataView(bytes.buffer, 0, read)
    this.windowStart = from
  }
}
