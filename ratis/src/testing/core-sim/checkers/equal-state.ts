import type { LogIndex } from '../../../api/api.ts'
import { SimViolation } from '../violation.ts'
import type { Checker, MemberView } from './checker.ts'

/** Members that applied as much have the same state, however they came to it. */
export function equalState(): Checker {
  const name = 'equal-state'
  const hashes = new Map<LogIndex, number>()
  const check = ({ id, machine }: MemberView): void => {
    // Before its first entry a member that starts with the group knows the group, and one that joins does not.
    if (machine.index === 0) return
    const known = hashes.get(machine.index)
    if (known === undefined) hashes.set(machine.index, machine.hash)
    else if (known !== machine.hash) throw new SimViolation(name, `${id} differs at ${machine.index}`)
  }
  return { name, applied: check, installed: check }
}

/** A request takes effect once, whoever applies it and however often its client sent it. */
export function requestOnce(): Checker {
  const name = 'request-once'
  const effects = new Map<string, LogIndex>()
  return {
    name,
    applied(_member, entry, effect) {
      if (effect === undefined || effect.isRepetition) return
      const request = `${effect.request.client}/${effect.request.number}`
      const known = effects.get(request)
      if (known === undefined) effects.set(request, entry.index)
      else if (known !== entry.index)
        throw new SimViolation(name, `${request} took effect at ${known} and ${entry.index}`)
    },
  }
}
