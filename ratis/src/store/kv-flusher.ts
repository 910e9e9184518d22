/**
 * Carries applied entries to the key-value store, behind the commit: one batch in flight, all entries applied meanwhile
 * merge into the next (a row that ten entries changed is written once). The log holds them durably already, so nobody
 * waits for it but views, checkpoints and the bound on memory. Until a row is written it can be found here: the key-value
 * store would still answer with the old one.
 */

import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { BinaryKey, KvSnapshot, KvStore, KvWrite } from '@o3/common/kv'
import type { LogIndex } from '../api/api.ts'
import type { PatchRow } from './pending-entry.ts'
import { appliedKey, encodeApplied, type Applied } from './system-rows.ts'

export interface FlusherOptions {
  readonly kv: KvStore
  readonly applied: Applied
  /** Nothing is written before it resolves. */
  readonly ready: Promise<void>
  /** How often a full disk is looked at again. */
  readonly retryMs: number
  /** Whether there is room again, and writing may be tried. */
  readonly hasSpace: () => Promise<boolean>
  /** Before it is tried: an engine may refuse all writes after one failed. */
  readonly revive: () => Promise<void>
  /** A batch is in the store, and there is room for more rows in memory. */
  readonly onWritten: () => void
  readonly onFailure: (error: unknown) => void
}

interface Waiter {
  readonly index: LogIndex
  /** Runs between two batches. */
  readonly reached: () => void
  readonly reject: (reason: unknown) => void
}

export class KvFlusher {
  /** What the key-value store holds. */
  flushed: Applied
  /** Bytes of rows that it does not hold yet. */
  pendingBytes = 0
  /** True while the key-value store has no space. */
  starved = false
  private readonly env: Env
  private readonly options: FlusherOptions
  private applied: Applied
  private rows = new Map<BinaryKey, PatchRow>()
  /** Those of the batch in flight. */
  private writing: ReadonlyMap<BinaryKey, PatchRow> = new Map()
  private running = false
  private failure: StoreError | undefined
  private waiters: Waiter[] = []
  /** Once aborted, no batch is begun, and none waits for space. */
  private stopping = new AbortController()
  private isAbandoned = false
  private ended: Promise<void> = Promise.resolve()

  constructor(env: Env, options: FlusherOptions) {
    this.env = env
    this.options = options
    this.flushed = options.applied
    this.applied = options.applied
  }

  /**
   * Resolves when no batch is in flight, and none follows before `startAt`: the rows are about to be others. What waits for
   * space gives up.
   */
  async halt(): Promise<void> {
    this.stopping.abort()
    await this.ended
  }

  /** Where the rows stand: the log says that they hold more than was known, or they are others. Nothing waits any more. */
  startAt(applied: Applied): void {
    this.flushed = applied
    this.applied = applied
    this.rows = new Map()
    this.writing = this.rows
    this.pendingBytes = 0
    this.starved = false
    if (!this.isAbandoned) this.stopping = new AbortController()
    this.wake()
  }

  /** Takes over an applied entry's rows. */
  add(rows: Iterable<PatchRow>, applied: Applied): void {
    this.applied = applied
    for (const row of rows) {
      const before = this.rows.get(row.rowKey)
      if (before !== undefined) this.pendingBytes -= rowBytes(before)
      this.rows.set(row.rowKey, row)
      this.pendingBytes += rowBytes(row)
    }
    if (this.running || this.failure !== undefined) return
    this.running = true
    this.ended = this.options.ready.then(() => this.run())
  }

  /** The row as it will be in the store, while it is not there yet. */
  find(rowKey: BinaryKey): PatchRow | undefined {
    return this.rows.get(rowKey) ?? this.writing.get(rowKey)
  }

  /** Resolves when at most so many bytes wait; rejects when they never will, because writing has failed or was given up. */
  async below(bytes: number): Promise<void> {
    while (this.pendingBytes > bytes) await this.reached(this.flushed.index + 1)
  }

  /** Resolves when the store holds everything up to `index`. */
  reached(index: LogIndex): Promise<void> {
    return this.when(index, () => undefined)
  }

  /** A view of exactly one applied index, at least `index`. */
  snapshotFrom(index: LogIndex): Promise<{ readonly snapshot: KvSnapshot; readonly index: LogIndex }> {
    return this.when(index, () => ({ snapshot: this.options.kv.snapshot(), index: this.flushed.index }))
  }

  /** Writes no further batch: the log has what is missing. */
  abandon(): void {
    this.isAbandoned = true
    this.stopping.abort()
    if (!this.running) this.rejectWaiters(givenUp())
  }

  /** Gives up, and resolves when no batch is in flight. */
  async stop(): Promise<void> {
    this.abandon()
    await this.ended
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    while (this.applied.index > this.flushed.index && this.failure === undefined && !signal.aborted) {
      try {
        await this.writeBatch()
      } catch (error) {
        // Whoever stopped it needs nothing of what is left: the log has it.
        if (signal.aborted) break
        this.failure = new StoreError('VolumeFailed', 'the rows could not be written', { cause: error })
        this.rejectWaiters(this.failure)
        this.options.onFailure(error)
      }
    }
    this.running = false
    this.wake()
    if (this.isAbandoned) this.rejectWaiters(givenUp())
  }

  private rejectWaiters(error: StoreError): void {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error)
  }

  private async writeBatch(): Promise<void> {
    const { rows, applied, pendingBytes } = this
    this.rows = new Map()
    this.writing = rows
    const batch: KvWrite[] = [{ kind: 'put', key: appliedKey, value: encodeApplied(applied) }]
    for (const { rowKey: key, bytes } of rows.values()) {
      batch.push(bytes === undefined ? { kind: 'delete', key } : { kind: 'put', key, value: bytes })
    }
    this.env.at('store.apply.before-write')
    await this.writeOrWait(batch)
    this.env.at('store.apply.after-write')
    this.flushed = applied
    this.pendingBytes -= pendingBytes
    this.writing = new Map()
    this.options.onWritten()
    this.wake()
  }

  /** The batch is absolute puts and deletes, so writing it again is harmless. */
  private async writeOrWait(batch: readonly KvWrite[]): Promise<void> {
    for (;;) {
      try {
        await this.options.kv.write(batch)
        this.starved = false
        return
      } catch (error) {
        if (!isStoreError(error, 'OutOfSpace')) throw error
        this.starved = true
        await this.spaceReturns()
      }
    }
  }

  private async spaceReturns(): Promise<void> {
    const { retryMs, hasSpace, revive } = this.options
    do await this.env.clock.sleep(retryMs, this.stopping.signal)
    while (!(await hasSpace()))
    await revive()
  }

  /** Runs `action` between two batches, as soon as the store holds `index`. */
  when<T>(index: LogIndex, action: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const reached = (): void => {
        try {
          resolve(action())
        } catch (error) {
          reject(error)
        }
      }
      if (this.failure !== undefined) reject(this.failure)
      else if (this.isAbandoned && this.flushed.index < index) reject(givenUp())
      else if (this.running || this.flushed.index < index) this.waiters.push({ index, reached, reject })
      else reached()
    })
  }

  private wake(): void {
    if (this.waiters.length === 0) return
    const ready = this.waiters.filter((waiter) => waiter.index <= this.flushed.index)
    this.waiters = this.waiters.filter((waiter) => waiter.index > this.flushed.index)
    for (const waiter of ready) waiter.reached()
  }
}

const givenUp = (): StoreError => new StoreError('Closed', 'the store was closed before the rows were written')

const rowBytes = (row: PatchRow): number => row.rowKey.length + (row.bytes?.length ?? 0) + 100
