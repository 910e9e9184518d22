/**
 * The log as the core knows it: the term of every entry (as runs of one term, since terms hardly ever change), and the
 * newest entries themselves. Older ones are on disk and are fetched when a follower needs them.
 */

import { assert } from '@o3/common/errors'
import type { LogIndex, Term } from '../api/api.ts'
import { entryBytes, type Entry } from './entry.ts'

export interface TermRun {
  readonly term: Term
  readonly firstIndex: LogIndex
}

export class LogView {
  /** The first entry that can be read. */
  firstIndex: LogIndex
  lastIndex: LogIndex
  /** Bytes of entries in memory. */
  tailBytes = 0
  private runs: TermRun[]
  /** Entries up to `lastIndex`; those before `head` are gone. */
  private tail: Entry[] = []
  private head = 0

  constructor(start: {
    readonly firstIndex: LogIndex
    readonly lastIndex: LogIndex
    readonly termRuns: readonly TermRun[]
  }) {
    this.firstIndex = start.firstIndex
    this.lastIndex = start.lastIndex
    this.runs = [...start.termRuns]
  }

  get lastTerm(): Term {
    return this.runs.at(-1)?.term ?? 0
  }

  /** The first index in memory; `lastIndex + 1` when none is. */
  get tailFirst(): LogIndex {
    return this.lastIndex + 1 - (this.tail.length - this.head)
  }

  /** Undefined where the log cannot tell: before the entry in front of the first, or behind the last. */
  termAt(index: LogIndex): Term | undefined {
    if (index > this.lastIndex || index < this.firstIndex - 1) return undefined
    // Before the first entry of all there is term 0.
    if (index === 0) return 0
    return this.runs[this.runOf(index)]?.term
  }

  /** Whether a log that ends in (`lastTerm`, `lastIndex`) has everything that this one may have committed (§5.4.1). */
  isUpToDate(lastTerm: Term, lastIndex: LogIndex): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** The last index ≤ `index` whose term is ≤ `term`: everything behind it conflicts with a log that has `term` there. */
  lastAtMost(term: Term, index: LogIndex): LogIndex {
    let at = Math.min(index, this.lastIndex)
    for (let run = this.runOf(at); run >= 0; run--) {
      const { term: found, firstIndex } = this.runs[run] as TermRun
      if (found <= term) return at
      at = firstIndex - 1
    }
    return Math.max(at, 0)
  }

  append(entry: Entry): void {
    // Once for each entry: the text is only made when it is needed.
    if (entry.index !== this.lastIndex + 1) assert(false, `entry ${entry.index} does not follow ${this.lastIndex}`)
    assert(entry.term >= this.lastTerm, 'terms in a log never fall')
    if (entry.term !== this.lastTerm || this.runs.length === 0) {
      this.runs.push({ term: entry.term, firstIndex: entry.index })
    }
    this.tail.push(entry)
    this.tailBytes += entryBytes(entry)
    this.lastIndex = entry.index
  }

  truncateFrom(index: LogIndex): void {
    assert(index >= this.firstIndex, `entry ${index} is not in the log`)
    while (this.lastIndex >= index) {
      if (this.tail.length > this.head) this.tailBytes -= entryBytes(this.tail.pop() as Entry)
      this.lastIndex--
      if (this.runs.at(-1)?.firstIndex === this.lastIndex + 1) this.runs.pop()
    }
  }

  /** The log is empty, behind `index`. */
  reset(index: LogIndex, term: Term): void {
    this.firstIndex = index + 1
    this.lastIndex = index
    this.runs = index === 0 ? [] : [{ term, firstIndex: index }]
    this.tail = []
    this.head = 0
    this.tailBytes = 0
  }

  /** Entries before `firstIndex` can no longer be read from disk. */
  compact(firstIndex: LogIndex): void {
    if (firstIndex <= this.firstIndex) return
    this.firstIndex = firstIndex
    // The run that covers the entry in front stays: a follower at that place can still be told what comes next.
    const keep = this.runOf(firstIndex - 1)
    if (keep > 0) this.runs = this.runs.slice(keep)
    this.evict(firstIndex - 1, 0)
  }

  /** Drops the oldest entries ≤ `upTo` from memory while there are more than `maxBytes`. */
  evict(upTo: LogIndex, maxBytes: number): void {
    let first = this.tailFirst
    while (this.tailBytes > maxBytes && first <= upTo && this.head < this.tail.length) {
      this.tailBytes -= entryBytes(this.tail[this.head] as Entry)
      this.head++
      first++
    }
    if (this.head === this.tail.length) {
      this.tail = []
      this.head = 0
    } else if (this.head > 1024 && this.head * 2 > this.tail.length) {
      this.tail = this.tail.slice(this.head)
      this.head = 0
    }
  }

  /** Entries from `first` on, to `last` or about `maxBytes` (at least one); undefined when they are not in memory. */
  slice(first: LogIndex, last: LogIndex, maxBytes = Infinity): readonly Entry[] | undefined {
    const { tailFirst } = this
    if (first < tailFirst) return undefined
    const from = this.head + first - tailFirst
    const end = this.head + Math.min(last, this.lastIndex) - tailFirst + 1
    if (maxBytes === Infinity) return this.tail.slice(from, Math.max(from, end))
    let to = from
    for (let bytes = 0; to < end; to++) {
      bytes += entryBytes(this.tail[to] as Entry)
      if (bytes > maxBytes && to > from) break
    }
    return this.tail.slice(from, to)
  }

  /** What entries `first` to `last`, which are in memory, count against limits. */
  bytesOf(first: LogIndex, last: LogIndex): number {
    const { tailFirst } = this
    assert(first >= tailFirst && last <= this.lastIndex, 'only of entries in memory')
    let bytes = 0
    for (let index = first; index <= last; index++)
      bytes += entryBytes(this.tail[this.head + index - tailFirst] as Entry)
    return bytes
  }

  /** The run that holds `index`; −1 when it lies before all. */
  private runOf(index: LogIndex): number {
    // Nearly every question is about the newest run.
    let at = this.runs.length - 1
    while (at >= 0 && (this.runs[at] as TermRun).firstIndex > index) at--
    return at
  }
}
