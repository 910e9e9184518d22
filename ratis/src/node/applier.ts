import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import { decodeConfiguration, type Configuration } from '../core/configuration.ts'
import { entryBytes, entryKind, type Entry } from '../core/entry.ts'
import type { Raft } from '../core/raft.ts'
import type { LogReader, SegmentedLog } from '../log/segmented-log.ts'

/** A turn of the loop applies about so much, so that nobody else waits for long. */
const turnBytes = 1024 * 1024

export interface ApplierOptions {
  readonly env: Pick<Env, 'tasks'>
  readonly log: SegmentedLog
  readonly core: Pick<Raft, 'entriesInMemory' | 'applied'>
  readonly appliedIndex: LogIndex
  /** In force there. */
  readonly configuration: Configuration
  /** See `StateMachine.apply`: a promise wants to be waited for. */
  readonly apply: (entries: readonly Entry[]) => Promise<void> | undefined
  /** Some were applied. */
  readonly onApplied: () => void
  /** The log does not give back what it had, or the state machine cannot take it. */
  readonly onFailure: (error: StoreError) => void
}

/** Brings committed entries to the state machine, in order: from memory at once, else from the log, a piece a turn. */
export class Applier {
  appliedIndex: LogIndex
  configuration: Configuration
  private readonly options: ApplierOptions
  private target: LogIndex
  private reader: LogReader | undefined
  private isBusy = false
  private isPaused = false
  private isStopped = false
  private idle: (() => void)[] = []

  constructor(options: ApplierOptions) {
    this.options = options
    this.appliedIndex = options.appliedIndex
    this.target = options.appliedIndex
    this.configuration = options.configuration
  }

  /** Entries up to `last` are committed and durable. */
  applyTo(last: LogIndex): void {
    this.target = last
    this.advance()
  }

  /** Resolves when it stands still; it stays so until `restartAt`. */
  async pause(): Promise<void> {
    this.isPaused = true
    if (this.isBusy) await new Promise<void>((resolve) => this.idle.push(resolve))
  }

  /** The state is now that of a snapshot. */
  restartAt(index: LogIndex, configuration: Configuration): void {
    this.isPaused = false
    this.appliedIndex = index
    this.target = index
    this.configuration = configuration
  }

  /** Resolves when all that it was asked for is applied, or when it was stopped. */
  async settled(): Promise<void> {
    while (this.isBusy) await new Promise<void>((resolve) => this.idle.push(resolve))
  }

  stop(): void {
    this.isStopped = true
  }

  private get hasWork(): boolean {
    return this.appliedIndex < this.target && !this.isPaused && !this.isStopped
  }

  private advance(): void {
    if (this.isBusy || !this.hasWork) return
    const entries = this.options.core.entriesInMemory(this.appliedIndex + 1, this.target)
    if (entries === undefined) this.goOn(() => this.readSome())
    else {
      const room = this.take(firstOf(entries, turnBytes))
      if (room !== undefined) this.goOn(() => this.roomReturns(room))
      else if (this.hasWork) this.goOn(() => this.nextTurn())
    }
  }

  /** Everything but the hot path: the rest, after a turn or a read. */
  private goOn(first: () => Promise<void>): void {
    this.isBusy = true
    this.options.env.tasks.spawn('raft.apply', async () => {
      try {
        await first()
        while (this.hasWork) {
          const entries = this.options.core.entriesInMemory(this.appliedIndex + 1, this.target)
          if (entries === undefined) await this.readSome()
          else {
            await this.roomReturns(this.take(firstOf(entries, turnBytes)))
            await this.nextTurn()
          }
        }
        await this.leaveLog()
      } finally {
        this.isBusy = false
        for (const resolve of this.idle.splice(0)) resolve()
        this.advance() // what was asked for while the reader was closed
      }
    })
  }

  private async readSome(): Promise<void> {
    try {
      this.reader ??= this.options.log.read(this.appliedIndex + 1)
      const entries = await this.reader.next(this.target, turnBytes)
      // While it read, it may have been stopped, or a snapshot may wait.
      if (!this.hasWork) return
      if (entries.length === 0) throw new StoreError('Damaged', 'the log does not hold what was committed')
      await this.roomReturns(this.take(entries))
    } catch (error) {
      if (!isStoreError(error)) throw error
      await this.leaveLog()
      if (!this.hasWork) return
      this.stop()
      this.options.onFailure(error)
    }
  }

  private async leaveLog(): Promise<void> {
    const { reader } = this
    this.reader = undefined
    await reader?.close()
  }

  private nextTurn(): Promise<void> {
    return new Promise((resolve) => this.options.env.tasks.nextTurn(resolve))
  }

  /** The state machine holds as much as it can: nothing is applied until it has put some away. */
  private async roomReturns(room: Promise<void> | undefined): Promise<void> {
    try {
      await room
    } catch (error) {
      this.refused(error)
    }
  }

  /** The state machine goes no further: it is being closed, its own disk failed, or it cannot read an entry. */
  private refused(error: unknown): void {
    if (!isStoreError(error)) throw error
    const isNews = !this.isStopped && error.code !== 'Closed'
    this.stop()
    if (isNews) this.options.onFailure(error)
  }

  private take(entries: readonly Entry[]): Promise<void> | undefined {
    const last = entries.at(-1)
    if (last === undefined) return undefined
    for (const { payload } of entries) {
      if (entryKind(payload) === 'configuration') this.configuration = decodeConfiguration(payload)
    }
    this.appliedIndex = last.index
    let room: Promise<void> | undefined
    try {
      room = this.options.apply(entries)
    } catch (error) {
      this.refused(error)
      return undefined
    }
    this.options.log.noteCommitted(last.index)
    this.options.core.applied(last.index)
    this.options.onApplied()
    return room
  }
}

function firstOf(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let bytes = 0
  let at = 0
  for (const entry of entries) {
    bytes += entryBytes(entry)
    if (bytes > maxBytes && at > 0) return entries.slice(0, at)
    at++
  }
  return entries
}
