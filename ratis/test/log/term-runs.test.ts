import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TermRuns } from '../../src/log/term-runs.ts'

/** The same with an array of every entry's term. */
class PlainTerms {
  private before: number
  private terms: number[]

  constructor(index: number, term: number) {
    this.before = index
    this.terms = [term]
  }

  get lastIndex(): number {
    return this.before + this.terms.length - 1
  }

  extend(term: number): void {
    this.terms.push(term)
  }

  cutFrom(index: number): void {
    this.terms = this.terms.slice(0, Math.max(1, index - this.before))
  }

  startAt(index: number): void {
    if (index < this.before || index > this.lastIndex) return
    this.terms = this.terms.slice(index - this.before)
    this.before = index
  }

  termAt(index: number): number | undefined {
    return this.terms[index - this.before]
  }
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('extend' as const), by: fc.constantFrom(0, 0, 0, 1, 3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'start' as const), by: fc.nat(12) }) },
)

test('the terms of a log that grows and is cut at both ends', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.nat(3), fc.array(step, { maxLength: 40 }), (index, term, steps) => {
      const runs = new TermRuns({ index, term })
      const plain = new PlainTerms(index, term)
      for (const { kind, by } of steps) {
        const next = runs.lastTerm + by
        const cut = Math.max(index + 1, runs.lastIndex - by)
        if (kind === 'extend') for (const each of [runs, plain]) each.extend(next)
        if (kind === 'cut') for (const each of [runs, plain]) each.cutFrom(cut)
        if (kind === 'start') {
          index = Math.max(index, runs.lastIndex - by)
          for (const each of [runs, plain]) each.startAt(index)
        }
        expect(runs.lastIndex).toBe(plain.lastIndex)
        for (let at = 0; at <= runs.lastIndex + 2; at++) expect([at, runs.termAt(at)]).toEqual([at, plain.termAt(at)])
        expect(runs.list[0]).toEqual({ firstIndex: index, term: plain.termAt(index) })
        expect(new Set(runs.list.map((run) => run.term)).size).toBe(runs.list.length)
      }
    }),
  )
})

test('a copy goes its own way', () => {
  const runs = new TermRuns({ index: 3, term: 1 })
  const copy = runs.copy()
  runs.extend(2)
  expect([runs.termAt(4), copy.termAt(4), copy.termAt(3)]).toEqual([2, undefined, 1])
})
