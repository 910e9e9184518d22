/**
 * Linearizable reads without a log entry (thesis §6.4). A leader's lease answers at once; else it waits until a majority has
 * answered something that it sent after the read came: then it still led when the read began.
 */

import type { LogIndex } from '../api/api.ts'
import type { CoreState, Leading, WaitingRead } from './core-state.ts'
import type { ReadIndexRequest } from './message.ts'
import { isLeaseValid, quorumRound } from './quorum.ts'

/** Reads that wait at a leader; beyond, they are refused. */
const maxWaitingReads = 100_000

export function readIndex(core: CoreState, id: number, nowMs: number): LogIndex | undefined {
  const { leading, leader } = core
  if (leading !== undefined) {
    if (core.commitIndex >= leading.termStart && isLeaseValid(core, leading, nowMs)) return core.commitIndex
    waitForRound(core, leading, { kind: 'self', id }, readableFrom(core, leading))
  } else if (leader === undefined) core.readStates.push({ id, index: undefined })
  else {
    const context = core.firstQuestion + id
    core.send({ kind: 'read-index', from: core.id, to: leader, term: core.term, context, purpose: 'read' })
  }
  return undefined
}

/** All that was committed before the leader's term lies before its first entry. */
const readableFrom = (core: CoreState, leading: Leading): LogIndex => Math.max(core.commitIndex, leading.termStart)

function waitForRound(core: CoreState, leading: Leading, asker: WaitingRead['asker'], index: LogIndex): void {
  if (leading.reads.length >= maxWaitingReads) return answer(core, { round: 0, index, asker }, undefined)
  leading.reads.push({ round: leading.round + 1, index, asker })
  leading.needsRound = true
}

export function onReadIndexRequest(core: CoreState, request: ReadIndexRequest): void {
  const { from, context, purpose } = request
  const { leading } = core
  if (leading === undefined) {
    core.send({
      kind: 'read-index-reply',
      from: core.id,
      to: from,
      term: core.term,
      context,
      purpose,
      index: undefined,
    })
    return
  }
  // A member that lost its log needs all that it may ever have said it has: committed or not.
  const index = purpose === 'recovery' ? core.log.lastIndex : readableFrom(core, leading)
  waitForRound(core, leading, { kind: 'member', from, context, purpose }, index)
}

/** Releases the reads whose round a majority has answered. */
export function confirmReads(core: CoreState, leading: Leading): void {
  const first = leading.reads[0]
  if (first === undefined) return
  const round = quorumRound(core, leading)
  if (first.round > round) return
  let count = 0
  for (const read of leading.reads) {
    if (read.round > round) break
    answer(core, read, read.index)
    count++
  }
  leading.reads.splice(0, count)
}

function answer(core: CoreState, read: WaitingRead, index: LogIndex | undefined): void {
  const { asker } = read
  if (asker.kind === 'self') {
    core.readStates.push({ id: asker.id, index })
    return
  }
  const { from, context, purpose } = asker
  core.send({ kind: 'read-index-reply', from: core.id, to: from, term: core.term, context, purpose, index })
  tellCommit(core, from)
}

/** A follower that reads would else wait for the next heartbeat to hear that the index is committed. */
function tellCommit(core: CoreState, to: string): void {
  const progress = core.leading?.progress.get(to)
  if (core.leading === undefined || progress === undefined || progress.commitSent >= core.commitIndex) return
  progress.commitSent = core.commitIndex
  core.send({
    kind: 'heartbeat',
    from: core.id,
    to,
    term: core.term,
    round: core.leading.round,
    sentMs: core.nowMs,
    commitIndex: Math.min(core.commitIndex, progress.matchIndex),
  })
}
