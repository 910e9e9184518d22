import type { Term } from '../../../api/api.ts'
import type { Entry } from '../../../core/entry.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/**
 * Log matching (Raft, figure 3): entries of equal index and term are equal, and so are all before them. That holds for two
 * logs when every pair (index, term) has, wherever it is written, one payload and one predecessor.
 */
export function logMatching(): Checker {
  const name = 'log-matching'
  const known = new Map<number, Map<Term, { readonly payload: Uint8Array; readonly previousTerm: Term }>>()

  function check(entry: Entry, previousTerm: Term, id: string): void {
    const { index, term, payload } = entry
    if (previousTerm > term)
      throw new SimViolation(name, `${id}: terms go back from ${previousTerm} to ${term} at ${index}`)
    let terms = known.get(index)
    if (terms === undefined) known.set(index, (terms = new Map()))
    const first = terms.get(term)
    if (first === undefined) terms.set(term, { payload, previousTerm })
    else if (first.previousTerm !== previousTerm) {
      throw new SimViolation(name, `${id}: ${index}/${term} follows ${previousTerm}, elsewhere ${first.previousTerm}`)
    } else if (!equalBytes(first.payload, payload)) {
      throw new SimViolation(name, `${id}: ${index}/${term} differs between members`)
    }
  }

  return {
    name,
    written({ id, disk }, { entries }) {
      let previousTerm = entries[0] === undefined ? 0 : disk.log.termOf(entries[0].index - 1)
      for (const entry of entries) {
        if (previousTerm === undefined) throw new SimViolation(name, `${id}: nothing comes before ${entry.index}`)
        check(entry, previousTerm, id)
        previousTerm = entry.term
      }
    },
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, index) => byte === b[index]))
}
