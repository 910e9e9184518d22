import { assert } from '@o3/common/errors'
import type { LogIndex, Term } from '../../api/api.ts'
import type { Configuration } from '../../core/configuration.ts'
import { decodeConfiguration } from '../../core/configuration.ts'
import { entryKind, type Entry } from '../../core/entry.ts'

/** A log as a list. `previousTerm` is that of the entry before the first. */
export class MemberLog {
  #firstIndex: LogIndex
  #previousTerm: Term
  #entries: Entry[]

  constructor(firstIndex: LogIndex, previousTerm: Term, entries: readonly Entry[] = []) {
    this.#firstIndex = firstIndex
    this.#previousTerm = previousTerm
    this.#entries = [...entries]
  }

  get firstIndex(): LogIndex {
    return this.#firstIndex
  }

  get lastIndex(): LogIndex {
    return this.#firstIndex + this.#entries.length - 1
  }

  get lastTerm(): Term {
    return this.termOf(this.lastIndex) ?? 0
  }

  copy(): MemberLog {
    return new MemberLog(this.#firstIndex, this.#previousTerm, this.#entries)
  }

  at(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#firstIndex]
  }

  termOf(index: LogIndex): Term | undefined {
    return index === this.#firstIndex - 1 ? this.#previousTerm : this.at(index)?.term
  }

  slice(first: LogIndex, last: LogIndex): readonly Entry[] {
    return this.#entries.slice(Math.max(0, first - this.#firstIndex), Math.max(0, last - this.#firstIndex + 1))
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, `entry ${entry.index} does not follow ${this.lastIndex}`)
    this.#entries.push(entry)
  }

  /** What a log must not do: writes over what is there, and leaves the rest. */
  put(entry: Entry): void {
    this.#entries[entry.index - this.#firstIndex] = entry
  }

  truncateFrom(index: LogIndex): void {
    assert(index >= this.#firstIndex, `the log begins at ${this.#firstIndex}: it cannot be cut from ${index} on`)
    this.#entries.length = Math.min(this.#entries.length, index - this.#firstIndex)
  }

  /** Forgets everything, and begins behind `index`. */
  reset(index: LogIndex, term: Term): void {
    this.#firstIndex = index + 1
    this.#previousTerm = term
    this.#entries = []
  }

  cutTo(firstIndex: LogIndex): void {
    if (firstIndex <= this.#firstIndex) return
    assert(firstIndex <= this.lastIndex + 1, 'a log is not cut beyond its end')
    this.#previousTerm = this.termOf(firstIndex - 1) ?? 0
    this.#entries = this.#entries.slice(firstIndex - this.#firstIndex)
    this.#firstIndex = firstIndex
  }

  termRuns(): readonly { readonly term: Term; readonly firstIndex: LogIndex }[] {
    const runs: { term: Term; firstIndex: LogIndex }[] = []
    const add = (term: Term, firstIndex: LogIndex): void => {
      if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex })
    }
    if (this.#firstIndex > 1) add(this.#previousTerm, this.#firstIndex - 1)
    for (const { term, index } of this.#entries) add(term, index)
    return runs
  }

  configurationsAfter(index: LogIndex): readonly { readonly index: LogIndex; readonly configuration: Configuration }[] {
    return this.#entries
      .filter((entry) => entry.index > index && entryKind(entry.payload) === 'configuration')
      .map((entry) => ({ index: entry.index, configuration: decodeConfiguration(entry.payload) }))
  }
}
