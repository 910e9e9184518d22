import { assert } from '@o3/common/errors'
import type { SimRandom } from '@o3/common/env/sim'
import type { LogIndex, Term } from '../../api/api.ts'
import { noConfiguration } from '../../core/configuration.ts'
import type { Entry, NodeId } from '../../core/entry.ts'
import type { RaftStart } from '../../core/raft.ts'
import type { Durable, Persist } from '../../core/ready.ts'
import type { MachineState } from './kv-machine.ts'
import { MemberLog } from './member-log.ts'
import type { Bugs } from './planted-bug.ts'
import type { Span } from './plan.ts'
import type { SimWorld } from './sim-world.ts'

/** One step of a persist: what a power cut keeps is the first few of those that no sync has covered. */
type Write =
  | { readonly kind: 'hard-state'; readonly hardState: Durable }
  | { readonly kind: 'install'; readonly state: MachineState }
  | { readonly kind: 'truncate'; readonly from: LogIndex }
  | { readonly kind: 'entry'; readonly entry: Entry }

interface Queued {
  readonly writes: readonly Write[]
  readonly onDurable: () => void
}

export interface DiskPace {
  readonly syncMs: Span
  /** Chance that an operation takes twenty times as long. */
  readonly tail: number
}

/** What was safe on a disk at one moment. */
export interface DiskImage {
  readonly hardState: Durable
  readonly checkpoint: MachineState
  readonly log: MemberLog
  readonly commitFloor: LogIndex
}

export interface MemberDiskOptions {
  readonly id: NodeId
  readonly world: SimWorld
  readonly random: SimRandom
  readonly pace: DiskPace
  readonly birth: MachineState
  readonly hardState: Durable
  readonly bugs: Bugs
}

/** A state machine before the first entry. */
export const unborn: MachineState = {
  index: 0,
  term: 0,
  configuration: noConfiguration,
  configurationIndex: 0,
  history: 0,
  keys: [],
  requests: [],
}

/**
 * What one member has on its disk, at the level of the driver's promises: hard state, checkpoint, log. Writes are seen at
 * once (`log`), and safe when a sync that began after them has ended (`durableLog`); one sync is under way at a time.
 */
export class MemberDisk {
  readonly #options: MemberDiskOptions
  #hardState: Durable
  #checkpoint: MachineState
  #log: MemberLog
  #durableLog: MemberLog
  #queued: Queued[] = []
  #syncing: readonly Queued[] = []
  #cancelSync: (() => void) | undefined
  #commitFloor: LogIndex
  /** Of a planted bug: writes whose sync failed. */
  #lost: Write[] = []
  /** Whom it voted for, by term: all that was ever durable. */
  readonly votes = new Map<Term, NodeId | ''>()
  /** Entries that it had before it lost some: the oracle's knowledge, not the member's. */
  beforeLoss: MemberLog | undefined
  /** Slow disks take this many times as long. */
  slowness = 1
  /** The next sync fails, and with it the member. */
  isFailing = false
  onFailure: () => void = () => undefined

  constructor(options: MemberDiskOptions) {
    this.#options = options
    const { birth } = options
    this.#hardState = options.hardState
    this.#checkpoint = birth
    this.#log = new MemberLog(birth.index + 1, birth.term)
    this.#durableLog = this.#log.copy()
    this.#commitFloor = birth.index
  }

  /** As written. */
  get log(): MemberLog {
    return this.#log
  }

  get durableLog(): MemberLog {
    return this.#durableLog
  }

  get hardState(): Durable {
    return this.#hardState
  }

  get checkpoint(): MachineState {
    return this.#checkpoint
  }

  /** Whether it is safe here that the entry at `index` is of `term`, in the log or within the checkpoint. */
  holds(index: LogIndex, term: Term): boolean {
    return index <= this.#checkpoint.index || this.#durableLog.termOf(index) === term
  }

  /** `installed`: the state behind `persist.install`. */
  write(persist: Persist, installed: MachineState | undefined, onDurable: () => void): void {
    const writes = this.#writesOf(persist, installed)
    for (const write of writes) this.#see(write)
    if (this.#options.bugs.has('sync-skipped')) {
      onDurable()
      this.#queued.push({ writes, onDurable: () => undefined })
    } else {
      this.#queued.push({ writes, onDurable })
    }
    this.#sync()
  }

  #writesOf(persist: Persist, installed: MachineState | undefined): readonly Write[] {
    const { hardState, truncateFrom, entries } = persist
    const writes: Write[] = []
    const kept = this.#kept(hardState)
    if (kept !== undefined) writes.push({ kind: 'hard-state', hardState: kept })
    if (installed !== undefined) writes.push({ kind: 'install', state: installed })
    if (truncateFrom !== undefined) writes.push({ kind: 'truncate', from: truncateFrom })
    for (const entry of entries) writes.push({ kind: 'entry', entry })
    return writes
  }

  #kept(hardState: Durable | undefined): Durable | undefined {
    const { bugs } = this.#options
    if (bugs.has('term-not-persisted') && hardState?.vote === '') return undefined
    return bugs.has('vote-not-persisted') && hardState !== undefined ? { ...hardState, vote: '' } : hardState
  }

  #see(write: Write): void {
    if (write.kind !== 'hard-state') this.#apply(write, this.#log)
  }

  #apply(write: Exclude<Write, { readonly kind: 'hard-state' }>, log: MemberLog): void {
    if (write.kind === 'install') log.reset(write.state.index, write.state.term)
    else if (write.kind === 'truncate') this.#truncate(log, write.from)
    else if (this.#options.bugs.has('truncation-ignored')) log.put(write.entry)
    else log.append(write.entry)
  }

  #truncate(log: MemberLog, from: LogIndex): void {
    if (!this.#options.bugs.has('truncation-ignored')) log.truncateFrom(from)
  }

  #makeDurable(write: Write): void {
    if (write.kind === 'hard-state') this.#setHardState(write.hardState)
    else this.#apply(write, this.#durableLog)
    if (write.kind === 'install') {
      this.#checkpoint = write.state
      this.#commitFloor = Math.max(this.#commitFloor, write.state.index)
    }
  }

  #setHardState(hardState: Durable): void {
    assert(hardState.mayVote || this.beforeLoss !== undefined, 'nobody takes himself for one who lost something')
    this.#hardState = hardState
    this.votes.set(hardState.term, hardState.vote)
    if (hardState.mayVote) this.beforeLoss = undefined
  }

  #sync(): void {
    if (this.#syncing.length > 0 || this.#queued.length === 0) return
    this.#syncing = this.#queued
    this.#queued = []
    this.#cancelSync = this.#options.world.after({
      kind: 'sync',
      who: this.#options.id,
      afterMs: this.#durationMs(),
      action: () => this.#synced(),
    })
  }

  #durationMs(): number {
    const { random, pace } = this.#options
    const [from, to] = pace.syncMs
    const tail = random.chance(pace.tail) ? 20 : 1
    return (from + (to - from) * random.fraction()) * Math.max(tail, this.slowness)
  }

  /** What one sync covered is reported one by one: each is audited by what was durable for it. */
  #synced(): void {
    const done = this.#syncing
    if (this.isFailing && !this.#options.bugs.has('sync-failure-ignored')) {
      this.onFailure()
      return
    }
    this.#syncing = []
    const isLost = this.isFailing
    this.isFailing = false
    for (const { writes, onDurable } of done) {
      if (isLost) this.#lost.push(...writes)
      else for (const write of [...this.#lost.splice(0), ...writes]) this.#makeDurable(write)
      onDurable()
    }
    this.#sync()
  }

  /** A hint, written along with something else: how far the log was committed when that was synced. */
  noteCommitted(index: LogIndex): void {
    this.#commitFloor = Math.max(this.#commitFloor, Math.min(index, this.#durableLog.lastIndex))
  }

  /** The state machine at its index, safe. */
  saveCheckpoint(state: MachineState): void {
    if (state.index <= this.#checkpoint.index) return
    assert(state.index <= this.#durableLog.lastIndex, 'a checkpoint holds durable entries only')
    const isAhead = this.#options.bugs.has('checkpoint-ahead') && state.index < this.#durableLog.lastIndex
    this.#checkpoint = isAhead ? { ...state, index: state.index + 1 } : state
  }

  /** Entries before `firstIndex` are in the checkpoint. */
  cutTo(firstIndex: LogIndex): void {
    assert(firstIndex <= this.#checkpoint.index + 1, 'a log is not cut beyond its checkpoint')
    this.#log.cutTo(firstIndex)
    this.#durableLog.cutTo(firstIndex)
  }

  /** The member went down: of what was not synced, the first few writes may be there. */
  crash(): void {
    this.#cancelSync?.()
    this.#cancelSync = undefined
    const { random } = this.#options
    const unsafe = [...this.#lost, ...[...this.#syncing, ...this.#queued].flatMap(({ writes }) => writes)]
    this.#lost = []
    this.#syncing = []
    this.#queued = []
    const mood = random.fraction()
    const kept = mood < 0.4 ? 0 : mood < 0.6 ? unsafe.length : random.below(unsafe.length + 1)
    for (const write of unsafe.slice(0, kept)) this.#makeDurable(write)
    this.#log = this.#durableLog.copy()
    this.isFailing = false
  }

  /** Of a member that is down: one entry is found broken, so all from there on are lost. */
  loseFrom(index: LogIndex): void {
    this.#rememberLoss()
    if (index > this.#checkpoint.index) this.#durableLog.truncateFrom(index)
    else this.#durableLog.reset(this.#checkpoint.index, this.#checkpoint.term)
    this.#log = this.#durableLog.copy()
    this.#commitFloor = Math.min(this.#commitFloor, this.#log.lastIndex)
    this.#hardState = { ...this.#hardState, mayVote: false }
  }

  /** Of a member that is down: a new disk under the same name. */
  replace(): void {
    this.#rememberLoss()
    this.#checkpoint = unborn
    this.#durableLog = new MemberLog(1, 0)
    this.#log = this.#durableLog.copy()
    this.#commitFloor = 0
    this.#hardState = { term: 0, vote: '', mayVote: false }
  }

  /** All that is safe on it. */
  image(): DiskImage {
    const { index } = this.#checkpoint
    return {
      hardState: this.#hardState,
      checkpoint: this.#checkpoint,
      log: this.#durableLog.copy(),
      commitFloor: index,
    }
  }

  /** Of a member that is down: everything is as it was once, and nothing says so. */
  restore({ hardState, checkpoint, log, commitFloor }: DiskImage): void {
    this.#rememberLoss()
    this.#hardState = hardState
    this.#checkpoint = checkpoint
    this.#durableLog = log.copy()
    this.#log = log.copy()
    this.#commitFloor = commitFloor
  }

  #rememberLoss(): void {
    this.beforeLoss ??= this.#durableLog.copy()
  }

  /** What a member that starts now reads. */
  start(nowMs: number): RaftStart {
    const { index, configuration, configurationIndex } = this.#checkpoint
    const mayVote = this.#hardState.mayVote || this.#options.bugs.has('votes-after-loss')
    return {
      hardState: { ...this.#hardState, mayVote },
      configuration,
      configurationIndex,
      configurations: this.#log.configurationsAfter(index),
      firstIndex: this.#log.firstIndex,
      lastIndex: this.#log.lastIndex,
      termRuns: this.#log.termRuns(),
      commitIndex: Math.max(index, this.#commitFloor),
      appliedIndex: index,
      nowMs,
    }
  }
}
