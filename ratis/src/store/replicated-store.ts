/**
 * The replicated store's runtime on one member of a group: plan → group → apply → reply. See `api/api.ts` for what it promises and
 * the package's README for how.
 */

import type { Env } from '@o3/common/env'
import { assert, isStoreError, StoreError, type ErrorRecord } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import { withinDeadline } from '@o3/common/lifecycle'
import type {
  CommittedPatch,
  ExecuteOptions,
  LogIndex,
  ReplicatedStore,
  StateView,
  StoreRules,
  StoreStatus,
  Table,
} from '../api/api.ts'
import { makeDurableDirectory } from '../log/durable-directory.ts'
import type { LogOpening, LogOptions } from '../log/segmented-log.ts'
import type { Consensus, MachineStart, OpenConsensus, StateMachine } from '../node/consensus.ts'
import { ChangeStream } from './change-stream.ts'
import { CheckpointSchedule, type CheckpointPolicy } from './checkpoint-schedule.ts'
import { Checkpointer } from './checkpointer.ts'
import { CommitPipeline } from './commit-pipeline.ts'
import { KvFlusher } from './kv-flusher.ts'
import { claimRows, loadRows, type LoadedRows } from './load-rows.ts'
import { MemoryRows } from './memory-rows.ts'
import { Overlay } from './overlay.ts'
import { Planner } from './planner.ts'
import { ReopeningKv } from './reopening-kv.ts'
import { RequestDesk } from './request-desk.ts'
import { RequestLedger, type LedgerWindow } from './request-ledger.ts'
import { RowCache } from './row-cache.ts'
import { RowsHome, type KvPlaces } from './rows-home.ts'
import { RowFetcher } from './row-fetcher.ts'
import { openSoleVoter } from './sole-voter.ts'
import { SpaceGuard } from './space-guard.ts'
import { Stamps } from './stamp.ts'
import { SnapshotView } from './state-view.ts'
import { newStoreCounters, type StoreCounters, type StoreEvent } from './store-events.ts'
import { StoreMachine } from './store-machine.ts'
import { StoreSnapshots } from './store-snapshots.ts'
import { Turns } from './turns.ts'

export type { CheckpointPolicy } from './checkpoint-schedule.ts'
export type { KvPlaces } from './rows-home.ts'
export type { LedgerWindow } from './request-ledger.ts'
export { raftMember } from './raft-member.ts'
export { newStoreCounters, type StoreCounters, type StoreEvent } from './store-events.ts'
export type { Consensus, MachineStart, OpenConsensus, StateMachine } from '../node/consensus.ts'
export { storeSites, type StoreSite } from './sites.ts'

export interface StoreOptions<Command, Reply> {
  readonly env: Env
  /** Its `log` folder holds the log of a store without a group; its parent exists, durably. The caller holds the lock of the data directory. */
  readonly directory: string
  readonly rules: StoreRules<Command, Reply>
  /**
   * For the rows; belongs to this store alone. Either one that the caller opened, and closes after the store, or the places
   * of several, which the store opens and closes: only then it can receive snapshots.
   */
  readonly kv: KvStore | KvPlaces
  /**
   * Opens `kv`, when it is one, once more, after the store closed it: how writing goes on when a full disk has space again. Without it,
   * an engine that is done for after a failed write stays so until a restart.
   */
  readonly reopenKv?: () => Promise<KvStore>
  /** Opens this member of the store's group. Default: the store is the only member. */
  readonly consensus?: OpenConsensus
  /** Of a store without a group. */
  readonly log?: LogOptions
  /** Decoded rows in memory, by the size of their encoded form. Default 32 MiB. */
  readonly cacheBytes?: number
  /** Commands that were not answered yet; beyond, `execute` rejects with `Busy`. Default 10,000. */
  readonly maxQueued?: number
  /** Rows applied but not yet in the key-value store; beyond, planning pauses. Default 32 MiB. */
  readonly maxUnflushedBytes?: number
  /** Most bytes that one plan may change, and that one entry holds; at most a third of a log segment. Default 8 MiB. */
  readonly maxEntryBytes?: number
  /** Free space of the disk below which only commands that free space are taken. Default 64 MiB. */
  readonly minFreeBytes?: number
  readonly checkpoint?: Partial<CheckpointPolicy>
  /** Default: the last 65,536 requests of the last ten minutes. */
  readonly requests?: Partial<LedgerWindow>
  readonly observe?: (event: StoreEvent) => void
  readonly counters?: StoreCounters
}

const mebi = 1024 * 1024
const defaultPolicy: CheckpointPolicy = { everyLogBytes: 32 * mebi, everyMs: 60_000, keepLogBytes: 64 * mebi }
const defaultWindow: LedgerWindow = { maxRequests: 65_536, maxAgeMs: 600_000 }
const retryMs = 1000
/** How long a close waits for the answers of commands under way. */
const answersMs = 10_000
/** Proposed and not yet applied; beyond, planning pauses. */
const maxUnderWayBytes = 32 * mebi

/**
 * Opens the store, making it when there is none, and brings it up to date. Rejects with `Damaged` (with `path` and
 * `offset`, or what contradicts what), `Incompatible`, or `OutOfSpace` when a new store has no room for its log.
 */
export async function openReplicatedStore<Command, Reply>(
  options: StoreOptions<Command, Reply>,
): Promise<ReplicatedStore<Command, Reply>> {
  const { env } = options
  expectPrefixes(options.rules)
  const startMs = env.clock.monotonicMs()
  await makeDurableDirectory(env.disk, options.directory)
  const ledger = new RequestLedger({ ...defaultWindow, ...options.requests })
  const { home, kv } = await openKv(options)
  const store = await closingOnFailure(kv, async () => {
    const loaded = await loadRows(kv, (records) => ledger.restore(records))
    return new ConsensusStore(options, { home, kv, ledger, loaded })
  })
  const { replayedEntries, opening } = await closingOnFailure(kv, () => store.open())
  options.observe?.({
    kind: 'opened',
    created: opening.created,
    cutBytes: opening.cutBytes,
    replayedEntries,
    durationMs: env.clock.monotonicMs() - startMs,
  })
  return store
}

async function openKv<Command, Reply>({
  env,
  directory,
  kv,
  reopenKv,
}: StoreOptions<Command, Reply>): Promise<{ readonly home: RowsHome | undefined; readonly kv: ReopeningKv }> {
  if (!('open' in kv)) return { home: undefined, kv: new ReopeningKv(kv, { open: reopenKv, isOwned: false }) }
  const home = await RowsHome.open(env, directory, kv)
  const open = (): Promise<KvStore> => home.openCurrent()
  return { home, kv: new ReopeningKv(await open(), { open, isOwned: true }) }
}

async function closingOnFailure<T>(kv: ReopeningKv, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await kv.close()
    throw error
  }
}

/** Tables share one ordered store: each needs a prefix of its own, above those of the store's own rows. */
function expectPrefixes<Command, Reply>({ name, tables }: StoreRules<Command, Reply>): void {
  const prefixes = tables.map(({ prefix }) => prefix)
  assert(new Set(prefixes).size === prefixes.length, `${name}: two tables have the same prefix`)
  assert(
    prefixes.every((prefix) => /^[\x21-\x7e]$/.test(prefix)),
    `${name}: a table's prefix is one printable character`,
  )
}

interface Rows {
  readonly home: RowsHome | undefined
  readonly kv: ReopeningKv
  readonly ledger: RequestLedger
  readonly loaded: LoadedRows
}

/** What exists from the moment that the member of the group is open. */
interface Joined {
  readonly consensus: Consensus
  readonly stream: ChangeStream
  readonly checkpointer: Checkpointer
  readonly schedule: CheckpointSchedule
  readonly snapshots: StoreSnapshots
}

class ConsensusStore<Command, Reply> implements ReplicatedStore<Command, Reply> {
  private readonly env: Env
  private readonly options: StoreOptions<Command, Reply>
  private readonly rules: StoreRules<Command, Reply>
  private readonly observe: (event: StoreEvent) => void
  private readonly counters: StoreCounters
  private readonly rows: Rows
  private readonly kv: ReopeningKv
  private readonly cache: RowCache
  private readonly memory: MemoryRows
  private readonly fetcher: RowFetcher
  private readonly flusher: KvFlusher
  private readonly machine: StoreMachine
  private readonly pipeline: CommitPipeline
  private readonly turns: Turns<Command, Reply>
  private readonly desk: RequestDesk<Command, Reply>
  private readonly space: SpaceGuard
  private readonly claimed = Promise.withResolvers<void>()
  private readonly maxUnflushedBytes: number
  private joined: Joined | undefined
  private failure: StoreError | undefined
  private closing: Promise<void> | undefined

  constructor(options: StoreOptions<Command, Reply>, rows: Rows) {
    const { env, rules, counters = newStoreCounters() } = options
    const { kv, ledger, loaded } = rows
    this.env = env
    this.options = options
    this.rules = rules
    this.rows = rows
    this.kv = kv
    this.counters = counters
    this.observe = (event) => {
      if (event.kind === 'checkpoint') counters.checkpoints++
      options.observe?.(event)
    }
    const minFreeBytes = options.minFreeBytes ?? 64 * mebi
    this.space = new SpaceGuard(env, { directory: options.directory, minFreeBytes, sampleMs: retryMs })
    this.maxUnflushedBytes = options.maxUnflushedBytes ?? 32 * mebi
    const overlay = new Overlay()
    this.cache = new RowCache(options.cacheBytes ?? 32 * mebi)
    this.flusher = this.makeFlusher(env, loaded)
    const { cache, flusher } = this
    this.memory = new MemoryRows(cache, flusher)
    this.fetcher = new RowFetcher({ kv, cache, flusher })
    this.pipeline = new CommitPipeline(env, {
      overlay,
      propose: (payload) => this.expectJoined().consensus.propose(payload),
      onRefused: (error) => this.refused(error),
    })
    const { pipeline, fetcher, memory } = this
    const stamps = new Stamps(env.random, loaded.applied.lastSequence)
    const shared = { overlay, cache, fetcher, ledger, counters, pipeline, stamps }
    this.machine = new StoreMachine(env, {
      ...shared,
      loaded,
      tables: rules.tables,
      flusher,
      // Planning pauses at half of it: what is under way then still finds room.
      maxUnflushedBytes: 2 * this.maxUnflushedBytes,
      snapshots: () => this.expectJoined().snapshots,
      id: () => this.expectJoined().consensus.id,
      addressOf: (id) => this.joined?.consensus.configuration.addresses[id],
      events: {
        onProgress: () => this.progressed(),
        onAway: (error) => this.turns.dismiss(error),
        onFailed: (error) => this.turns.end(this.failure ?? error),
      },
    })
    const { machine } = this
    this.turns = new Turns(env, {
      ...shared,
      rules,
      planner: new Planner(rules, overlay, memory),
      maxEntryBytes: () => this.maxEntryBytes(),
      isBlocked: () => this.isBlocked(),
      away: (term) => machine.awayFrom(term),
      readBarrier: () => this.expectJoined().consensus.readBarrier(),
    })
    const { turns } = this
    this.desk = new RequestDesk({
      rules,
      turns,
      ledger,
      counters,
      clock: env.clock,
      maxQueued: options.maxQueued ?? 10_000,
      away: (term) => (this.closing === undefined ? machine.awayFrom(term) : undefined),
      refusal: (command) => this.refusal(command),
    })
  }

  /** Joins the group. Once, before anything else. Closes what it opened when it rejects. */
  async open(): Promise<{ readonly replayedEntries: number; readonly opening: LogOpening }> {
    const { env, machine, flusher, options, kv } = this
    const { loaded, home } = this.rows
    env.at('store.recover.before-replay')
    let consensus: Consensus | undefined
    try {
      const open = options.consensus ?? ((driven, start) => this.openAlone(driven, start))
      consensus = await open(machine, startOf(loaded, home?.reset !== undefined))
      if (home?.reset !== undefined) await home.settle()
      await claimRows(kv, loaded.groupId, consensus.log.hardState.groupId)
      this.claimed.resolve()
      if (consensus.appliedIndex > machine.appliedIndex) machine.startBehind(consensus.appliedIndex)
    } catch (error) {
      flusher.abandon()
      this.claimed.resolve()
      await consensus?.close()
      await flusher.stop()
      throw error
    }
    env.at('store.recover.after-replay')
    this.joined = this.join(consensus)
    this.progressed()
    return { replayedEntries: machine.appliedEntries, opening: consensus.log.opening }
  }

  execute(command: Command, options?: ExecuteOptions): Promise<Reply> {
    return this.desk.take(command, options)
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined | Promise<Value | undefined> {
    const barrier = this.expectJoined().consensus.readBarrier()
    return barrier === undefined ? this.getApplied(table, key) : barrier.then(() => this.getApplied(table, key))
  }

  private getApplied<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined | Promise<Value | undefined> {
    const rowKey = table.prefix + table.encodeKey(key)
    const row = this.memory.get(rowKey)
    if (row !== undefined) {
      this.counters.cacheHits++
      return row.value as Value | undefined
    }
    this.counters.cacheMisses++
    return this.fetcher.fetch(table as unknown as Table<never, unknown>, rowKey) as Promise<Value | undefined>
  }

  async read<T>(run: (view: StateView) => Promise<T>): Promise<T> {
    await this.expectJoined().consensus.readBarrier()
    const { snapshot, index } = await this.flusher.snapshotFrom(this.machine.appliedIndex)
    try {
      return await run(new SnapshotView(snapshot, index))
    } finally {
      await snapshot.close()
    }
  }

  changes(from: LogIndex, signal: AbortSignal): AsyncIterable<CommittedPatch> {
    return this.expectJoined().stream.follow(from, signal)
  }

  async checkpoint(): Promise<void> {
    if (this.closing !== undefined) throw closed()
    await this.expectJoined().schedule.checkpoint()
  }

  status(): StoreStatus {
    const { consensus, checkpointer } = this.expectJoined()
    const { role, term, leader, log } = consensus
    const leaderAddress = leader === undefined ? undefined : consensus.configuration.addresses[leader]
    const failed: ErrorRecord | undefined = this.failure?.toRecord() ?? consensus.failed
    return {
      role: role === 'pre-candidate' ? 'candidate' : role,
      term,
      commitIndex: Math.max(consensus.commitIndex, this.machine.appliedIndex),
      appliedIndex: this.machine.appliedIndex,
      checkpointIndex: checkpointer.checkpointIndex,
      firstLogIndex: log.firstIndex,
      logBytes: log.bytes,
      outOfSpace: this.isFull(),
      ...(leader === undefined ? {} : { leader }),
      ...(leaderAddress === undefined ? {} : { leaderAddress }),
      ...(failed === undefined ? {} : { failed }),
    }
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  /** Without a group the store is the only member of one. */
  private openAlone(machine: StateMachine, start: MachineStart): Promise<Consensus> {
    const { directory, log = {} } = this.options
    return openSoleVoter(this.env, { directory: `${directory}/log`, log }, { machine, start })
  }

  private makeFlusher(env: Env, { applied, checkpoint }: LoadedRows): KvFlusher {
    return new KvFlusher(env, {
      kv: this.kv,
      applied: { ...checkpoint, lastSequence: applied.lastSequence },
      ready: this.claimed.promise,
      retryMs,
      hasSpace: () => this.space.hasRoom(),
      revive: () => this.kv.reopen(),
      onWritten: () => this.turns.resume(),
      onFailure: (error) => this.fail(error),
    })
  }

  private join(consensus: Consensus): Joined {
    const { env, kv, flusher, machine, observe } = this
    const { ledger, loaded } = this.rows
    const policy: CheckpointPolicy = { ...defaultPolicy, ...this.options.checkpoint }
    const { log } = consensus
    const checkpointer = new Checkpointer(env, {
      kv,
      flusher,
      ledger,
      ledgerChunks: loaded.ledgerChunks,
      checkpointIndex: machine.appliedIndex - machine.appliedEntries,
      tell: (index, keepBytes) => consensus.checkpointed(index, keepBytes),
      // Who follows the changes of a store on a full disk starts from a copy rather than keep space from everybody.
      keepLogBytes: () => (this.space.isLow() ? 0 : policy.keepLogBytes),
    })
    const schedule = new CheckpointSchedule(env, {
      policy,
      checkpointer,
      observe,
      onFailure: (error) => this.fail(error),
      hasSpace: () => this.space.hasRoom(),
      appliedIndex: () => machine.appliedIndex,
      logBytes: () => log.bytes,
      isLow: () => this.space.isLow(),
    })
    const stream = new ChangeStream(log, () => machine.appliedIndex)
    const snapshots = new StoreSnapshots(env, {
      home: this.rows.home,
      kv,
      flusher,
      ledger,
      checkpointer,
      groupId: consensus.log.hardState.groupId,
      hasSpace: () => this.space.hasRoom(),
      appliedIndex: () => machine.appliedIndex,
      settledIndex: () => machine.settledIndex,
      onInstalled: (installed, records) => {
        checkpointer.startBehind(installed.applied.index, installed.ledgerChunks)
        schedule.logChanged()
        stream.reset()
        machine.installed(installed, records)
      },
      onFailure: (error) => {
        flusher.abandon()
        this.fail(error)
      },
    })
    return { consensus, stream, checkpointer, schedule, snapshots }
  }

  private async finish(): Promise<void> {
    const { consensus, stream, schedule, snapshots } = this.expectJoined()
    if (this.isStuck()) this.turns.end(closed())
    await this.answersGoOut()
    await schedule.stop()
    try {
      if (!this.isStuck()) await this.lastCheckpoint(schedule)
    } finally {
      // A member that waits for room here is told that there will be none.
      this.flusher.abandon()
      stream.end()
      await consensus.close()
      this.machine.end(closed())
      await this.flusher.stop()
      await snapshots.close()
      await this.kv.close()
    }
  }

  /** A leader whose group has no majority cannot answer; it does not wait for that for ever. */
  private async answersGoOut(): Promise<void> {
    try {
      await withinDeadline(this.env.clock, answersMs, 'answering the last commands', this.desk.allAnswered())
    } catch (error) {
      if (!isStoreError(error, 'DeadlineExceeded')) throw error
    }
  }

  /** Only spares the next start a replay: a full disk does not keep the store from closing. */
  private async lastCheckpoint(schedule: CheckpointSchedule): Promise<void> {
    try {
      await schedule.checkpoint()
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      this.observe({ kind: 'checkpoint-postponed', error: error.toRecord() })
    }
  }

  /** Nothing can be brought to an end any more in this process; the log has what is acknowledged. */
  private isStuck(): boolean {
    return this.flusher.starved || this.failure !== undefined || this.joined?.consensus.failed !== undefined
  }

  /** Why a command is not even planned. */
  private refusal(command: Command): StoreError | undefined {
    if (this.closing !== undefined) return closed()
    if (this.failure !== undefined) return this.failure
    const { failed } = this.expectJoined().consensus
    if (failed !== undefined) return StoreError.fromRecord(failed)
    if (this.isFull() && this.rules.freesSpace?.(command) !== true) {
      return new StoreError('OutOfSpace', 'the metadata disk is full')
    }
    return undefined
  }

  private isFull(): boolean {
    return this.space.isLow() || this.expectJoined().consensus.log.outOfSpace || this.flusher.starved
  }

  /** What waits in the log, the entry that a turn is filling and the next one: together they always fit. */
  private thirdOfLog(): number {
    return Math.floor(this.expectJoined().consensus.log.maxAppendBytes / 3)
  }

  private maxEntryBytes(): number {
    return Math.min(this.options.maxEntryBytes ?? 8 * mebi, this.thirdOfLog())
  }

  private isBlocked(): boolean {
    const { flusher, pipeline, maxUnflushedBytes } = this
    return (
      flusher.pendingBytes > maxUnflushedBytes ||
      pipeline.underWayBytes > maxUnderWayBytes ||
      this.expectJoined().consensus.log.queuedBytes > this.thirdOfLog()
    )
  }

  private expectJoined(): Joined {
    assert(this.joined !== undefined, 'the store has not joined its group')
    return this.joined
  }

  /** Something was applied, or leadership was won. */
  private progressed(): void {
    this.counters.cachedBytes = this.cache.sizeBytes
    this.joined?.stream.notify()
    this.joined?.schedule.applied()
    this.turns.resume()
  }

  private refused(error: StoreError): void {
    if (isStoreError(error, 'VolumeFailed', 'Closed')) this.turns.end(this.failure ?? error)
    else this.turns.resume()
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = new StoreError('VolumeFailed', 'the store failed; a restart verifies it again', { cause: error })
    this.observe({ kind: 'failed', error: this.failure.toRecord(), cause: error })
    this.turns.end(this.failure)
  }
}

function startOf({ groupId, checkpoint, applied, configuration }: LoadedRows, resetLog: boolean): MachineStart {
  return {
    groupId,
    appliedIndex: checkpoint.index,
    appliedTerm: checkpoint.term,
    claimedIndex: applied.index,
    resetLog,
    configuration,
  }
}

function closed(): StoreError {
  return new StoreError('Closed', 'the store is closed')
}
