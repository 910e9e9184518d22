import type { LogIndex, Term } from '../api/api.ts'
import { crc32c, groupIdBytes, groupIdText, segmentSeed } from './checksum.ts'
import { damaged, foreign } from './damage.ts'
import { blockBytes, readU64, writeU64 } from './record.ts'

/**
 * The first block of a segment file; records start in the second.
 *
 * | at | size | field |
 * |---|---|---|
 * | 0 | 8 | magic `O3RATLOG` |
 * | 8 | 4 | version |
 * | 12 | 4 | CRC32C of bytes 16–80 (16–64 in version 1), started from the segment's seed |
 * | 16 | 16 | group id |
 * | 32 | 8 | sequence |
 * | 40 | 8 | first index |
 * | 48 | 8 | term of the entry before the first |
 * | 56 | 8 | 1 when the file held another segment before, else 0: whether zeros can be expected behind the last record |
 * | 64 | 8 | sequence of the segment that this one continues; 0: none, the log starts here (from version 2) |
 * | 72 | 8 | first index of that segment (from version 2) |
 *
 * Version 1 could not cut a log at its end: there each segment continues the one numbered before it.
 */
export interface SegmentHeader {
  readonly groupId: string
  /** 1, 2, 3 …: grows with every segment that the log ever had. */
  readonly sequence: number
  readonly firstIndex: LogIndex
  readonly previousTerm: Term
  readonly isReused: boolean
  /**
   * The segment that this one continues; 0: none. Its entries from `firstIndex` on, and all segments between the two, were
   * cut away by the making of this one.
   */
  readonly previousSequence: number
  /** The first index of that segment; 0 when there is none, or in version 1. */
  readonly previousFirstIndex: LogIndex
}

/** Where records start. */
export const firstRecordOffset = blockBytes

const magic = Buffer.from('O3RATLOG', 'latin1')
const version = 2
const headerEnd = 80
const headerEndOfVersion1 = 64

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(blockBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(8, version, true)
  bytes.set(groupIdBytes(header.groupId), 16)
  writeU64(view, 32, header.sequence)
  writeU64(view, 40, header.firstIndex)
  writeU64(view, 48, header.previousTerm)
  writeU64(view, 56, header.isReused ? 1 : 0)
  writeU64(view, 64, header.previousSequence)
  writeU64(view, 72, header.previousFirstIndex)
  view.setUint32(12, crc32c(bytes.subarray(16, headerEnd), segmentSeed(header.groupId, header.sequence)), true)
  return bytes
}

/** Throws `Damaged`, or `Incompatible` for a segment of another format. */
export function decodeSegmentHeader(bytes: Uint8Array, path: string): SegmentHeader {
  if (bytes.length < headerEnd) throw damaged(path, 0, 'the file is shorter than a segment header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!magic.equals(bytes.subarray(0, magic.length))) throw damaged(path, 0, 'this is no log segment')
  const found = view.getUint32(8, true)
  if (found !== 1 && found !== version) {
    throw foreign(path, `log segment of version ${found}; this release reads up to version ${version}`)
  }
  const sequence = readU64(view, 32)
  const header = {
    groupId: groupIdText(bytes.subarray(16, 32)),
    sequence,
    firstIndex: readU64(view, 40),
    previousTerm: readU64(view, 48),
    isReused: readU64(view, 56) === 1,
    previousSequence: found === 1 ? sequence - 1 : readU64(view, 64),
    previousFirstIndex: found === 1 ? 0 : readU64(view, 72),
  }
  const end = found === 1 ? headerEndOfVersion1 : headerEnd
  const sum = crc32c(bytes.subarray(16, end), segmentSeed(header.groupId, header.sequence))
  if (sum !== view.getUint32(12, true)) throw damaged(path, 12, 'the segment header does not match its checksum')
  return header
}

/** Named by first index, so that a listing is in log order. */
export function segmentName(firstIndex: LogIndex): string {
  return `${firstIndex.toString(16).padStart(16, '0')}.segment`
}

/** The first index in a segment's name; undefined for other files. */
export function segmentNameIndex(name: string): LogIndex | undefined {
  const match = /^([0-9a-f]{16})\.segment$/.exec(name)
  return match === null ? undefined : Number.parseInt(match[1] as string, 16)
}
