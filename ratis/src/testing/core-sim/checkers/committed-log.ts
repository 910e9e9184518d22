import type { LogIndex, Term } from '../../../api/api.ts'
import { quorumValue } from '../../../core/configuration.ts'
import type { Entry, NodeId } from '../../../core/entry.ts'
import type { MemberDisk } from '../member-disk.ts'
import { SimViolation } from '../violation.ts'
import type { Checker, MemberView } from './checker.ts'
import { equalBytes } from './log-matching.ts'

interface Committed {
  readonly entry: Entry
  /** The term of the leader that committed it. */
  readonly inTerm: Term
}

/** What the simulator knows to be committed. */
export class CommittedLog {
  /** Where the log begins: the birth snapshot. */
  readonly #birthIndex: LogIndex
  readonly #entries: Committed[] = []

  constructor(birthIndex: LogIndex) {
    this.#birthIndex = birthIndex
  }

  get lastIndex(): LogIndex {
    return this.#birthIndex + this.#entries.length
  }

  get firstIndex(): LogIndex {
    return this.#birthIndex + 1
  }

  at(index: LogIndex): Committed | undefined {
    return this.#entries[index - this.#birthIndex - 1]
  }

  add(committed: Committed): void {
    this.#entries.push(committed)
  }
}

/**
 * When an entry is first seen to be committed it is of the committing leader's term or before one that is, and **it is durable
 * on a majority of the voters** (of both sets, while there are two). This is the audit of every acknowledgement: a client
 * hears of an entry only after it was committed. A disk that was lost meanwhile counts with what it had: whether that is
 * too much to lose is the fault atlas's business.
 */
export function durableCommit(committed: CommittedLog, disks: ReadonlyMap<NodeId, MemberDisk>): Checker {
  const name = 'durable-commit'

  function audit(member: MemberView, entry: Entry): void {
    const { index, term } = entry
    const holds = (id: NodeId): number => {
      const disk = disks.get(id)
      return disk !== undefined && (disk.holds(index, term) || disk.beforeLoss?.termOf(index) === term) ? 1 : 0
    }
    if (quorumValue(member.core.configuration, holds) === 1) return
    const holders = [...disks.keys()].filter((id) => holds(id) === 1)
    throw new SimViolation(name, `${index}/${term} is committed by ${member.id}, durable on ${holders.join(' ')} only`)
  }

  return {
    name,
    stepped(member) {
      const { core, disk, id } = member
      if (core.commitIndex <= committed.lastIndex) return
      const newest = disk.log.at(core.commitIndex)
      if (core.role === 'leader' && newest !== undefined && newest.term !== core.term) {
        throw new SimViolation(
          name,
          `${id} commits ${newest.index}/${newest.term} in term ${core.term}, by counting alone`,
        )
      }
      for (let index = committed.lastIndex + 1; index <= core.commitIndex; index++) {
        const entry = disk.log.at(index)
        if (entry === undefined) throw new SimViolation(name, `${id} committed ${index}, which it does not have`)
        audit(member, entry)
        committed.add({ entry, inTerm: core.term })
      }
    },
  }
}

/** Leader completeness (Raft, figure 3): what was committed in a term is in the log of every leader of a later one. */
export function leaderCompleteness(committed: CommittedLog): Checker {
  const name = 'leader-completeness'
  return {
    name,
    roleChanged({ id, disk }, { role, term }) {
      if (role !== 'leader') return
      for (let index = Math.max(committed.firstIndex, disk.log.firstIndex - 1); index <= committed.lastIndex; index++) {
        const known = committed.at(index)
        if (known === undefined || known.inTerm >= term) return
        const has = disk.log.termOf(index)
        if (has !== known.entry.term) {
          const lacks = `committed ${index}/${known.entry.term} (in term ${known.inTerm}), has ${has ?? 'nothing'} there`
          throw new SimViolation(name, `${id} leads term ${term} without ${lacks}`)
        }
      }
    },
  }
}

/** State machine safety: everybody applies the same entries, in order, each once, and only those committed and durable here. */
export function appliedPrefix(committed: CommittedLog): Checker {
  const name = 'applied-prefix'
  const places = new Map<NodeId, { incarnation: number; index: LogIndex }>()
  return {
    name,
    applied({ id, incarnation, core, disk }, entry) {
      if (disk.durableLog.lastIndex < entry.index) {
        throw new SimViolation(name, `${id} applies ${entry.index}; durable is ${disk.durableLog.lastIndex}`)
      }
      const place = places.get(id)
      if (place?.incarnation === incarnation && entry.index !== place.index + 1) {
        throw new SimViolation(name, `${id} applies ${entry.index} after ${place.index}`)
      }
      places.set(id, { incarnation, index: entry.index })
      const known = committed.at(entry.index)
      if (known === undefined) {
        if (entry.index < committed.firstIndex) return
        throw new SimViolation(name, `${id} applies ${entry.index}, committed up to ${core.commitIndex}`)
      }
      if (known.entry.term !== entry.term || !equalBytes(known.entry.payload, entry.payload)) {
        const is = `${entry.index}/${entry.term}`
        throw new SimViolation(name, `${id} applies ${is}, committed was ${known.entry.index}/${known.entry.term}`)
      }
    },
    installed({ id, incarnation, machine }) {
      places.set(id, { incarnation, index: machine.index })
    },
  }
}

/** A member's commit index never shrinks and is never beyond its log. */
export function commitGrows(): Checker {
  const name = 'commit-grows'
  const seen = new Map<NodeId, { readonly incarnation: number; readonly index: LogIndex }>()
  return {
    name,
    stepped({ id, incarnation, core }) {
      const { commitIndex, lastIndex } = core
      if (commitIndex > lastIndex)
        throw new SimViolation(name, `${id} committed ${commitIndex} of ${lastIndex} entries`)
      const before = seen.get(id)
      if (before?.incarnation === incarnation) {
        if (commitIndex === before.index) return
        if (commitIndex < before.index)
          throw new SimViolation(name, `${id}: from ${before.index} back to ${commitIndex}`)
      }
      seen.set(id, { incarnation, index: commitIndex })
    },
  }
}
