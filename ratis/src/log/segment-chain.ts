/**
 * Which segments are the log. Each names the one that it continues, so the log is what hangs together behind the youngest:
 * a cut at the end of the log is nothing but a segment that continues an earlier place, and a reset is one that continues
 * nothing. Whatever else lies in the directory was cut away, and its removal was not finished.
 */

import { StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { HardState } from './hard-state.ts'
import { segmentName } from './segment-header.ts'
import type { Segment } from './segment.ts'

export interface SegmentChain {
  /** Oldest first. With a `gap`: the segments before it, as far as they surely belong to the log. */
  readonly kept: readonly Segment[]
  /** Readable, and not of the log, or behind the gap. */
  readonly others: readonly Segment[]
  readonly gap?: ChainGap
}

/** A segment that must be there is not. */
export interface ChainGap {
  readonly error: StoreError
  /** Entries of `kept` from here on are not the log's: the missing segment had replaced them. Infinity when none were. */
  readonly before: LogIndex
  /** The youngest segment is missing, so nobody can say how far the log went. */
  readonly isAtEnd: boolean
}

/** The facts of the hard state that say where the log begins and ends. */
export type ChainEnds = Pick<HardState, 'firstIndex' | 'lastSequence' | 'lastFirstIndex'>

interface Missing {
  readonly sequence: number
  /** 0: unknown, because the log that the missing segment belonged to was never cut. */
  readonly firstIndex: LogIndex
}

/** Links the segments that could be read. */
export function linkSegments(directory: string, found: readonly Segment[], ends: ChainEnds): SegmentChain {
  const bySequence = new Map(found.map((segment) => [segment.sequence, segment]))
  const last = Math.max(0, ...bySequence.keys())
  const head = bySequence.get(last)
  const { lastSequence } = ends
  const rest = (kept: readonly Segment[]): readonly Segment[] => found.filter((segment) => !kept.includes(segment))
  const broken = (missing: Missing, error: StoreError, isAtEnd: boolean): SegmentChain => {
    const kept = keptBefore(missing, bySequence, ends)
    return { kept, others: rest(kept), gap: { error, before: missing.firstIndex || Infinity, isAtEnd } }
  }
  if (head === undefined) {
    if (lastSequence === 0) return { kept: [], others: [] }
    return broken({ sequence: 1, firstIndex: 0 }, missingSegment(directory, ends.firstIndex), true)
  }
  // One more than recorded is a segment that was made and not yet used; more than that was never written by us.
  if (last !== lastSequence && last !== lastSequence + 1) {
    const error = new StoreError('Damaged', `${directory}: the last log segment is ${last}, not ${lastSequence}`, {
      details: { path: head.path, offset: 0, sequence: lastSequence },
    })
    return broken({ sequence: Math.max(last, lastSequence), firstIndex: ends.lastFirstIndex }, error, true)
  }
  const { kept, missing } = walkBack(head, bySequence, { ...ends, mayStart: head.sequence === lastSequence + 1 })
  if (missing === undefined) return { kept, others: rest(kept) }
  const oldest = kept[0] as Segment
  if (missing.sequence === 0) return broken(missing, missingSegment(directory, ends.firstIndex), false)
  const text = `${directory}: log segment ${missing.sequence} (before ${oldest.path}) is missing`
  const details = { path: directory, offset: 0, sequence: missing.sequence }
  return broken(missing, new StoreError('Damaged', text, { details }), false)
}

/** Where the log of these segments ends, and where it began as far as they hang together, without a hard state. */
export function guessEnds(found: readonly Segment[]): ChainEnds {
  const bySequence = new Map(found.map((segment) => [segment.sequence, segment]))
  const head = bySequence.get(Math.max(0, ...bySequence.keys()))
  if (head === undefined) return { firstIndex: 1, lastSequence: 0, lastFirstIndex: 0 }
  const { kept } = walkBack(head, bySequence, { firstIndex: -1, mayStart: true })
  const first = kept[0] ?? head
  return { firstIndex: first.firstIndex, lastSequence: head.sequence, lastFirstIndex: head.firstIndex }
}

/**
 * What is left of the log before a missing segment. The one numbered before it was the youngest when it was made, so the
 * log up to where the missing one began is what hangs together behind that. When that one is gone as well, it may have
 * been cut away or lost with entries that replaced older ones: nothing is certain then.
 */
function keptBefore(missing: Missing, bySequence: ReadonlyMap<number, Segment>, ends: ChainEnds): readonly Segment[] {
  const head = bySequence.get(missing.sequence - 1)
  if (head === undefined) return []
  const before = walkBack(head, bySequence, { ...ends, mayStart: false })
  if (before.missing !== undefined) return []
  return before.kept.filter(({ firstIndex }) => missing.firstIndex === 0 || firstIndex < missing.firstIndex)
}

/** The segments that hang together behind `head`, oldest first, and what is missing before them. */
function walkBack(
  head: Segment,
  bySequence: ReadonlyMap<number, Segment>,
  // A reset that the hard state does not know of yet starts the log anew wherever it is.
  ends: { readonly firstIndex: LogIndex; readonly mayStart: boolean },
): { readonly kept: readonly Segment[]; readonly missing?: Missing } {
  const kept = [head]
  let segment = head
  while (segment.firstIndex !== ends.firstIndex) {
    const { previousSequence, previousFirstIndex } = segment
    if (previousSequence === 0 && segment === head && ends.mayStart) break
    const previous = bySequence.get(previousSequence)
    if (previous === undefined || previous.sequence >= segment.sequence || previous.firstIndex < ends.firstIndex) {
      return { kept, missing: { sequence: previousSequence, firstIndex: previousFirstIndex } }
    }
    kept.unshift(previous)
    segment = previous
  }
  return { kept }
}

function missingSegment(directory: string, firstIndex: LogIndex): StoreError {
  const path = `${directory}/${segmentName(firstIndex)}`
  return new StoreError('Damaged', `log segment ${path} is missing`, { details: { path, offset: 0 } })
}
