/** Both ends of a snapshot's way: pieces are asked for one by one, so that a transfer resumes where it broke off. */

import type { LogIndex, Term } from '../api/api.ts'
import type { CoreState, Leading } from './core-state.ts'
import { askForRecovery, commitTo, replyTo, verify } from './follower.ts'
import type { SnapshotChunk, SnapshotPlace, SnapshotReply } from './message.ts'
import type { Progress, SnapshotTransfer } from './progress.ts'
import { hearLeader } from './roles.ts'

export interface ReadChunk {
  readonly snapshot: string
  readonly place: { readonly index: LogIndex; readonly term: Term }
  readonly position: string
  readonly next: string | undefined
  readonly bytes: Uint8Array
  readonly checksum: number
}

/** The driver has read a piece: it goes out, if it still fits. */
export function sendChunk(core: CoreState, leading: Leading, progress: Progress, chunk: ReadChunk): void {
  const { transfer } = progress
  if (transfer === undefined || transfer.waitsFor !== 'read' || transfer.position !== chunk.position) return
  const place = placeOf(core, transfer, chunk)
  if (place === undefined) return restartTransfer(core, progress)
  transfer.name = chunk.snapshot
  transfer.place = place
  transfer.waitsFor = 'answer'
  transfer.atMs = core.nowMs
  core.send({
    kind: 'snapshot-chunk',
    from: core.id,
    to: progress.id,
    term: core.term,
    round: leading.round,
    sentMs: core.nowMs,
    ...chunk,
    place,
  })
}

/**
 * The configuration goes with the snapshot from its first piece on: the log may be cut meanwhile, and what was in force at
 * the snapshot's place forgotten. Undefined when that has happened already: then a newer snapshot is needed.
 */
function placeOf(core: CoreState, transfer: SnapshotTransfer, chunk: ReadChunk): SnapshotPlace | undefined {
  if (transfer.place !== undefined && transfer.name === chunk.snapshot) return transfer.place
  const { index } = chunk.place
  const isKnown = index >= (core.configurations[0]?.index ?? 0)
  return isKnown ? { ...chunk.place, configuration: core.configurationOf(index) } : undefined
}

/** It could not be read: a new snapshot from the beginning, after a while. */
export function restartTransfer(core: CoreState, progress: Progress): void {
  const { transfer } = progress
  if (transfer === undefined) return
  transfer.name = undefined
  transfer.place = undefined
  transfer.position = ''
  transfer.waitsFor = 'idle'
  transfer.atMs = core.nowMs + core.options.electionTimeoutMs
}

export function onSnapshotChunk(core: CoreState, chunk: SnapshotChunk): void {
  hearLeader(core, chunk.from)
  askForRecovery(core)
  if (core.isInstalling) return
  if (isNeeded(core, chunk)) {
    // One at a time: a repeated piece is the driver's already.
    if (core.receiving !== undefined && core.receiving.snapshot === chunk.snapshot) return
    core.receiving = chunk
    core.chunks.push(chunk)
  } else replyToChunk(core, chunk, { kind: 'installed', matchIndex: core.verifiedIndex })
}

/**
 * False, and so much verified, when our log has what the snapshot stands for. Then it must not be put in place: entries behind
 * it that we said we have would be gone.
 */
function isNeeded(core: CoreState, { place }: SnapshotChunk): boolean {
  const isOlder = place.index <= core.commitIndex
  if (!isOlder && core.log.termAt(place.index) !== place.term) return true
  verify(core, isOlder ? core.commitIndex : place.index)
  commitTo(core, place.index)
  return false
}

export function chunkStored(core: CoreState, chunk: SnapshotChunk, wanted: string): void {
  core.receiving = undefined
  replyToChunk(core, chunk, { kind: 'wanted', position: wanted })
}

export function chunkRefused(core: CoreState, chunk: SnapshotChunk): void {
  core.receiving = undefined
  replyToChunk(core, chunk, { kind: 'refused' })
}

/** Whether it is put in place of everything that is here. */
export function snapshotStored(core: CoreState, chunk: SnapshotChunk): boolean {
  core.receiving = undefined
  const isCurrent = chunk.term === core.term && core.role === 'follower'
  if (!isCurrent || core.isInstalling) return false
  if (!isNeeded(core, chunk)) {
    replyToChunk(core, chunk, { kind: 'installed', matchIndex: core.verifiedIndex })
    return false
  }
  install(core, chunk)
  return true
}

function install(core: CoreState, chunk: SnapshotChunk): void {
  const { place } = chunk
  core.install = place
  core.truncateFrom = undefined
  core.persists.cut(0)
  core.log.reset(place.index, place.term)
  core.persistHanded = place.index
  core.configurations = [{ index: place.index, configuration: place.configuration }]
  core.commitIndex = place.index
  core.appliedIndex = place.index
  core.applyHanded = place.index
  verify(core, place.index)
  core.sendWhenDurable(snapshotReply(core, chunk, { kind: 'installed', matchIndex: place.index }))
}

function replyToChunk(core: CoreState, chunk: SnapshotChunk, outcome: SnapshotReply['outcome']): void {
  // The leader has changed: nobody waits for the answer.
  if (chunk.term !== core.term) return
  const isDurable = outcome.kind !== 'installed' || outcome.matchIndex <= core.persists.durable
  const reply = snapshotReply(core, chunk, outcome)
  if (isDurable) core.send(reply)
  else core.sendWhenDurable(reply)
}

function snapshotReply(core: CoreState, chunk: SnapshotChunk, outcome: SnapshotReply['outcome']): SnapshotReply {
  return { ...replyTo(core, chunk), kind: 'snapshot-reply', snapshot: chunk.snapshot, outcome }
}
