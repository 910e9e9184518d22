import type { Message } from '../../core/message.ts'

/** For a trace: who to whom, what, and the numbers that matter. */
export function messageText(message: Message): string {
  return `${message.from}>${message.to} ${message.kind} t${message.term} ${factsOf(message)}`.trimEnd()
}

function factsOf(message: Message): string {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      return `last ${message.lastIndex}/${message.lastTerm}${message.isTransfer ? ' transfer' : ''}`
    case 'vote-reply':
    case 'pre-vote-reply':
      return message.isGranted ? 'yes' : 'no'
    case 'append': {
      const { previousIndex, previousTerm, entries, commitIndex } = message
      return `${previousIndex}/${previousTerm} +${entries.length} c${commitIndex} r${message.round}`
    }
    case 'append-reply':
      return message.outcome.kind === 'accepted'
        ? `ok ${message.outcome.matchIndex}${message.mayVote ? '' : ' blank'}`
        : `no ${message.outcome.previousIndex} hint ${message.outcome.hintIndex}/${message.outcome.hintTerm}`
    case 'heartbeat':
      return `c${message.commitIndex} r${message.round}`
    case 'heartbeat-reply':
      return `r${message.round}${message.mayVote ? '' : ' blank'}`
    case 'read-index':
      return `${message.purpose} ${message.context}`
    case 'read-index-reply':
      return `${message.purpose} ${message.context} = ${message.index ?? 'refused'}`
    case 'timeout-now':
      return ''
    case 'snapshot-chunk':
      return `${message.snapshot} ${message.place.index}/${message.place.term} ${message.position}→${message.next ?? 'end'}`
    case 'snapshot-reply':
      return message.outcome.kind === 'installed'
        ? `${message.snapshot} installed ${message.outcome.matchIndex}`
        : `${message.snapshot} ${message.outcome.kind}`
  }
}
