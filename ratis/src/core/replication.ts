/** A leader brings its log to the others (§5.3), and finds out what is committed. */

import { assert } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { encodeConfiguration, isJoint, isVoter, membersOf, type Configuration } from './configuration.ts'
import type { CoreState, Leading } from './core-state.ts'
import { entryBytes, type Entry, type ExternalData } from './entry.ts'
import type { AppendReply, HeartbeatReply, SnapshotReply } from './message.ts'
import { Progress } from './progress.ts'
import { quorumMatch } from './quorum.ts'
import { becomeFollower } from './roles.ts'
import { sendTimeoutNow } from './transfer.ts'

/** Appends to our own log; it goes to the others with the next `ready`. */
export function appendOwn(core: CoreState, leading: Leading, payload: Uint8Array, external?: ExternalData): Entry {
  const index = core.log.lastIndex + 1
  const entry: Entry =
    external === undefined ? { index, term: core.term, payload } : { index, term: core.term, payload, external }
  core.log.append(entry)
  leading.uncommittedBytes += entryBytes(entry)
  leading.hasNews = true
  return entry
}

/** A configuration counts from when it is appended: new members are sent to at once, former ones no more. */
export function appendConfiguration(core: CoreState, leading: Leading, configuration: Configuration): Entry {
  const entry = appendOwn(core, leading, encodeConfiguration(configuration))
  core.configurations.push({ index: entry.index, configuration })
  syncProgress(core, leading)
  return entry
}

export function syncProgress(core: CoreState, leading: Leading): void {
  const members = new Set(membersOf(core.configuration))
  for (const id of leading.progress.keys()) if (!members.has(id)) leading.progress.delete(id)
  for (const id of members) {
    if (id !== core.id && !leading.progress.has(id)) {
      leading.progress.set(id, new Progress(id, core.log.lastIndex + 1))
    }
  }
}

/** Everything that may be sent now. */
export function sendAppends(core: CoreState, leading: Leading): void {
  for (const progress of leading.progress.values()) sendTo(core, leading, progress, 'news')
}

/** `poke`: an append goes out even without entries, so that a lost one is found out. */
export function sendTo(core: CoreState, leading: Leading, progress: Progress, why: 'news' | 'poke'): void {
  let mustSend = why === 'poke'
  while (canSend(core, progress)) {
    const { nextIndex } = progress
    const previousTerm = core.log.termAt(nextIndex - 1)
    if (previousTerm === undefined) {
      progress.sendSnapshot()
      return requestChunk(core, progress)
    }
    const entries = entriesFor(core, progress)
    if (entries === undefined) return
    if (progress.state === 'probe') {
      progress.isProbeOut = true
      return sendAppend(core, leading, progress, entries)
    }
    if (entries.length === 0 && !mustSend) return
    sendAppend(core, leading, progress, entries)
    mustSend = false
    if (nextIndex + entries.length > core.log.lastIndex) return
  }
  // No room for entries, but a question may go: what of those under way has arrived?
  if (!mustSend || progress.state !== 'replicate' || progress.isFetching) return
  if (core.log.termAt(progress.nextIndex - 1) !== undefined) return sendAppend(core, leading, progress, [])
  // The log was cut meanwhile, past what is under way: its answers, if there are any, will tell.
  progress.probeFrom(progress.matchIndex + 1)
  sendTo(core, leading, progress, 'poke')
}

function canSend(core: CoreState, progress: Progress): boolean {
  if (progress.isFetching) return false
  if (progress.state === 'probe') return !progress.isProbeOut
  if (progress.state === 'snapshot') return false
  return progress.hasRoom(core.options.maxInflightAppends, core.options.maxInflightBytes)
}

/** Undefined: they are being fetched. A probe does not need what is not at hand: first its place must be known. */
function entriesFor(core: CoreState, progress: Progress): readonly Entry[] | undefined {
  const { nextIndex } = progress
  const { lastIndex } = core.log
  if (nextIndex > lastIndex) return []
  const { maxAppendBytes } = core.options
  const entries = core.log.slice(nextIndex, lastIndex, maxAppendBytes)
  if (entries !== undefined) return entries
  if (progress.state === 'probe') return []
  progress.isFetching = true
  core.fetches.push({
    to: progress.id,
    first: nextIndex,
    last: Math.min(core.log.tailFirst - 1, lastIndex),
    maxBytes: maxAppendBytes,
  })
  return undefined
}

function sendAppend(core: CoreState, leading: Leading, progress: Progress, entries: readonly Entry[]): void {
  const previousIndex = progress.nextIndex - 1
  const previousTerm = core.log.termAt(previousIndex)
  assert(previousTerm !== undefined, 'the place of an append is known')
  core.send({
    kind: 'append',
    from: core.id,
    to: progress.id,
    term: core.term,
    round: leading.round,
    sentMs: core.nowMs,
    previousIndex,
    previousTerm,
    entries,
    commitIndex: core.commitIndex,
  })
  progress.commitSent = core.commitIndex
  const last = entries.at(-1)
  if (last === undefined || progress.state !== 'replicate') return
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  progress.sent(last.index, bytes)
}

/** Answers a `Fetch`. What no longer fits (another leader, another place, cut away) is dropped; a heartbeat's answer goes on. */
export function sendFetched(core: CoreState, leading: Leading, progress: Progress, entries: readonly Entry[]): void {
  progress.isFetching = false
  const fits = entries.every((entry, at) => {
    return entry.index === progress.nextIndex + at && core.log.termAt(entry.index) === entry.term
  })
  const isKnown = core.log.termAt(progress.nextIndex - 1) !== undefined
  if (fits && isKnown && entries.length > 0 && canSend(core, progress)) {
    sendAppend(core, leading, progress, entries)
    if (progress.state === 'probe') progress.isProbeOut = true
  } else if (isKnown) return
  sendTo(core, leading, progress, 'news')
}

export function requestChunk(core: CoreState, progress: Progress): void {
  const { transfer } = progress
  if (transfer === undefined || transfer.waitsFor === 'read') return
  transfer.waitsFor = 'read'
  core.chunkReads.push({ to: progress.id, snapshot: transfer.name, position: transfer.position })
}

export function onAppendReply(core: CoreState, leading: Leading, progress: Progress, reply: AppendReply): void {
  const { outcome } = reply
  if (outcome.kind === 'accepted') onMatched(core, leading, progress, outcome.matchIndex)
  else if (onRejected(core, progress, outcome)) sendTo(core, leading, progress, 'poke')
}

/** The follower's log equals ours up to `matchIndex`, durably. */
export function onMatched(core: CoreState, leading: Leading, progress: Progress, matchIndex: LogIndex): void {
  assert(matchIndex <= core.log.lastIndex, `${progress.id} has entry ${matchIndex}, which was never sent`)
  const isNews = progress.accepted(matchIndex)
  // A snapshot that overlaps with an append that had been under way is not needed when the log goes on from there.
  if (progress.state === 'snapshot' && isNews && core.log.termAt(matchIndex) !== undefined)
    progress.probeFrom(matchIndex + 1)
  if (progress.state === 'probe' && matchIndex >= progress.matchIndex) progress.replicate()
  if (isNews) {
    advanceCommit(core)
    if (core.leading !== leading) return
    const { transfer } = leading
    if (transfer?.to === progress.id && !transfer.isSent && matchIndex === core.log.lastIndex) {
      sendTimeoutNow(core, leading, transfer.to)
    }
  }
  sendTo(core, leading, progress, 'news')
}

/** False for an answer that is out of date. */
function onRejected(
  core: CoreState,
  progress: Progress,
  outcome: { readonly previousIndex: LogIndex; readonly hintIndex: LogIndex; readonly hintTerm: number },
): boolean {
  const { previousIndex, hintIndex, hintTerm } = outcome
  if (progress.state === 'snapshot') return false
  // A member that lost its log may have less than a late answer of its former self said; anybody else cannot.
  if (!progress.mayVote && hintIndex < progress.matchIndex) progress.matchIndex = hintIndex
  if (previousIndex <= progress.matchIndex) return false
  if (progress.state === 'probe' && previousIndex !== progress.nextIndex - 1) return false
  // Behind what both can have: their terms up to the hint are ≤ `hintTerm`, so ours must be too.
  const possible = Math.min(core.log.lastAtMost(hintTerm, hintIndex), previousIndex - 1)
  progress.probeFrom(Math.max(possible, progress.matchIndex) + 1)
  return true
}

/** The link works: what a lost message held up goes on. */
export function onHeartbeatReply(
  core: CoreState,
  leading: Leading,
  progress: Progress,
  { verifiedIndex }: HeartbeatReply,
): void {
  progress.isProbeOut = false
  if (progress.state === 'snapshot') return resumeTransfer(core, progress)
  // A follower that restarted calls nothing committed before an append of this term has shown it that the logs are equal.
  const isBehind = Math.min(progress.matchIndex, verifiedIndex) < core.log.lastIndex
  if (isBehind || progress.state === 'probe') sendTo(core, leading, progress, 'poke')
}

/** A piece, or its answer, was lost; or it is time to try again. */
function resumeTransfer(core: CoreState, progress: Progress): void {
  const { transfer } = progress
  if (transfer === undefined || transfer.waitsFor === 'read') return
  const patienceMs = transfer.waitsFor === 'answer' ? core.options.electionTimeoutMs : 0
  if (core.nowMs >= transfer.atMs + patienceMs) requestChunk(core, progress)
}

export function onSnapshotReply(core: CoreState, leading: Leading, progress: Progress, reply: SnapshotReply): void {
  const { outcome } = reply
  if (outcome.kind === 'installed') {
    if (progress.state === 'snapshot') progress.probeFrom(outcome.matchIndex + 1)
    return onMatched(core, leading, progress, outcome.matchIndex)
  }
  const { transfer } = progress
  if (transfer === undefined || transfer.name !== reply.snapshot || transfer.waitsFor !== 'answer') return
  if (outcome.kind === 'wanted') {
    transfer.position = outcome.position
    transfer.waitsFor = 'idle'
    requestChunk(core, progress)
  } else {
    transfer.waitsFor = 'idle'
    transfer.atMs = core.nowMs + core.options.electionTimeoutMs
  }
}

/**
 * Commits what is durable on a majority. Only an entry of the own term is counted; those before it are then committed too
 * (§5.4.2: an entry of an older term on a majority can still be overwritten).
 */
export function advanceCommit(core: CoreState): void {
  const { leading } = core
  if (leading === undefined) return
  const index = quorumMatch(core, leading)
  if (index <= core.commitIndex || core.log.termAt(index) !== core.term) return
  // Uncommitted entries stay in memory.
  leading.uncommittedBytes -= core.log.bytesOf(Math.max(core.commitIndex + 1, leading.termStart), index)
  core.commitIndex = index
  finishChange(core, leading)
}

/** A joint configuration that is committed is left; a leader that is no longer a member then goes. */
export function finishChange(core: CoreState, leading: Leading): void {
  const { index, configuration } = core.configurationAt
  if (index > core.commitIndex || core.commitIndex < leading.termStart) return
  if (isJoint(configuration)) {
    appendConfiguration(core, leading, {
      voters: configuration.voters,
      outgoing: [],
      learners: [...configuration.learners, ...configuration.learnersNext],
      learnersNext: [],
      addresses: addressesOf(configuration),
    })
  } else if (!isVoter(configuration, core.id)) {
    const heir = [...leading.progress.values()]
      .filter(({ id, mayVote }) => mayVote && configuration.voters.includes(id))
      .sort((a, b) => b.matchIndex - a.matchIndex)[0]
    if (heir !== undefined) sendTimeoutNow(core, leading, heir.id)
    becomeFollower(core, core.term, undefined)
  }
}

/** Of those who stay. */
function addressesOf(configuration: Configuration): Configuration['addresses'] {
  const { voters, learners, learnersNext, addresses } = configuration
  const stay = new Set([...voters, ...learners, ...learnersNext])
  return Object.fromEntries(Object.entries(addresses).filter(([id]) => stay.has(id)))
}
