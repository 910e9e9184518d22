import type { LogIndex } from '../../../api/api.ts'
import { SimViolation } from '../violation.ts'
import type { Checker } from './checker.ts'

/**
 * A read shows everything that anybody was told of before it began: writes that were acknowledged, and what earlier reads
 * showed. Reads by lease included.
 */
export function linearReads(): Checker {
  const name = 'linear-reads'
  let told: LogIndex = 0
  const floors = new Map<number, LogIndex>()
  return {
    name,
    readBegan(id) {
      floors.set(id, told)
    },
    readServed({ id, readIndex, appliedIndex }) {
      const floor = floors.get(id) ?? 0
      floors.delete(id)
      if (readIndex < floor)
        throw new SimViolation(name, `read ${id} may be of ${readIndex}; ${floor} was known before it`)
      if (appliedIndex < readIndex)
        throw new SimViolation(name, `read ${id} shows ${appliedIndex}, not yet ${readIndex}`)
      told = Math.max(told, appliedIndex)
    },
    acknowledged({ index }) {
      told = Math.max(told, index)
    },
  }
}
