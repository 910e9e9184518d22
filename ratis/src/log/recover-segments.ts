import type { DiskFile, Env } from '@o3/common/env'
import type { LogIndex } from '../api/api.ts'
import { damaged, foreign, synced } from './damage.ts'
import type { HardState } from './hard-state.ts'
import { alignToBlock } from './record.ts'
import { RecordScanner } from './record-scanner.ts'
import { linkSegments } from './segment-chain.ts'
import { decodeSegmentHeader, firstRecordOffset, segmentNameIndex, type SegmentHeader } from './segment-header.ts'
import { Segment } from './segment.ts'
import { TermRuns } from './term-runs.ts'
import { inspectTail } from './torn-tail.ts'

const scanBytes = 4 * 1024 * 1024

/** What a recovery found, for the start-up report. */
export interface Recovery {
  /** Oldest first; empty for a log that never had a segment. */
  readonly segments: readonly Segment[]
  readonly terms: TermRuns
  /** Bytes behind the last entry that were cut: of unfinished writes, or of a file's earlier use. 0 after a clean stop. */
  readonly cutBytes: number
}

/**
 * Verifies every record of the log and cuts a torn tail, durably. Throws `Damaged` (with `path` and `offset`) when an
 * entry that had been durable is missing or broken, `Incompatible` for files of another log. Changes nothing before it
 * has seen everything. May be interrupted at any point and run again.
 */
export async function recoverSegments(env: Env, directory: string, hard: HardState): Promise<Recovery> {
  const { kept, others, gap } = linkSegments(directory, await findSegments(env, directory, hard), hard)
  if (gap !== undefined) throw gap.error
  const first = kept[0]
  const terms = new TermRuns({ index: (first?.firstIndex ?? 1) - 1, term: first?.previousTerm ?? 0 })
  let cutBytes = 0
  for (const [at, segment] of kept.entries()) {
    if (segment.previousTerm !== terms.lastTerm) {
      throw damaged(segment.path, 48, 'it does not continue the segment before it')
    }
    const next = kept[at + 1]
    const file = await env.disk.open(segment.path, next === undefined ? 'read-write' : 'read')
    try {
      const scan = await scanSegment(file, segment, { terms, upTo: (next?.firstIndex ?? Infinity) - 1 })
      if (next !== undefined) expectWhole(segment, scan, next.firstIndex)
      else cutBytes = await settleTail(env, file, segment, { scan, commitFloor: floorOf(segment, hard) })
    } finally {
      await file.close()
    }
  }
  // What a killed process left in the page cache is visible but not durable, names included, and from now on it counts.
  await synced(env.disk.syncDirectory(directory))
  for (const { path } of others) await env.disk.remove(path)
  return { segments: kept, terms, cutBytes }
}

/** A segment that the hard state does not know of yet holds nothing, and a log that it starts anew has a floor of its own. */
function floorOf(segment: Segment, hard: HardState): LogIndex {
  return segment.sequence > hard.lastSequence && segment.previousSequence === 0
    ? segment.firstIndex - 1
    : hard.commitFloor
}

interface Scan {
  /** Behind the last record. */
  readonly end: number
  /** Where the next one should have been. */
  readonly stoppedAt: number
}

/** Reads the entries of one segment into `terms`; those behind `upTo` were cut away by the next one. */
async function scanSegment(
  file: DiskFile,
  segment: Segment,
  known: { readonly terms: TermRuns; readonly upTo: LogIndex },
): Promise<Scan> {
  const { terms, upTo } = known
  const scanner = new RecordScanner(file, segment.seed, { index: segment.firstIndex, offset: firstRecordOffset })
  for (;;) {
    const entries = await scanner.next(upTo, scanBytes, (index, offset) => segment.mark(index, offset))
    if (entries.length === 0) break
    for (const entry of entries) {
      if (entry.term < terms.lastTerm) throw damaged(segment.path, scanner.end, `terms go back at index ${entry.index}`)
      terms.extend(entry.term)
    }
  }
  segment.lastIndex = scanner.index - 1
  segment.endOffset = alignToBlock(scanner.end)
  return { end: scanner.end, stoppedAt: scanner.offset }
}

/** A segment that has a successor was durable to its end before the successor was used. */
function expectWhole(segment: Segment, scan: Scan, nextIndex: LogIndex): void {
  if (segment.lastIndex + 1 === nextIndex) return
  throw damaged(segment.path, scan.stoppedAt, `the record of index ${segment.lastIndex + 1} does not verify`)
}

async function settleTail(
  env: Env,
  file: DiskFile,
  segment: Segment,
  known: { readonly scan: Scan; readonly commitFloor: LogIndex },
): Promise<number> {
  const missing = segment.lastIndex + 1
  const { end, stoppedAt } = known.scan
  const { cutAt, dirtyBytes, proof } = await inspectTail(file, segment.seed, end, missing)
  const what = `the record of index ${missing} does not verify`
  if (missing <= known.commitFloor) throw damaged(segment.path, stoppedAt, `${what}, and it had been committed`)
  if (proof !== undefined) {
    const later = `that of index ${proof.index} at offset ${proof.offset} was written after it`
    throw damaged(segment.path, stoppedAt, `${what}, and ${later}`)
  }
  if (dirtyBytes > 0) {
    env.at('log.recover.before-cut')
    await file.truncate(cutAt)
  }
  env.at('log.recover.before-sync')
  await synced(file.sync())
  env.at('log.recover.after-sync')
  return dirtyBytes
}

async function findSegments(env: Env, directory: string, hard: HardState): Promise<readonly Segment[]> {
  const found: Segment[] = []
  for (const name of await env.disk.list(directory)) {
    const nameIndex = segmentNameIndex(name)
    if (nameIndex === undefined) continue
    const path = `${directory}/${name}`
    const header = await readHeader(env, path)
    if (header.groupId !== hard.groupId) throw foreign(path, `this segment belongs to log ${header.groupId}`)
    if (header.firstIndex !== nameIndex) throw damaged(path, 40, 'the first index is not the one in the name')
    found.push(new Segment(directory, header))
  }
  return found
}

async function readHeader(env: Env, path: string): Promise<SegmentHeader> {
  const file = await env.disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(firstRecordOffset)
    const length = await file.read(bytes, 0)
    return decodeSegmentHeader(bytes.subarray(0, length), path)
  } finally {
    await file.close()
  }
}
