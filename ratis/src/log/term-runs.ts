import type { LogIndex, Term } from '../api/api.ts'

/** Entries of one term that follow each other: from `firstIndex` to the next run. */
export interface TermRun {
  readonly term: Term
  readonly firstIndex: LogIndex
}

/**
 * The terms of a log, of all its entries and of the one before the first. There are as many runs as there were leaders, so
 * all of them are kept in memory; an entry of the same term as the one before costs a comparison.
 */
export class TermRuns {
  /** Oldest first; never empty: the first run begins at the place before the first entry. */
  private runs: TermRun[]
  private end: LogIndex

  /** A log that starts behind this place. */
  constructor(before: { readonly index: LogIndex; readonly term: Term }) {
    this.runs = [{ term: before.term, firstIndex: before.index }]
    this.end = before.index
  }

  get lastIndex(): LogIndex {
    return this.end
  }

  get lastTerm(): Term {
    return this.lastRun.term
  }

  get list(): readonly TermRun[] {
    return [...this.runs]
  }

  copy(): TermRuns {
    const copy = new TermRuns({ index: 0, term: 0 })
    copy.runs = [...this.runs]
    copy.end = this.end
    return copy
  }

  /** The next entry, of this term. */
  extend(term: Term): void {
    this.end++
    if (term !== this.lastRun.term) this.runs.push({ term, firstIndex: this.end })
  }

  /** Undefined outside the log and the place before it. */
  termAt(index: LogIndex): Term | undefined {
    if (index > this.end) return undefined
    let low = 0
    let high = this.runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.runs[middle] as TermRun).firstIndex <= index) low = middle + 1
      else high = middle
    }
    return this.runs[low - 1]?.term
  }

  /** Forgets the entries from `index` on, which is behind the place before the first. */
  cutFrom(index: LogIndex): void {
    while (this.runs.length > 1 && this.lastRun.firstIndex >= index) this.runs.pop()
    this.end = Math.min(this.end, index - 1)
  }

  /** `index` becomes the place before the first entry. */
  startAt(index: LogIndex): void {
    const term = this.termAt(index)
    if (term === undefined) return
    this.runs = [{ term, firstIndex: index }, ...this.runs.filter(({ firstIndex }) => firstIndex > index)]
  }

  private get lastRun(): TermRun {
    return this.runs.at(-1) as TermRun
  }
}
