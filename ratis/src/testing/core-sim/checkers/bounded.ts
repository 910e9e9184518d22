import { entryBytes } from '../../../core/entry.ts'
import type { SimPlan } from '../plan.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/** `status` walks over everything: look once in so many inputs. */
const everyInputs = 64

/** What a core holds in memory, and has under way, stays within its options. */
export function bounded(plan: SimPlan): Checker {
  const name = 'bounded'
  const { maxAppendBytes, maxInflightAppends, maxTailBytes, maxUncommittedBytes } = plan.raft
  const largestEntry = Math.max(plan.workload.payloadBytes, 7) + 2_000
  const unanswered = new Map<string, number>()
  let inputs = 0
  return {
    name,
    sending({ id }, message) {
      if (message.kind !== 'append' || message.entries.length === 0) return
      const bytes = message.entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
      if (message.entries.length > 1 && bytes > maxAppendBytes) {
        throw new SimViolation(name, `${id} sends ${bytes} bytes in one append; the limit is ${maxAppendBytes}`)
      }
      const path = `${id}>${message.to}`
      const count = (unanswered.get(path) ?? 0) + 1
      unanswered.set(path, count)
      if (count > maxInflightAppends + 1) {
        throw new SimViolation(name, `${path}: ${count} appends under way; the limit is ${maxInflightAppends}`)
      }
    },
    delivered({ id }, message) {
      unanswered.delete(`${id}>${message.from}`)
    },
    roleChanged({ id }) {
      for (const path of unanswered.keys()) if (path.startsWith(`${id}>`)) unanswered.delete(path)
    },
    stepped({ id, core }) {
      if (inputs++ % everyInputs !== 0) return
      const { tailBytes, uncommittedBytes } = core.status()
      if (uncommittedBytes > maxUncommittedBytes + largestEntry) {
        throw new SimViolation(
          name,
          `${id} has ${uncommittedBytes} bytes uncommitted; the limit is ${maxUncommittedBytes}`,
        )
      }
      // What is not yet durable or applied cannot leave the tail; those are bounded by what is uncommitted or under way.
      const limit = maxTailBytes + 2 * maxUncommittedBytes + plan.raft.maxInflightBytes + maxAppendBytes + largestEntry
      if (tailBytes > limit)
        throw new SimViolation(name, `${id} holds ${tailBytes} bytes of entries; the limit is ${limit}`)
    },
  }
}
