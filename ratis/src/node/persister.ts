import type { Cancel, Clock } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { LogIndex } from '../api/api.ts'
import type { Entry } from '../core/entry.ts'
import type { SnapshotPlace } from '../core/message.ts'
import type { Durable, Persist } from '../core/ready.ts'
import { recordBytes } from '../log/record.ts'
import type { SegmentedLog } from '../log/segmented-log.ts'

export interface PersisterOptions {
  readonly log: SegmentedLog
  readonly clock: Clock
  /** How long after a full disk it is tried again. */
  readonly retryMs: number
  /** Puts the snapshot in the place of log and state. Rejects with `OutOfSpace` when it may be tried again. */
  readonly install: (place: SnapshotPlace) => Promise<void>
  /** Everything of it is durable, and of all before it. */
  readonly onPersisted: (persist: Persist) => void
  /** The log is dead; nothing more is called. */
  readonly onFailure: (error: StoreError) => void
}

/** What goes to the log at once: a persist, or a part of one. */
interface Write {
  readonly kind: 'write'
  readonly hardState: Durable | undefined
  readonly truncateFrom: LogIndex | undefined
  /** They fit into one append. */
  readonly entries: readonly Entry[]
  readonly bytes: number
  /** The persist that is done with this part. */
  readonly ends: Persist | undefined
  /** Of its steps. */
  underWay: number
  isRefused: boolean
}

interface Install {
  readonly kind: 'install'
  readonly place: SnapshotPlace
  readonly ends: Persist | undefined
}

/**
 * Persists in their order. The log itself keeps order among hard states, cuts and appends, so these are handed over at once
 * and share its group commit; only an install waits for all before it, and is waited for by all behind it.
 *
 * A full disk refuses everything that is under way. None of it can be taken back (the core counts on it), so all of it is
 * tried again, in the same order, until there is room.
 */
export class Persister {
  /** True while a full disk holds everything up. */
  isStalled = false
  private readonly options: PersisterOptions
  /** Not yet handed to the log. */
  private waiting: (Write | Install)[] = []
  private underWay: Write[] = []
  private isInstalling = false
  private isDead = false
  private cancelRetry: Cancel | undefined
  private idle: (() => void)[] = []

  constructor(options: PersisterOptions) {
    this.options = options
  }

  /** Bytes of entries that are not durable yet. */
  get pendingBytes(): number {
    let bytes = this.options.log.queuedBytes
    for (const work of this.waiting) if (work.kind === 'write') bytes += work.bytes
    return bytes
  }

  private get isIdle(): boolean {
    return this.isDead || (this.waiting.length === 0 && this.underWay.length === 0 && !this.isInstalling)
  }

  submit(persist: Persist): void {
    if (this.isDead) return
    this.waiting.push(...partsOf(persist, this.options.log.maxAppendBytes))
    this.advance()
  }

  /** Resolves when nothing is under way, or when it is dead. */
  async settled(): Promise<void> {
    if (!this.isIdle) await new Promise<void>((resolve) => this.idle.push(resolve))
  }

  /** Nothing more is told. */
  stop(): void {
    this.isDead = true
    this.waiting = []
    this.underWay = []
    this.cancelRetry?.()
    this.wakeIdle()
  }

  private advance(): void {
    while (!this.isDead && !this.isStalled && !this.isInstalling) {
      const next = this.waiting[0]
      if (next === undefined || !this.mayBegin(next)) break
      this.waiting.shift()
      if (next.kind === 'write') this.begin(next)
      else this.install(next)
    }
    if (this.isIdle) this.wakeIdle()
  }

  private mayBegin(work: Write | Install): boolean {
    const { log } = this.options
    if (work.kind === 'install') return this.underWay.length === 0
    return log.queuedBytes === 0 || log.queuedBytes + work.bytes <= log.maxAppendBytes
  }

  private begin(write: Write): void {
    const { log } = this.options
    const { hardState, truncateFrom, entries } = write
    const over = (error: StoreError | undefined): void => this.stepDone(write, error)
    this.underWay.push(write)
    write.isRefused = false
    write.underWay = 1 // itself, until all its steps have begun
    try {
      if (hardState !== undefined) {
        write.underWay++
        log.saveHardState(hardState).then(
          () => over(undefined),
          (error: unknown) => over(StoreError.from(error)),
        )
      }
      if (truncateFrom !== undefined) {
        write.underWay++
        log.truncateFrom(truncateFrom, over)
      }
      if (entries.length > 0) {
        write.underWay++
        log.append(entries, over)
      }
    } catch (error) {
      // At the door of the log: there was room, so it has failed, or what is asked contradicts what it knows.
      return this.fail(StoreError.from(error))
    }
    over(undefined)
  }

  private stepDone(write: Write, error: StoreError | undefined): void {
    if (this.isDead) return
    if (error !== undefined && error.code !== 'OutOfSpace') return this.fail(error)
    if (error !== undefined) write.isRefused = true
    write.underWay--
    this.settle()
  }

  /** Tells of what is done, in order. */
  private settle(): void {
    let told = 0
    for (let head = this.underWay[0]; head !== undefined && head.underWay === 0; head = this.underWay[0]) {
      if (head.isRefused) return this.stall()
      this.underWay.shift()
      told++
      if (head.ends !== undefined) this.options.onPersisted(head.ends)
      if (this.isDead) return
    }
    if (told > 0) this.advance()
  }

  /** When all that is under way has its answer, all of it waits again. Done twice, each step changes nothing. */
  private stall(): void {
    if (this.underWay.some(({ underWay }) => underWay > 0)) return
    this.waiting.unshift(...this.underWay)
    this.underWay = []
    this.retryLater()
  }

  private retryLater(): void {
    this.isStalled = true
    this.cancelRetry = this.options.clock.after(this.options.retryMs, () => {
      this.isStalled = false
      this.advance()
    })
  }

  private install(install: Install): void {
    this.isInstalling = true
    this.options.install(install.place).then(
      () => {
        this.isInstalling = false
        if (this.isDead) return this.wakeIdle()
        if (install.ends !== undefined) this.options.onPersisted(install.ends)
        this.advance()
      },
      (error: unknown) => {
        this.isInstalling = false
        if (this.isDead) return this.wakeIdle()
        if (!isStoreError(error, 'OutOfSpace')) return this.fail(StoreError.from(error))
        this.waiting.unshift(install)
        this.retryLater()
      },
    )
  }

  private fail(error: StoreError): void {
    if (this.isDead) return
    this.stop()
    this.options.onFailure(error)
  }

  private wakeIdle(): void {
    for (const resolve of this.idle.splice(0)) resolve()
  }
}

function partsOf(persist: Persist, maxBytes: number): readonly (Write | Install)[] {
  const { hardState, install, truncateFrom, entries } = persist
  const parts: (Write | Install)[] = []
  if (install !== undefined) {
    if (hardState !== undefined) parts.push(writeOf({ hardState }))
    parts.push({ kind: 'install', place: install, ends: entries.length === 0 ? persist : undefined })
    if (entries.length === 0) return parts
  }
  const groups = groupsOf(entries, maxBytes)
  for (const [at, group] of groups.entries()) {
    const head = at === 0 && install === undefined ? { hardState, truncateFrom } : {}
    parts.push(writeOf({ ...head, ...group, ends: at === groups.length - 1 ? persist : undefined }))
  }
  return parts
}

function writeOf(write: Partial<Pick<Write, 'hardState' | 'truncateFrom' | 'entries' | 'bytes' | 'ends'>>): Write {
  const none = { hardState: undefined, truncateFrom: undefined, entries: [], bytes: 0, ends: undefined }
  return { kind: 'write', ...none, ...write, underWay: 0, isRefused: false }
}

interface Group {
  readonly entries: readonly Entry[]
  readonly bytes: number
}

/** In pieces that fit into one append; one, perhaps empty, at least. */
function groupsOf(entries: readonly Entry[], maxBytes: number): readonly Group[] {
  const groups: Group[] = []
  let first = 0
  let bytes = 0
  let at = 0
  for (const entry of entries) {
    const more = recordBytes(entry.payload.length)
    if (at > first && bytes + more > maxBytes) {
      groups.push({ entries: entries.slice(first, at), bytes })
      first = at
      bytes = 0
    }
    bytes += more
    at++
  }
  groups.push({ entries: first === 0 ? entries : entries.slice(first), bytes })
  return groups
}
