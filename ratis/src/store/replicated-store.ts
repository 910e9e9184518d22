/**
 * The replicated store's runtime: plan → log → apply → reply, for one voter. See `api/api.ts` for what it promises and
 * the package's README for how.
 */

import type { Env } from '@o3/common/env'
import { assert, isStoreError, StoreError, type ErrorRecord } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type {
  CommittedPatch,
  ExecuteOptions,
  LogIndex,
  ReplicatedStore,
  StateView,
  StoreRules,
  StoreStatus,
  Table,
  Term,
} from '../api/api.ts'
import { makeDurableDirectory } from '../log/durable-directory.ts'
import { openLog, type LogOptions, type SegmentedLog } from '../log/segmented-log.ts'
import { ChangeStream } from './change-stream.ts'
import { CheckpointSchedule, type CheckpointPolicy } from './checkpoint-schedule.ts'
import { Checkpointer } from './checkpointer.ts'
import { CommitPipeline } from './commit-pipeline.ts'
import { KvFlusher } from './kv-flusher.ts'
import { Overlay } from './overlay.ts'
import { Planner } from './planner.ts'
import { recoverStore, type Recovered } from './recover-store.ts'
import { ReopeningKv } from './reopening-kv.ts'
import { RequestDesk } from './request-desk.ts'
import { RequestLedger, type LedgerWindow } from './request-ledger.ts'
import { RowCache } from './row-cache.ts'
import { RowFetcher } from './row-fetcher.ts'
import { SpaceGuard } from './space-guard.ts'
import { Stamps } from './stamp.ts'
import { SnapshotView } from './state-view.ts'
import { newStoreCounters, type StoreCounters, type StoreEvent } from './store-events.ts'
import { Turns } from './turns.ts'

export type { CheckpointPolicy } from './checkpoint-schedule.ts'
export type { LedgerWindow } from './request-ledger.ts'
export { newStoreCounters, type StoreCounters, type StoreEvent } from './store-events.ts'
export { storeSites, type StoreSite } from './sites.ts'

export interface StoreOptions<Command, Reply> {
  readonly env: Env
  /** Its `log` folder holds the log; its parent exists, durably. The caller holds the lock of the data directory. */
  readonly directory: string
  readonly rules: StoreRules<Command, Reply>
  /** Belongs to this store alone. The caller opened it and closes it after the store. */
  readonly kv: KvStore
  /**
   * Opens `kv` once more, after the store closed it: how writing goes on when a full disk has space again. Without it,
   * an engine that is done for after a failed write stays so until a restart.
   */
  readonly reopenKv?: () => Promise<KvStore>
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

/**
 * Opens the store, making it when there is none, and brings it up to date. Rejects with `Damaged` (with `path` and
 * `offset`, or what contradicts what), `Incompatible`, or `OutOfSpace` when a new store has no room for its log.
 */
export async function openReplicatedStore<Command, Reply>(
  options: StoreOptions<Command, Reply>,
): Promise<ReplicatedStore<Command, Reply>> {
  const { env } = options
  expectPrefixes(options.rules)
  const kv = new ReopeningKv(options.kv, options.reopenKv)
  const startMs = env.clock.monotonicMs()
  await makeDurableDirectory(env.disk, options.directory)
  const log = await openLog(env, `${options.directory}/log`, options.log)
  try {
    const ledger = new RequestLedger({ ...defaultWindow, ...options.requests })
    const recovered = await recoverStore(env, { log, kv, ledger })
    // Each start is a term of its own, so (term, index) names one entry for ever.
    const term = log.hardState.term + 1
    await log.saveHardState({ term })
    options.observe?.({
      kind: 'opened',
      created: log.opening.created,
      cutBytes: log.opening.cutBytes,
      replayedEntries: recovered.replayedEntries,
      durationMs: env.clock.monotonicMs() - startMs,
    })
    return new OneVoterStore(options, { log, kv, ledger, recovered, term })
  } catch (error) {
    await log.close()
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

interface Opened {
  readonly log: SegmentedLog
  readonly kv: ReopeningKv
  readonly ledger: RequestLedger
  readonly recovered: Recovered
  readonly term: Term
}

class OneVoterStore<Command, Reply> implements ReplicatedStore<Command, Reply> {
  private readonly rules: StoreRules<Command, Reply>
  private readonly term: Term
  private readonly observe: (event: StoreEvent) => void
  private readonly counters: StoreCounters
  private readonly log: SegmentedLog
  private readonly kv: ReopeningKv
  private readonly cache: RowCache
  private readonly fetcher: RowFetcher
  private readonly flusher: KvFlusher
  private readonly pipeline: CommitPipeline
  private readonly turns: Turns<Command, Reply>
  private readonly desk: RequestDesk<Command, Reply>
  private readonly stream: ChangeStream
  private readonly schedule: CheckpointSchedule
  private readonly space: SpaceGuard
  private failure: StoreError | undefined
  private closing: Promise<void> | undefined

  constructor(options: StoreOptions<Command, Reply>, opened: Opened) {
    const { env, rules, counters = newStoreCounters() } = options
    const { log, kv, ledger, recovered, term } = opened
    const minFreeBytes = options.minFreeBytes ?? 64 * mebi
    const overlay = new Overlay()
    const cache = new RowCache(options.cacheBytes ?? 32 * mebi)
    const fetcher = new RowFetcher(kv, cache)
    this.rules = rules
    this.term = term
    this.log = log
    this.kv = kv
    this.counters = counters
    this.cache = cache
    this.fetcher = fetcher
    this.observe = (event) => {
      if (event.kind === 'checkpoint') counters.checkpoints++
      options.observe?.(event)
    }
    this.space = new SpaceGuard(env, { directory: options.directory, minFreeBytes, sampleMs: retryMs })
    this.flusher = this.makeFlusher(env, recovered)
    const { flusher } = this
    const appliedIndex = recovered.applied.index
    const shared = { overlay, cache, fetcher, ledger, counters }
    this.pipeline = new CommitPipeline(env, {
      ...shared,
      log,
      term,
      flusher,
      appliedIndex,
      onApplied: () => this.applied(),
      onRefused: (error) => this.refused(error),
    })
    const { pipeline } = this
    // What waits in the log, the entry that a turn is filling and the next one: together they always fit.
    const third = Math.floor(log.maxAppendBytes / 3)
    const maxUnflushedBytes = options.maxUnflushedBytes ?? 32 * mebi
    this.turns = new Turns(env, {
      ...shared,
      rules,
      pipeline,
      planner: new Planner(rules, overlay, cache),
      stamps: new Stamps(env.random, recovered.applied.lastSequence),
      maxEntryBytes: Math.min(options.maxEntryBytes ?? 8 * mebi, third),
      isBlocked: () => flusher.pendingBytes > maxUnflushedBytes || log.queuedBytes > third,
    })
    const { turns } = this
    this.desk = new RequestDesk({
      rules,
      turns,
      ledger,
      counters,
      clock: env.clock,
      maxQueued: options.maxQueued ?? 10_000,
      refusal: (command) => this.refusal(command),
    })
    this.schedule = this.makeSchedule(env, { ...defaultPolicy, ...options.checkpoint }, opened)
    this.stream = new ChangeStream(log, () => pipeline.appliedIndex)
  }

  execute(command: Command, options?: ExecuteOptions): Promise<Reply> {
    return this.desk.take(command, options?.requestId)
  }

  get<Key, Value>(table: Table<Key, Value>, key: Key): Value | undefined | Promise<Value | undefined> {
    const rowKey = table.prefix + table.encodeKey(key)
    const row = this.cache.get(rowKey)
    if (row !== undefined) {
      this.counters.cacheHits++
      return row.value as Value | undefined
    }
    this.counters.cacheMisses++
    return this.fetcher.fetch(table as unknown as Table<never, unknown>, rowKey) as Promise<Value | undefined>
  }

  async read<T>(run: (view: StateView) => Promise<T>): Promise<T> {
    const { snapshot, index } = await this.flusher.snapshotFrom(this.pipeline.appliedIndex)
    try {
      return await run(new SnapshotView(snapshot, index))
    } finally {
      await snapshot.close()
    }
  }

  changes(from: LogIndex, signal: AbortSignal): AsyncIterable<CommittedPatch> {
    return this.stream.follow(from, signal)
  }

  async checkpoint(): Promise<void> {
    if (this.closing !== undefined) throw closed()
    await this.schedule.checkpoint()
  }

  status(): StoreStatus {
    const { appliedIndex } = this.pipeline
    const status: StoreStatus = {
      role: 'leader',
      term: this.term,
      commitIndex: appliedIndex,
      appliedIndex,
      checkpointIndex: this.log.hardState.checkpointIndex,
      firstLogIndex: this.log.firstIndex,
      logBytes: this.log.bytes,
    }
    const failed: ErrorRecord | undefined = this.failure?.toRecord() ?? this.log.failed
    return failed === undefined ? status : { ...status, failed }
  }

  close(): Promise<void> {
    this.closing ??= this.finish()
    return this.closing
  }

  private makeFlusher(env: Env, recovered: Recovered): KvFlusher {
    return new KvFlusher(env, {
      kv: this.kv,
      applied: recovered.applied,
      retryMs,
      hasSpace: () => this.space.hasRoom(),
      revive: () => this.kv.reopen(),
      onWritten: (rowKeys) => this.flushed(rowKeys),
      onFailure: (error) => this.fail(error),
    })
  }

  private makeSchedule(env: Env, policy: CheckpointPolicy, { ledger, recovered }: Opened): CheckpointSchedule {
    const { log, kv, flusher, pipeline, observe } = this
    const { ledgerChunks } = recovered
    // Who follows the changes of a store on a full disk starts from a copy rather than keep space from everybody.
    const keepLogBytes = (): number => (this.space.isLow() ? 0 : policy.keepLogBytes)
    return new CheckpointSchedule(env, {
      policy,
      checkpointer: new Checkpointer(env, { log, kv, flusher, ledger, ledgerChunks, keepLogBytes }),
      observe,
      onFailure: (error) => this.fail(error),
      hasSpace: () => this.space.hasRoom(),
      appliedIndex: () => pipeline.appliedIndex,
      logBytes: () => log.bytes,
      isLow: () => this.space.isLow(),
    })
  }

  private async finish(): Promise<void> {
    if (this.isStuck()) this.turns.end(closed())
    await this.desk.allAnswered()
    await this.schedule.stop()
    try {
      if (!this.isStuck()) await this.lastCheckpoint()
    } finally {
      await this.flusher.stop()
      this.stream.end()
      await this.log.close()
      await this.kv.close()
    }
  }

  /** Only spares the next start a replay: a full disk does not keep the store from closing. */
  private async lastCheckpoint(): Promise<void> {
    try {
      await this.schedule.checkpoint()
    } catch (error) {
      if (!isStoreError(error, 'OutOfSpace')) throw error
      this.observe({ kind: 'checkpoint-postponed', error: error.toRecord() })
    }
  }

  /** Nothing can be brought to an end any more in this process; the log has what is acknowledged. */
  private isStuck(): boolean {
    return this.flusher.starved || this.failure !== undefined || this.log.failed !== undefined
  }

  /** Why a command is not even planned. */
  private refusal(command: Command): StoreError | undefined {
    if (this.closing !== undefined) return closed()
    if (this.failure !== undefined) return this.failure
    if (this.log.failed !== undefined) return StoreError.fromRecord(this.log.failed)
    if (this.isFull() && this.rules.freesSpace?.(command) !== true) {
      return new StoreError('OutOfSpace', 'the metadata disk is full')
    }
    return undefined
  }

  private isFull(): boolean {
    return this.space.isLow() || this.log.outOfSpace || this.flusher.starved
  }

  private applied(): void {
    this.counters.cachedBytes = this.cache.sizeBytes
    this.stream.notify()
    this.schedule.applied()
    this.turns.resume()
  }

  private flushed(rowKeys: Iterable<string>): void {
    for (const rowKey of rowKeys) this.cache.unpin(rowKey)
    this.turns.resume()
  }

  private refused(error: StoreError): void {
    if (error.code === 'OutOfSpace') this.turns.resume()
    else this.turns.end(this.failure ?? StoreError.fromRecord(this.log.failed ?? error.toRecord()))
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = new StoreError('VolumeFailed', 'the store failed; a restart verifies it again', { cause: error })
    this.observe({ kind: 'failed', error: this.failure.toRecord(), cause: error })
    this.turns.end(this.failure)
  }
}

function closed(): StoreError {
  return new StoreError('Closed', 'the store is closed')
}
