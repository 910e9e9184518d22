import type { Term } from '../../../api/api.ts'
import type { Entry } from '../../../core/entry.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/**
 * Log matching (Raft, figure 3): entries of equal index and term are equal, and so are all before them. That holds for two
 * logs when every pair (index, term) has one payload and one predecessor, wherever it is durable or sent. (What is only written
 * may be forgotten with its term: the only voter of a group leads before its vote is durable.)
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

  function checkAll(id: string, entries: readonly Entry[], previousTerm: Term): void {
    let before = previousTerm
    for (const entry of entries) {
      check(entry, before, id)
      before = entry.term
    }
  }

  return {
    name,
    durable({ id, disk }, { entries }) {
      const [first] = entries
      if (first === undefined) return
      const previousTerm = disk.durableLog.termOf(first.index - 1)
      if (previousTerm === undefined) throw new SimViolation(name, `${id}: nothing comes before ${first.index}`)
      checkAll(id, entries, previousTerm)
    },
    sending({ id }, message) {
      if (message.kind === 'append') checkAll(id, message.entries, message.previousTerm)
    },
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, index) => byte === b[index]))
}
