/** How things look in a transcript. An entry is `index@term`, then what it carries. */

import { decodeConfiguration, type Configuration } from '../../../src/core/configuration.ts'
import { questionSpan } from '../../../src/core/core-state.ts'
import { entryKind, type Entry } from '../../../src/core/entry.ts'
import type { Message } from '../../../src/core/message.ts'
import type { RoleChange } from '../../../src/core/ready.ts'

export function showRole({ role, term, leader }: RoleChange): string {
  const of = role === 'follower' && leader !== undefined ? ` of ${leader}` : ''
  return `is ${role}${of}, term ${term}`
}

export function showPayload(payload: Uint8Array): string {
  switch (entryKind(payload)) {
    case 'blank':
      return ''
    case 'configuration':
      return `(${showConfiguration(decodeConfiguration(payload))})`
    case 'command':
      return `"${Buffer.from(payload).toString('latin1')}"`
  }
}

export function showConfiguration(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext } = configuration
  const parts = [voters.join(' ')]
  if (outgoing.length > 0) parts.push(`with ${outgoing.join(' ')}`)
  if (learners.length > 0) parts.push(`learners ${learners.join(' ')}`)
  if (learnersNext.length > 0) parts.push(`then learners ${learnersNext.join(' ')}`)
  return parts.join(', ')
}

const showEntries = (entries: readonly Entry[]): string =>
  entries.length === 0
    ? 'nothing'
    : entries.map(({ index, term, payload }) => `${index}@${term}${showPayload(payload)}`).join(' ')

/** Without what tells it from those of former selves. */
const questionOf = ({ context }: { readonly context: number }): number => context % questionSpan

export function showMessage(message: Message): string {
  return `→ ${message.to}: ${showKind(message)} [${message.term}]`
}

function showKind(message: Message): string {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      return `${message.kind}? log ends ${message.lastIndex}@${message.lastTerm}${message.isTransfer ? ', asked to' : ''}`
    case 'vote-reply':
    case 'pre-vote-reply':
      return `${message.kind.replace('-reply', '')} ${message.isGranted ? 'yes' : 'no'}`
    case 'append': {
      const { previousIndex, previousTerm, entries, commitIndex } = message
      return `append after ${previousIndex}@${previousTerm}: ${showEntries(entries)}, committed ${commitIndex}`
    }
    case 'append-reply': {
      const { outcome, mayVote } = message
      const lost = mayVote ? '' : ', may not vote'
      if (outcome.kind === 'accepted') return `has ${outcome.matchIndex}${lost}`
      return `not after ${outcome.previousIndex}, perhaps ${outcome.hintIndex}@${outcome.hintTerm}${lost}`
    }
    case 'heartbeat':
      return `heartbeat ${message.round}, committed ${message.commitIndex}`
    case 'heartbeat-reply':
      return `heard ${message.round}${message.mayVote ? '' : ', may not vote'}`
    case 'read-index':
      return message.purpose === 'read' ? `read ${questionOf(message)}?` : 'how far to make good?'
    case 'read-index-reply': {
      const what = message.purpose === 'read' ? `read ${questionOf(message)}` : 'make good'
      return `${what} ${message.index === undefined ? 'refused' : `from ${message.index}`}`
    }
    case 'timeout-now':
      return 'campaign now'
    case 'snapshot-chunk':
      return `snapshot ${message.snapshot} ${message.next === undefined ? 'second' : 'first'} half`
    case 'snapshot-reply': {
      const { outcome } = message
      if (outcome.kind === 'wanted') return `wants ${message.snapshot} from ${outcome.position || 'the start'}`
      return outcome.kind === 'installed' ? `has ${outcome.matchIndex}, by snapshot` : 'cannot take a snapshot now'
    }
  }
}
