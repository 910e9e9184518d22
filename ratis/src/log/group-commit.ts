/**
 * Group commit: one write and one sync are in flight; everything that arrives meanwhile shares the next.
 *
 * A batch is one contiguous write of whole blocks, so it never touches a block that holds durable records. Cuts at the end
 * of the log and resets wait in the same queue: what was appended before is written first, what comes later waits.
 */

import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { synced } from './damage.ts'
import type { HardStateFile } from './hard-state.ts'
import { alignToBlock, recordBytes, writeRecord, type LogEntry } from './record.ts'
import type { OpenSegment, Place, SegmentRoll } from './segment-roll.ts'
import { TermRuns } from './term-runs.ts'

/**
 * Called once for every append, in the order of the appends: without an error when its entries are durable. With
 * `OutOfSpace`, nothing of it is or will ever be in the log; with `OutcomeUnknown`, a restart will tell. When one append
 * is refused, all later ones under way are refused in the same turn, before another append can be made.
 */
export type AppendDone = (error: StoreError | undefined) => void

interface Append {
  readonly kind: 'append'
  readonly entries: readonly LogEntry[]
  readonly bytes: number
  readonly done: AppendDone
}

/** A new end of the log: of the entries that are there, or of nothing, behind a snapshot. */
export interface Restart {
  readonly kind: 'cut' | 'reset'
  /** The last entry that stays, or the snapshot's place. */
  readonly place: Place
  readonly done: AppendDone
}

export interface GroupCommitOptions {
  readonly maxBatchBytes: number
  readonly roll: SegmentRoll
  readonly hardState: HardStateFile
  /** Makes the new end durable; calls `swapped` when the list of segments changes. Rejects with `OutOfSpace`: nothing changed. */
  readonly restart: (restart: Restart, swapped: () => void) => Promise<void>
  /** What was in the log when it was opened. */
  readonly terms: TermRuns
  readonly onFailure: (error: unknown) => void
}

/** Batches up to this size share one buffer that lives as long as the log. */
const keptBufferBytes = 4 * 1024 * 1024

export class GroupCommit {
  /** The terms of all that was appended; goes back when appends are refused. */
  terms: TermRuns
  /** The terms of what is durable. */
  private durable: TermRuns
  queuedBytes = 0
  private readonly env: Env
  private readonly options: GroupCommitOptions
  private queue: (Append | Restart)[] = []
  private inFlight: Append[] = []
  /** How many of the queue are no appends. */
  private restarts = 0
  private running = false
  private failure: StoreError | undefined
  private idle: (() => void)[] = []
  private buffer = new Uint8Array(64 * 1024)
  private view = new DataView(this.buffer.buffer)

  constructor(env: Env, options: GroupCommitOptions) {
    this.env = env
    this.options = options
    this.terms = options.terms
    this.durable = options.terms.copy()
  }

  /** What is durable and was not cut away, nor is about to be. */
  get durableIndex(): LogIndex {
    let index = this.durable.lastIndex
    if (this.restarts > 0) {
      for (const work of this.queue) if (work.kind !== 'append') index = Math.min(index, work.place.index)
    }
    return index
  }

  /** What is durable, cuts that are still to come apart. */
  get writtenIndex(): LogIndex {
    return this.durable.lastIndex
  }

  /** Entries before `index` + 1 left the log. Behind a reset that is still to come, there is another one. */
  startAt(index: LogIndex): void {
    this.durable.startAt(index)
    if (!this.queue.some(({ kind }) => kind === 'reset')) this.terms.startAt(index)
  }

  /** The caller checked that the indexes follow `lastIndex` and that the append fits into a segment. */
  append(entries: readonly LogEntry[], done: AppendDone): void {
    let bytes = 0
    for (const entry of entries) {
      bytes += recordBytes(entry.payload.length)
      this.terms.extend(entry.term)
    }
    this.queue.push({ kind: 'append', entries, bytes, done })
    this.queuedBytes += bytes
    this.start()
  }

  /** The caller checked that the place is in the log, or that it may be left. */
  restart(restart: Restart): void {
    if (restart.kind === 'cut') this.terms.cutFrom(restart.place.index + 1)
    else this.terms = new TermRuns(restart.place)
    this.queue.push(restart)
    this.restarts++
    this.start()
  }

  private start(): void {
    if (this.running) return
    this.running = true
    // Not at once: all that is appended in this turn, and by those who were just acknowledged, shares the batch.
    queueMicrotask(() => void this.run())
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    if (this.running) await new Promise<void>((resolve) => this.idle.push(resolve))
  }

  /** Answers all that is under way with `OutcomeUnknown`; nothing is written any more. */
  fail(error: StoreError): void {
    this.failure = error
    const unknown = new StoreError('OutcomeUnknown', 'the log failed before it could confirm the write', {
      cause: error,
    })
    this.refuse(unknown)
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0 && this.failure === undefined) {
      try {
        const next = this.queue[0]
        if (next === undefined || next.kind === 'append') await this.commitBatch()
        else await this.commitRestart(next)
      } catch (error) {
        this.options.onFailure(error)
      }
    }
    this.running = false
    for (const resolve of this.idle.splice(0)) resolve()
  }

  private async commitBatch(): Promise<void> {
    const segment = await this.segmentForNext()
    if (segment === undefined) return
    while (this.votePending) if (!(await this.voteSaved())) return
    // In the same turn: whatever vote was asked for before any of this batch is durable.
    this.inFlight = this.takeBatch()
    const bytes = this.encodeBatch(segment)
    this.env.at('log.append.before-write')
    try {
      await segment.file.write([bytes], segment.info.endOffset)
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      await this.rollBack(segment, error)
      return
    }
    this.env.at('log.append.before-sync')
    await synced(segment.file.sync())
    this.env.at('log.append.after-sync')
    if (this.failure === undefined) this.acknowledge(segment, bytes.length)
  }

  private async commitRestart(restart: Restart): Promise<void> {
    while (this.votePending) if (!(await this.voteSaved())) return
    const { kind, place } = restart
    const swapped = (): void => {
      if (kind === 'cut') this.durable.cutFrom(place.index + 1)
      else this.durable = new TermRuns(place)
    }
    try {
      if (kind === 'reset' || place.index < this.writtenIndex) await this.options.restart(restart, swapped)
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      this.refuse(error)
    }
    if (this.queue[0] !== restart) return
    this.queue.shift()
    this.restarts--
    restart.done(undefined)
  }

  /**
   * The term and vote that were asked for before any of the queue are durable first: an entry of a term that this member
   * does not know of is never found, whatever happens.
   */
  private get votePending(): boolean {
    return !this.options.hardState.isVoteSaved
  }

  /** False when the queue was refused meanwhile. */
  private async voteSaved(): Promise<boolean> {
    try {
      await this.options.hardState.saved()
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      this.refuse(error)
    }
    return this.queue.length > 0 && this.failure === undefined
  }

  /** The open segment with room for the next append; undefined when a full disk refused a new one. */
  private async segmentForNext(): Promise<OpenSegment | undefined> {
    const { roll } = this.options
    const first = this.queue[0] as Append
    if (roll.room >= first.bytes) return roll.current
    try {
      return await roll.next({ index: this.writtenIndex, term: this.durable.lastTerm })
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      this.refuse(error)
      return undefined
    }
  }

  private takeBatch(): Append[] {
    const limit = Math.min(this.options.roll.room, this.options.maxBatchBytes)
    const batch: Append[] = []
    let bytes = 0
    for (const work of this.queue) {
      if (work.kind !== 'append' || (batch.length > 0 && bytes + work.bytes > limit)) break
      bytes += work.bytes
      batch.push(work)
    }
    this.reserve(alignToBlock(bytes))
    this.queue.splice(0, batch.length)
    return batch
  }

  private encodeBatch(segment: OpenSegment): Uint8Array {
    const target = { bytes: this.buffer, view: this.view }
    const under = { seed: segment.info.seed, floor: this.writtenIndex }
    let at = 0
    for (const { entries } of this.inFlight) {
      for (const entry of entries) {
        segment.info.mark(entry.index, segment.info.endOffset + at)
        at = writeRecord(target, at, entry, under)
      }
    }
    const end = alignToBlock(at)
    return this.buffer.fill(0, at, end).subarray(0, end)
  }

  private acknowledge(segment: OpenSegment, bytes: number): void {
    const batch = this.inFlight
    this.inFlight = []
    segment.info.endOffset += bytes
    for (const append of batch) {
      for (const entry of append.entries) this.durable.extend(entry.term)
      segment.info.lastIndex = this.durable.lastIndex
      this.queuedBytes -= append.bytes
      append.done(undefined)
    }
    if (this.buffer.length > keptBufferBytes) this.reserve(0)
  }

  /**
   * The disk was full before the batch was whole. Nobody was promised anything, so the batch is taken back: once the
   * file durably ends where the last durable record does, "nothing happened" is true after any crash. The segment is no
   * longer preallocated from here on; it only appends a little slower.
   */
  private async rollBack(segment: OpenSegment, error: StoreError): Promise<void> {
    await segment.file.truncate(segment.info.endOffset)
    await synced(segment.file.sync())
    segment.info.forgetMarksFrom(segment.info.endOffset)
    this.refuse(error)
  }

  private refuse(error: StoreError): void {
    const refused = [...this.inFlight, ...this.queue]
    this.inFlight = []
    this.queue = []
    this.restarts = 0
    this.queuedBytes = 0
    this.terms = this.durable.copy()
    for (const work of refused) work.done(error)
  }

  private reserve(bytes: number): void {
    const fits = this.buffer.length >= bytes
    if (fits && (bytes > 0 || this.buffer.length <= keptBufferBytes)) return
    const wanted = bytes === 0 ? keptBufferBytes : 2 ** Math.ceil(Math.log2(bytes))
    this.buffer = new Uint8Array(wanted)
    this.view = new DataView(this.buffer.buffer)
  }
}
