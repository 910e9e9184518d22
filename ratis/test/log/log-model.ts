import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { LogEntry } from '../../src/log/segmented-log.ts'

/** One change of a log that happens whole or not at all. */
type Change =
  | { readonly kind: 'append'; readonly entry: LogEntry }
  | { readonly kind: 'cut'; readonly index: number }
  | { readonly kind: 'reset'; readonly index: number; readonly term: number }

/** A log as its reader sees it, from its first entry on. */
export interface LogContent {
  readonly before: { readonly index: number; readonly term: number | undefined }
  readonly entries: readonly LogEntry[]
}

/**
 * What a log may hold after its machine went down: what the changes up to some point make of it, in the order in which they
 * were asked for, and no fewer than those that were acknowledged.
 */
export class LogModel {
  /** What was there when the log was last opened. */
  private base: LogContent = { before: { index: 0, term: 0 }, entries: [] }
  private changes: Change[] = []
  private acknowledged = 0

  /** Returns what acknowledges it, and all before it. */
  append(entries: readonly LogEntry[]): () => void {
    return this.ask(entries.map((entry) => ({ kind: 'append', entry })))
  }

  cut(index: number): () => void {
    return this.ask([{ kind: 'cut', index }])
  }

  reset(index: number, term: number): () => void {
    return this.ask([{ kind: 'reset', index, term }])
  }

  /** The highest index that it must hold, unless something that it had made durable was damaged. */
  get promisedIndex(): number {
    const state = this.changes.slice(0, this.acknowledged).reduce(applied, this.base)
    return state.before.index + state.entries.length
  }

  /** The log was opened and holds this, and from now on has to. Fewer old entries are for the caller to judge. */
  found(content: LogContent): void {
    const seen = describeContent(content)
    const allowed = this.allowed().map((state) => describeContent(from(state, content.before.index)))
    if (!allowed.includes(seen)) expect(seen).toBe([...new Set(allowed)].join('\nor\n'))
    this.settle(content)
  }

  /** Whether it may hold this, damaged or not. */
  allows(content: LogContent): boolean {
    const seen = describeContent(content)
    return this.allowed().some((state) => describeContent(from(state, content.before.index)) === seen)
  }

  /** The log was damaged, and holds no more than the beginning of what it might; also entries that it had compacted away. */
  foundDamaged(content: LogContent): void {
    const isBeginning = this.allowed().some(({ before, entries }) =>
      content.entries.every((entry) => {
        const same = entries[entry.index - before.index - 1]
        return entry.index <= before.index || (same !== undefined && describeEntry(same) === describeEntry(entry))
      }),
    )
    expect([isBeginning, describeContent(content)]).toEqual([true, describeContent(content)])
    this.settle(content)
  }

  private settle(content: LogContent): void {
    this.base = content
    this.changes = []
    this.acknowledged = 0
  }

  private allowed(): readonly LogContent[] {
    const states = [this.base]
    for (const change of this.changes) states.push(applied(states.at(-1) as LogContent, change))
    return states.slice(this.acknowledged)
  }

  private ask(changes: readonly Change[]): () => void {
    const { base } = this
    this.changes.push(...changes)
    const count = this.changes.length
    return () => {
      if (this.base === base) this.acknowledged = Math.max(this.acknowledged, count)
    }
  }
}

function applied({ before, entries }: LogContent, change: Change): LogContent {
  if (change.kind === 'append') return { before, entries: [...entries, change.entry] }
  if (change.kind === 'cut') return { before, entries: entries.filter(({ index }) => index < change.index) }
  return { before: { index: change.index, term: change.term }, entries: [] }
}

/** Without the entries up to `index`, as when they were compacted away; itself when the log does not hold that place. */
function from(content: LogContent, index: number): LogContent {
  const { before, entries } = content
  const last = entries[index - before.index - 1]
  if (last === undefined) return content
  return { before: { index, term: last.term }, entries: entries.slice(index - before.index) }
}

/** Short: a difference between long strings takes seconds to print. */
function describeContent({ before, entries }: LogContent): string {
  return [`behind ${before.index} of term ${before.term}`, ...entries.map(describeEntry)].join(', ')
}

function describeEntry({ index, term, payload }: LogEntry): string {
  return `${index}: term ${term}, ${payload.length} ${createHash('sha1').update(payload).digest('hex').slice(0, 12)}`
}
