import { isJoint, membersOf, type Configuration } from '../core/configuration.ts'
import type { NodeId } from '../core/entry.ts'
import type { MembershipChange } from '../core/raft.ts'

/**
 * The next step towards the members that are wanted in the end: who shall vote and is no member yet first learns. The core
 * does the rest of each step (joint consensus) by itself.
 */
export function nextStep(current: Configuration, wanted: MembershipChange): MembershipChange {
  const members = new Set(membersOf(current))
  const strangers = wanted.voters.filter((id) => !members.has(id))
  if (strangers.length === 0) return wanted
  return {
    voters: current.voters,
    learners: [...current.learners, ...strangers],
    addresses: { ...current.addresses, ...addressesOf(strangers, wanted.addresses) },
  }
}

export function isReached(current: Configuration, wanted: MembershipChange): boolean {
  if (isJoint(current)) return false
  const ids = [...wanted.voters, ...wanted.learners]
  return (
    isSameSet(current.voters, wanted.voters) &&
    isSameSet(current.learners, wanted.learners) &&
    ids.every((id) => current.addresses[id] === wanted.addresses[id])
  )
}

function isSameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id))
}

function addressesOf(ids: readonly NodeId[], addresses: MembershipChange['addresses']): MembershipChange['addresses'] {
  const known = Object.entries(addresses).filter(([id]) => ids.includes(id))
  return Object.fromEntries(known)
}
