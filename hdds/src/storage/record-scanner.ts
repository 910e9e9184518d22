/**
 * Walks a container file from record to record. Where a header does not verify it looks at every 64th byte for the next
 * one that does, and reports what lies between as a hole. It reads headers; payloads are skipped, and the caller
 * verifies the ones it cares for.
 */

import type { DiskFile } from '@o3/common/env'
import type { ContainerFileName } from '../core/container-name.ts'
import { recordEnd } from '../core/container-ledger.ts'
import { decodeHeader, recordMagic } from '../core/record.ts'
import type { HeaderProof, RecordHeader } from '../core/record.ts'
import { getU32 } from '../core/little-endian.ts'
import { maxHeaderBytes, recordAlignBytes } from '../core/record-layout.ts'

export type ScanEvent =
  | { readonly kind: 'record'; readonly header: RecordHeader; readonly from: number; readonly to: number }
  /** Bytes that are no record; `to` is where the next one starts, or the end of the file. */
  | { readonly kind: 'hole'; readonly from: number; readonly to: number; readonly atEnd: boolean }

export interface ScanOptions {
  readonly file: DiskFile
  readonly name: ContainerFileName
  readonly proof: HeaderProof
  readonly from: number
  /** The scan ends here; usually the size of the file. */
  readonly to: number
}

const windowBytes = 256 * 1024

export class RecordScanner {
  private readonly options: ScanOptions
  private readonly buffer: Uint8Array
  private windowStart = 0
  private windowEnd = 0
  private cursor: number
  private holeFrom: number | undefined

  constructor(options: ScanOptions) {
    this.options = options
    this.cursor = options.from
    this.buffer = new Uint8Array(Math.min(windowBytes, Math.max(0, options.to - options.from)))
  }

  /** The next events in file order, one at least; empty at the end. */
  async next(): Promise<readonly ScanEvent[]> {
    const events: ScanEvent[] = []
    while (events.length === 0 && this.cursor < this.options.to) {
      await this.load()
      this.walkWindow(events)
    }
    if (events.length === 0 && this.holeFrom !== undefined) {
      events.push({ kind: 'hole', from: this.holeFrom, to: this.options.to, atEnd: true })
      this.holeFrom = undefined
    }
    return events
  }

  private async load(): Promise<void> {
    const length = Math.min(windowBytes, this.options.to - this.cursor)
    const read = await this.options.file.read(this.buffer.subarray(0, length), this.cursor)
    this.windowStart = this.cursor
    // The file is shorter than it was when the scan began: what is missing reads as a hole.
    if (read < length) this.buffer.fill(0, read, length)
    this.windowEnd = this.cursor + length
  }

  private walkWindow(events: ScanEvent[]): void {
    const { to } = this.options
    while (this.cursor < to) {
      // A header may reach over the window's end; the file's end is a real one.
      if (this.cursor + maxHeaderBytes > this.windowEnd && this.windowEnd < to) return
      if (this.cursor >= this.windowEnd) return
      const header = this.headerAtCursor()
      if (header === undefined) {
        this.holeFrom ??= this.cursor
        this.cursor += recordAlignBytes
        continue
      }
      if (this.holeFrom !== undefined) {
        events.push({ kind: 'hole', from: this.holeFrom, to: this.cursor, atEnd: false })
        this.holeFrom = undefined
      }
      const end = recordEnd(header)
      events.push({ kind: 'record', header, from: this.cursor, to: end })
      this.cursor = end
    }
  }

  private headerAtCursor(): RecordHeader | undefined {
    const at = this.cursor - this.windowStart
    if (at + 4 > this.buffer.length || getU32(this.buffer, at) !== recordMagic) return undefined
    const { name, proof, to } = this.options
    const bytes = this.buffer.subarray(0, this.windowEnd - this.windowStart)
    const header = decodeHeader(bytes, at, proof)
    if (header === undefined || header.fileOffset !== this.cursor) return undefined
    if (header.container !== name.container || header.generation !== name.generation) return undefined
    return recordEnd(header) <= alignUp(to) ? header : undefined
  }
}

/** The padding of the last record may be cut off. */
function alignUp(to: number): number {
  return Math.ceil(to / recordAlignBytes) * recordAlignBytes
}
