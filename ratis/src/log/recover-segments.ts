import type { DiskFile, Env } from '@o3/common/env'
import type { LogIndex } from '../api/api.ts'
import { isStoreError, type StoreError } from '@o3/common/errors'
import { highestIndex } from './damage-extent.ts'
import { damaged, synced } from './damage.ts'
import { unknownIndex, type HardState } from './hard-state.ts'
import { alignToBlock } from './record.ts'
import { RecordScanner } from './record-scanner.ts'
import { linkSegments, type SegmentChain } from './segment-chain.ts'
import { readSegments } from './read-segments.ts'
import { firstRecordOffset } from './segment-header.ts'
import type { Place } from './segment-roll.ts'
import type { Segment } from './segment.ts'
import { TermRuns } from './term-runs.ts'
import { inspectTail } from './torn-tail.ts'

const scanBytes = 4 * 1024 * 1024

/** What a recovery found, for the start-up report. */
export interface Recovery {
  /** Oldest first; empty for a log that never had a segment. With `damage`: what is good of them, up to it. */
  readonly segments: readonly Segment[]
  readonly terms: TermRuns
  /**
   * What the files themselves prove to be on the device: entries of a segment that has a successor, those that were known
   * to be committed, and those up to the highest floor. Entries behind it are there to be read, but perhaps only in the page
   * cache: a sync that failed, of an earlier process, left them there, and no later sync writes them. At most one batch.
   */
  readonly provenIndex: LogIndex
  /** Bytes behind the last entry that were cut: of unfinished writes, or of a file's earlier use. 0 after a clean stop. */
  readonly cutBytes: number
  readonly damage?: FoundDamage
  /** Segments that are not of the log. To be removed, when the log is known to be whole without them. */
  readonly leftovers: readonly Segment[]
  /** Files that are of no use any more, and of interest to a person. */
  readonly broken: readonly string[]
  /** The youngest segment that could be read, whether it is of the log or not. */
  readonly youngest?: Segment
}

/** Something that had been durable is broken or missing. */
export interface FoundDamage {
  readonly error: StoreError
  /** The highest index that the log may have held; `unknownIndex` when nobody can say. */
  readonly lastPossibleIndex: LogIndex
}

/**
 * Verifies every record of the log and cuts a torn tail, durably. When an entry that had been durable is missing or broken,
 * it throws `Damaged` (with `path` and `offset`), or says so in its result when that is to be repaired; nothing was changed
 * then. Throws `Incompatible` for files of another log. May be interrupted at any point and run again.
 */
export async function recoverSegments(
  env: Env,
  directory: string,
  known: { readonly hard: HardState; readonly onDamage: 'refuse' | 'repair' },
): Promise<Recovery> {
  const { hard, onDamage } = known
  const { readable, broken, error } = await readSegments(env, directory, hard.groupId)
  if (onDamage === 'refuse' && error !== undefined) throw error
  const chain = linkSegments(directory, readable, hard)
  const youngest = readable.reduce<Segment | undefined>(
    (a, b) => (a !== undefined && a.sequence > b.sequence ? a : b),
    undefined,
  )
  const found = youngest === undefined ? {} : { youngest }
  const terms = new TermRuns(startOf(readable, chain, hard))
  const scanned: Segment[] = []
  try {
    const { cutBytes, provenIndex } = await verifyChain(env, chain, { hard, terms, scanned })
    // What a killed process left in the page cache is visible but not durable, names included, and from now on it counts.
    await synced(env.disk.syncDirectory(directory))
    return { segments: chain.kept, terms, provenIndex, cutBytes, leftovers: chain.others, broken, ...found }
  } catch (thrown) {
    if (onDamage === 'refuse' || !isStoreError(thrown, 'Damaged')) throw thrown
    const lastPossibleIndex = await extentOf(env, chain, { hard, scanned, terms })
    const good = scanned.filter(({ firstIndex }) => firstIndex <= terms.lastIndex)
    const last = good.at(-1)
    if (last !== undefined) last.lastIndex = terms.lastIndex
    const bad = readable.filter((segment) => !good.includes(segment) && segment.sequence > (last?.sequence ?? 0))
    return {
      segments: good,
      terms,
      // What was found missing had come later.
      provenIndex: terms.lastIndex,
      cutBytes: 0,
      // A segment without a header is why it is missing.
      damage: { error: (chain.gap && error) ?? thrown, lastPossibleIndex },
      leftovers: readable.filter((segment) => !good.includes(segment) && !bad.includes(segment)),
      broken: [...broken, ...bad.map(({ path }) => path)],
      ...found,
    }
  }
}

/** The place before the first entry. Term 0, which no entry has, when nothing that is left says which. */
function startOf(readable: readonly Segment[], chain: SegmentChain, hard: HardState): Place {
  const first = chain.kept[0] ?? readable.find(({ firstIndex }) => firstIndex === hard.firstIndex)
  if (first === undefined) return { index: hard.firstIndex - 1, term: 0 }
  return { index: first.firstIndex - 1, term: first.previousTerm }
}

/** Throws `Damaged` at the first thing that is not as it was; `scanned` and `terms` then hold what comes before it. */
async function verifyChain(
  env: Env,
  { kept, gap }: SegmentChain,
  known: { readonly hard: HardState; readonly terms: TermRuns; readonly scanned: Segment[] },
): Promise<{ readonly cutBytes: number; readonly provenIndex: LogIndex }> {
  const { hard, terms, scanned } = known
  let cutBytes = 0
  let provenIndex = terms.lastIndex
  for (const [at, segment] of kept.entries()) {
    if (segment.previousTerm !== terms.lastTerm) {
      throw damaged(segment.path, 48, 'it does not continue the segment before it')
    }
    scanned.push(segment)
    const next = kept[at + 1]
    const before = next?.firstIndex ?? gap?.before ?? Infinity
    const file = await env.disk.open(segment.path, next === undefined ? 'read-write' : 'read')
    try {
      const scan = await scanSegment(file, segment, { terms, upTo: before - 1 })
      if (next !== undefined) expectWhole(segment, scan, next.firstIndex)
      else if (gap === undefined) {
        const commitFloor = floorOf(segment, hard)
        cutBytes = await settleTail(env, file, segment, { scan, commitFloor })
        provenIndex = Math.min(segment.lastIndex, Math.max(segment.firstIndex - 1, commitFloor, scan.floor))
      }
      // A killed process may have left it in the page cache; it will have a successor.
      else await synced(file.sync())
    } finally {
      await file.close()
    }
  }
  if (gap !== undefined) throw gap.error
  return { cutBytes, provenIndex }
}

/** How far a damaged log may have gone. What is behind the last record that verifies counts as torn, as always. */
async function extentOf(
  env: Env,
  { kept, others, gap }: SegmentChain,
  known: { readonly hard: HardState; readonly scanned: readonly Segment[]; readonly terms: TermRuns },
): Promise<LogIndex> {
  const { hard, scanned, terms } = known
  if (gap?.isAtEnd === true) return unknownIndex
  const last = scanned.at(-1)
  const suspects = kept.filter((segment) => segment === last || !scanned.includes(segment))
  if (gap !== undefined) suspects.push(...others.filter(({ sequence }) => sequence > (last?.sequence ?? 0)))
  let highest = Math.max(hard.commitFloor, terms.lastIndex)
  // What a segment follows was durable when it was made.
  for (const segment of suspects) highest = Math.max(highest, segment.firstIndex - 1, await highestIndex(env, segment))
  return highest
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
  /** The highest floor of its records. */
  readonly floor: LogIndex
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
  return { end: scanner.end, stoppedAt: scanner.offset, floor: scanner.floor }
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
  // It proves nothing about the entries (see `provenIndex`). An error that the kernel has told nobody yet comes out here.
  env.at('log.recover.before-sync')
  await synced(file.sync())
  env.at('log.recover.after-sync')
  return dirtyBytes
}
