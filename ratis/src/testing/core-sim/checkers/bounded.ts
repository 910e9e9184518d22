import type { Term } from '../../../api/api.ts'
import { entryBytes, type NodeId } from '../../../core/entry.ts'
import type { SimPlan } from '../plan.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/** `status` walks over everything: look once in so many inputs. */
const everyInputs = 64

/** Of one leader in one term: what it wanted to send may leave when it has stepped down already. */
const pathOf = (from: NodeId, to: NodeId, term: Term): string => `${from}>${to} in term ${term}`

/** What a core holds in memory, and has under way, stays within its options. */
export function bounded(plan: SimPlan): Checker {
  const name = 'bounded'
  const { maxAppendBytes, maxInflightAppends, maxTailBytes, maxUncommittedBytes } = plan.raft
  const largestEntry = Math.max(plan.workload.payloadBytes, 7) + 2_000
  /** Appends since the last word of the follower, and its words just before: each may begin a new window. */
  const underWay = new Map<string, { appends: number; words: number }>()
  let inputs = 0
  return {
    name,
    sending({ id }, message) {
      if (message.kind !== 'append' || message.entries.length === 0) return
      const bytes = message.entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
      if (message.entries.length > 1 && bytes > maxAppendBytes) {
        throw new SimViolation(name, `${id} sends ${bytes} bytes in one append; the limit is ${maxAppendBytes}`)
      }
      const path = pathOf(id, message.to, message.term)
      const { appends, words } = underWay.get(path) ?? { appends: 0, words: 0 }
      underWay.set(path, { appends: appends + 1, words })
      if (appends > maxInflightAppends * (1 + words)) {
        throw new SimViolation(name, `${path}: ${appends + 1} appends under way; the limit is ${maxInflightAppends}`)
      }
    },
    delivered({ id }, message) {
      const path = pathOf(id, message.from, message.term)
      const { appends, words } = underWay.get(path) ?? { appends: 0, words: 0 }
      underWay.set(path, { appends: 0, words: appends > 0 ? 1 : words + 1 })
    },
    stepped({ id, core, disk }) {
      if (inputs++ % everyInputs !== 0) return
      const { tailBytes, uncommittedBytes, durableIndex, appliedIndex, lastIndex } = core.status()
      if (uncommittedBytes > maxUncommittedBytes + largestEntry) {
        const limit = `the limit is ${maxUncommittedBytes}`
        throw new SimViolation(name, `${id} has ${uncommittedBytes} bytes uncommitted; ${limit}`)
      }
      if (tailBytes <= maxTailBytes + largestEntry || disk.log.lastIndex !== lastIndex) return
      // What is not yet durable or applied cannot leave the tail; what was not even written is looked at later.
      const needed = disk.log.slice(Math.min(durableIndex, appliedIndex) + 1, lastIndex)
      const limit = maxTailBytes + largestEntry + needed.reduce((sum, entry) => sum + entryBytes(entry), 0)
      if (tailBytes > limit) {
        throw new SimViolation(name, `${id} holds ${tailBytes} bytes of entries; the limit is ${limit}`)
      }
    },
  }
}
