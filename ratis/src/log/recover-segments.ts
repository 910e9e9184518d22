import type { DiskFile, Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { damaged, foreign, synced } from './damage.ts'
import type { HardState } from './hard-state.ts'
import { alignToBlock } from './record.ts'
import { RecordScanner } from './record-scanner.ts'
import {
  decodeSegmentHeader,
  firstRecordOffset,
  segmentName,
  segmentNameIndex,
  type SegmentHeader,
} from './segment-header.ts'
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
  const { kept, leftovers } = await findSegments(env, directory, hard)
  const first = kept[0]
  const terms = new TermRuns({ index: (first?.firstIndex ?? 1) - 1, term: first?.previousTerm ?? 0 })
  let cutBytes = 0
  for (const [at, segment] of kept.entries()) {
    if (segment.previousTerm !== terms.lastTerm)
      throw damaged(segment.path, 48, 'it does not continue the segment before it')
    const next = kept[at + 1]
    const file = await env.disk.open(segment.path, next === undefined ? 'read-write' : 'read')
    try {
      const scan = await scanSegment(file, segment, terms)
      if (next !== undefined) expectWhole(segment, scan, next.firstIndex)
      else cutBytes = await settleTail(env, file, segment, { scan, commitFloor: hard.commitFloor })
    } finally {
      await file.close()
    }
  }
  // What a killed process left in the page cache is visible but not durable, names included, and from now on it counts.
  await synced(env.disk.syncDirectory(directory))
  for (const path of leftovers) await env.disk.remove(path)
  return { segments: kept, terms, cutBytes }
}

interface Scan {
  /** Behind the last record. */
  readonly end: number
  /** Where the next one should have been. */
  readonly stoppedAt: number
}

async function scanSegment(file: DiskFile, segment: Segment, terms: TermRuns): Promise<Scan> {
  const scanner = new RecordScanner(file, segment.seed, { index: segment.firstIndex, offset: firstRecordOffset })
  for (;;) {
    const entries = await scanner.next(Number.MAX_SAFE_INTEGER, scanBytes, (index, offset) =>
      segment.mark(index, offset),
    )
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

interface Found {
  readonly kept: readonly Segment[]
  /** Segments before the log's first index: a removal that was not finished. */
  readonly leftovers: readonly string[]
}

async function findSegments(env: Env, directory: string, hard: HardState): Promise<Found> {
  const kept: Segment[] = []
  const leftovers: string[] = []
  for (const name of await env.disk.list(directory)) {
    const nameIndex = segmentNameIndex(name)
    if (nameIndex === undefined) continue
    const path = `${directory}/${name}`
    const header = await readHeader(env, path)
    if (header.groupId !== hard.groupId) throw foreign(path, `this segment belongs to log ${header.groupId}`)
    if (header.firstIndex !== nameIndex) throw damaged(path, 40, 'the first index is not the one in the name')
    if (header.firstIndex < hard.firstIndex) leftovers.push(path)
    else kept.push(new Segment(directory, header))
  }
  expectChain(directory, kept, hard)
  return { kept, leftovers }
}

/** Refuses when a segment that must be there is not. The list is in order of first index. */
function expectChain(directory: string, kept: readonly Segment[], hard: HardState): void {
  const first = kept[0]
  if (first === undefined) {
    if (hard.lastSequence > 0) throw missingSegment(directory, hard.firstIndex)
    return
  }
  if (first.firstIndex !== hard.firstIndex) throw missingSegment(directory, hard.firstIndex)
  for (const [at, segment] of kept.entries()) {
    if (segment.sequence === first.sequence + at) continue
    const lost = first.sequence + at
    throw new StoreError('Damaged', `${directory}: log segment ${lost} (before ${segment.path}) is missing`, {
      details: { path: directory, offset: 0, sequence: lost },
    })
  }
  const last = kept.at(-1) as Segment
  // One more than recorded is a segment that was made and not yet used; more than that was never written by us.
  if (last.sequence === hard.lastSequence || last.sequence === hard.lastSequence + 1) return
  throw new StoreError('Damaged', `${directory}: the last log segment is ${last.sequence}, not ${hard.lastSequence}`, {
    details: { path: last.path, offset: 0, sequence: hard.lastSequence },
  })
}

function missingSegment(directory: string, firstIndex: LogIndex): StoreError {
  const path = `${directory}/${segmentName(firstIndex)}`
  return new StoreError('Damaged', `log segment ${path} is missing`, { details: { path, offset: 0 } })
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
