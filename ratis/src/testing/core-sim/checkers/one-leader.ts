import type { Term } from '../../../api/api.ts'
import type { NodeId } from '../../../core/entry.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/** Election safety (Raft, figure 3): at most one leader in a term. Also: whom a follower takes for it. */
export function oneLeader(): Checker {
  const name = 'one-leader'
  const leaders = new Map<Term, NodeId>()
  return {
    name,
    roleChanged({ id }, { role, term, leader }) {
      const claimed = role === 'leader' ? id : leader
      if (claimed === undefined) return
      const known = leaders.get(term)
      if (known === undefined) leaders.set(term, claimed)
      else if (known !== claimed)
        throw new SimViolation(name, `term ${term} is led by ${known} and, says ${id}, by ${claimed}`)
    },
  }
}
