import type { LogIndex, Term } from '../../../api/api.ts'
import type { Message } from '../../../core/message.ts'
import type { NodeId } from '../../../core/entry.ts'
import { SimViolation } from '../violation.ts'
import type { Checker, MemberView } from './checker.ts'

/** The prospective term of a pre-vote is not the sender's. */
const saysOwnTerm = (message: Message): boolean =>
  message.kind !== 'pre-vote' && !(message.kind === 'pre-vote-reply' && message.isGranted)

/**
 * Nothing leaves a member that it could forget: not a term, not a vote, not an entry that it says it has. And what it says it
 * has is what the leader of that term has.
 */
export function syncBeforeSend(leaderOf: (term: Term) => MemberView | undefined): Checker {
  const name = 'sync-before-send'
  /** Whom a member said it voted for, by member and term. */
  const ballots = new Map<string, NodeId>()

  function voted(member: MemberView, message: Message, candidate: NodeId): void {
    const { id, disk } = member
    const ballot = `${id}/${message.term}`
    const known = ballots.get(ballot)
    if (known !== undefined && known !== candidate) {
      throw new SimViolation(name, `${id} votes for ${known} and ${candidate} in term ${message.term}`)
    }
    ballots.set(ballot, candidate)
    // A later durable term forbids a second vote as well as the vote itself would.
    if (disk.votes.get(message.term) === candidate || disk.hardState.term > message.term) return
    throw new SimViolation(name, `${id} says it voted for ${candidate} in ${message.term}; that is not durable`)
  }

  function has(member: MemberView, message: Message, index: LogIndex): void {
    const { id, disk } = member
    // A later term may have taken entries back since; this reply then comes as late as one on a slow path.
    if (disk.hardState.term !== message.term) return
    if (disk.durableLog.lastIndex < index) {
      throw new SimViolation(name, `${id} says it has ${index}; durable is ${disk.durableLog.lastIndex}`)
    }
    const leader = leaderOf(message.term)
    const theirs = leader?.disk.log.termOf(index)
    const ours = disk.durableLog.termOf(index)
    if (theirs !== undefined && ours !== undefined && theirs !== ours) {
      throw new SimViolation(name, `${id} says it has ${index} of leader ${leader?.id ?? ''}: /${ours}, not /${theirs}`)
    }
  }

  return {
    name,
    sending(member, message) {
      const { id, disk } = member
      if (saysOwnTerm(message) && message.term > disk.hardState.term) {
        throw new SimViolation(
          name,
          `${id} sends ${message.kind} of term ${message.term}; durable is ${disk.hardState.term}`,
        )
      }
      if (message.kind === 'vote') voted(member, message, id)
      if (message.kind === 'vote-reply' && message.isGranted) voted(member, message, message.to)
      if (message.kind === 'append-reply' && message.outcome.kind === 'accepted') {
        has(member, message, message.outcome.matchIndex)
      }
      if (message.kind === 'snapshot-reply' && message.outcome.kind === 'installed') {
        has(member, message, message.outcome.matchIndex)
      }
    },
  }
}
