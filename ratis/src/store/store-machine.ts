/**
 * The store as the state machine of its group: applies what is committed, whoever proposed it.
 *
 * An entry is *applied* in one synchronous step: its rows become visible (in the cache, and with the flusher until the
 * key-value store has them), those planned here leave the overlay, and only then replies go out. So every read that starts
 * after a reply sees the change, whole, and nobody waits for the key-value store.
 *
 * Leading is a matter of who plans. Whoever stops leading drops its overlay and answers *unknown*, never *failed*, to those
 * whose entry was handed out: it may be committed yet. Then the ledger of every member has the reply, and a retry by request
 * id gets it.
 */

import type { Env } from '@o3/common/env'
import { assert, StoreError, unreachable } from '@o3/common/errors'
import type { LogIndex, Table, Term } from '../api/api.ts'
import { decodeConfiguration } from '../core/configuration.ts'
import { entryKind, type Entry, type NodeId } from '../core/entry.ts'
import type { Role } from '../core/ready.ts'
import type { MachineStart, SnapshotReceiver, SnapshotSource, StateMachine } from '../node/consensus.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import { decodeEntry, type EntryRow } from './entry-codec.ts'
import type { KvFlusher } from './kv-flusher.ts'
import type { LoadedRows } from './load-rows.ts'
import type { Overlay } from './overlay.ts'
import { undecoded, type Loss, type PatchRow, type PendingEntry } from './pending-entry.ts'
import type { LedgerRecord, RequestLedger } from './request-ledger.ts'
import type { RowCache } from './row-cache.ts'
import type { RowFetcher } from './row-fetcher.ts'
import type { Stamps } from './stamp.ts'
import type { StoreCounters } from './store-events.ts'
import type { StoreSnapshots } from './store-snapshots.ts'
import { configurationKey, encodeConfigurationRow } from './system-rows.ts'

export interface MachineParts {
  readonly tables: readonly Table<never, unknown>[]
  readonly overlay: Overlay
  readonly cache: RowCache
  readonly fetcher: RowFetcher
  readonly flusher: KvFlusher
  readonly ledger: RequestLedger
  readonly stamps: Stamps
  readonly pipeline: CommitPipeline
  readonly counters: StoreCounters
  readonly loaded: LoadedRows
  /** There once the member has joined its group. */
  readonly snapshots: () => StoreSnapshots
  /** Rows in memory that the key-value store does not hold, beyond which no more entries are taken. */
  readonly maxUnflushedBytes: number
  /** This member. */
  readonly id: () => NodeId
  /** Where a member listens, when it is known. */
  readonly addressOf: (id: NodeId) => string | undefined
  readonly events: MachineEvents
}

export interface MachineEvents {
  /** Something was applied, or commands may be planned now. */
  readonly onProgress: () => void
  /** Commands that wait for their turn are to go elsewhere. */
  readonly onAway: (error: StoreError) => void
  /** The log has failed for good. */
  readonly onFailed: (error: StoreError) => void
}

export class StoreMachine implements StateMachine {
  appliedIndex: LogIndex
  appliedTerm: Term
  /** Entries that a start applied again, and those since. */
  appliedEntries = 0
  configuration: MachineStart['configuration']
  private readonly env: Env
  private readonly parts: MachineParts
  private readonly tables = new Map<string, Table<never, unknown>>()
  private claimedIndex: LogIndex
  private lastSequence: number
  /** Whom this member follows; undefined while it leads. */
  private followed: Followed | undefined = { term: 0, leader: undefined }

  constructor(env: Env, parts: MachineParts) {
    const { checkpoint, applied, configuration } = parts.loaded
    this.env = env
    this.parts = parts
    this.appliedIndex = checkpoint.index
    this.appliedTerm = checkpoint.term
    this.claimedIndex = applied.index
    this.lastSequence = applied.lastSequence
    this.configuration = configuration
    for (const table of parts.tables) this.tables.set(table.prefix, table)
  }

  /**
   * Why commands cannot be planned here; undefined while this member leads. Said anew each time: where the leader listens may
   * be known only later, with the entry or the snapshot that brings the configuration.
   */
  get away(): StoreError | undefined {
    const { followed } = this
    if (followed === undefined) return undefined
    const { leader, term } = followed
    return notLeader(leader === undefined ? undefined : this.placeOf(leader, term))
  }

  /** The rows may be ahead of what is applied (see `LoadedRows.applied`): from this index on they are whole. */
  get settledIndex(): LogIndex {
    return Math.max(this.appliedIndex, this.claimedIndex)
  }

  apply(entries: readonly Entry[]): Promise<void> | undefined {
    const { flusher, maxUnflushedBytes, events } = this.parts
    for (const entry of entries) {
      if (entry.index !== this.appliedIndex + 1) this.startBehind(entry.index - 1)
      this.applyOne(entry)
    }
    events.onProgress()
    return flusher.pendingBytes > maxUnflushedBytes ? flusher.below(maxUnflushedBytes) : undefined
  }

  lead(term: Term): void {
    this.parts.pipeline.term = term
    this.followed = undefined
    this.parts.events.onProgress()
  }

  follow({ term, leader }: { readonly term: Term; readonly role: Role; readonly leader: NodeId | undefined }): void {
    this.followed = { term, leader }
    const away = this.away ?? notLeader(undefined)
    const changed = new StoreError('OutcomeUnknown', 'leadership was lost before the entry was committed')
    this.lose({ changed, unchanged: away })
    this.parts.events.onAway(away)
  }

  /** Why a command that names this term cannot be planned here. Undefined: it can. */
  awayFrom(term: Term | undefined): StoreError | undefined {
    const { pipeline, id } = this.parts
    const { away } = this
    if (away !== undefined || term === undefined || term === pipeline.term) return away
    return notLeader(this.placeOf(id(), pipeline.term))
  }

  refuse(from: LogIndex, error: StoreError): void {
    this.parts.pipeline.refuse(from, error)
  }

  fail(error: StoreError): void {
    const unknown = new StoreError('OutcomeUnknown', 'the log failed before it could confirm the write', {
      cause: error,
    })
    this.lose({ changed: unknown, unchanged: unknown })
    this.parts.events.onFailed(error)
  }

  /** The member is closed: nothing more comes. */
  end(error: StoreError): void {
    const changed = new StoreError('OutcomeUnknown', 'the member was closed before the entry was committed')
    this.lose({ changed, unchanged: error })
    this.parts.events.onAway(error)
  }

  openSnapshot(): Promise<SnapshotSource> {
    return this.parts.snapshots().openSource()
  }

  openReceiver(snapshot: string): Promise<SnapshotReceiver> {
    return this.parts.snapshots().openReceiver(snapshot)
  }

  /** The rows are those of a snapshot now; nothing of the state before is left in memory. */
  installed({ applied, configuration }: LoadedRows, records: readonly LedgerRecord[]): void {
    const { cache, fetcher, ledger, stamps, flusher } = this.parts
    this.appliedIndex = applied.index
    this.claimedIndex = applied.index
    this.appliedTerm = applied.term
    this.lastSequence = Math.max(this.lastSequence, applied.lastSequence)
    this.configuration = configuration ?? this.configuration
    stamps.lastSequence = Math.max(stamps.lastSequence, this.lastSequence)
    cache.clear()
    fetcher.supersedeAll()
    ledger.replace(records)
    flusher.startAt(this.applied())
    this.parts.events.onProgress()
  }

  /**
   * The member remembers a later checkpoint than the rows do, or begins with one and nothing behind it: the rows hold
   * everything up to `index`.
   */
  startBehind(index: LogIndex): void {
    assert(this.appliedEntries === 0, `entry ${index + 1} does not follow entry ${this.appliedIndex}`)
    assert(index >= this.appliedIndex && index <= this.claimedIndex, `the rows do not hold entry ${index}`)
    this.appliedIndex = index
    // Of the claim, which is the same entry unless others follow.
    this.appliedTerm = this.parts.loaded.applied.term
    this.parts.flusher.startAt(this.applied())
  }

  private lose(loss: Loss): void {
    this.parts.pipeline.lose(loss)
  }

  private applyOne(entry: Entry): void {
    const own = this.parts.pipeline.take(entry.index, entry.term)
    if (own !== undefined) return this.applyOwn(own, entry)
    const kind = entryKind(entry.payload)
    switch (kind) {
      case 'command':
        return this.applyForeign(entry)
      case 'configuration':
        this.configuration = { index: entry.index, configuration: decodeConfiguration(entry.payload) }
        return this.advance(entry, [systemRow(configurationKey, encodeConfigurationRow(entry.index, entry.payload))])
      case 'blank':
        return this.advance(entry, [])
      default:
        return unreachable(kind)
    }
  }

  private applyOwn(own: PendingEntry, entry: Entry): void {
    const { cache, fetcher, overlay, ledger, counters } = this.parts
    this.env.at('store.commit.before-apply')
    for (const { rowKey, value, bytes } of own.rows.values()) {
      fetcher.supersede(rowKey)
      cache.put(rowKey, value, bytes?.length ?? 0)
    }
    overlay.settle(own)
    for (const { requestId, reply } of own.replies) ledger.rememberReply(requestId, reply, own)
    this.lastSequence = own.lastSequence
    this.advance(entry, own.rows.values())
    counters.entries++
    counters.entryBytes += entry.payload.length
    counters.rowsWritten += own.rows.size
    for (const settle of own.waiting) settle(undefined)
    this.env.at('store.commit.after-replies')
  }

  /** Of another member, or of an earlier life of this one. */
  private applyForeign(entry: Entry): void {
    const { ledger, stamps, fetcher } = this.parts
    const { rows, replies, wallMs, lastSequence } = decodeEntry(entry.payload)
    for (const row of rows) {
      fetcher.supersede(row.rowKey)
      this.refresh(row)
    }
    // Copies: a reply stays for as long as the ledger's window, its entry's bytes should not.
    for (const { requestId, reply } of replies) {
      ledger.rememberReply(requestId, reply.slice(), { index: entry.index, wallMs })
    }
    this.lastSequence = Math.max(this.lastSequence, lastSequence)
    stamps.lastSequence = Math.max(stamps.lastSequence, lastSequence)
    this.advance(entry, rows.map(patchRow))
  }

  /** A cached row takes its new value; others are decoded when somebody asks for them. */
  private refresh({ rowKey, value: bytes }: EntryRow): void {
    const { cache } = this.parts
    if (!cache.has(rowKey)) return
    const table = this.tables.get(rowKey.charAt(0))
    try {
      const value = bytes === undefined ? undefined : table?.decode(bytes)
      cache.put(rowKey, value, bytes?.length ?? 0)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      // Whoever asks for the row is told; what is committed is applied all the same.
      cache.drop(rowKey)
    }
  }

  private advance({ index, term }: Entry, rows: Iterable<PatchRow>): void {
    this.appliedIndex = index
    this.appliedTerm = term
    this.appliedEntries++
    this.parts.flusher.add(rows, this.applied())
  }

  private placeOf(leader: NodeId, term: Term): LeaderPlace {
    return { leader, term, address: this.parts.addressOf(leader) }
  }

  private applied(): { readonly index: LogIndex; readonly term: Term; readonly lastSequence: number } {
    return { index: this.appliedIndex, term: this.appliedTerm, lastSequence: this.lastSequence }
  }
}

function patchRow({ rowKey, value: bytes }: EntryRow): PatchRow {
  return { rowKey, value: bytes === undefined ? undefined : undecoded, bytes }
}

function systemRow(rowKey: string, bytes: Uint8Array): PatchRow {
  return { rowKey, value: undecoded, bytes }
}

interface Followed {
  readonly term: Term
  readonly leader: NodeId | undefined
}

interface LeaderPlace {
  readonly leader: NodeId
  readonly term: Term
  readonly address: string | undefined
}

/** A term is told only with the leader that was elected in it: candidates count terms up that nobody ever leads in. */
function notLeader(place: LeaderPlace | undefined): StoreError {
  if (place === undefined) return new StoreError('NotLeader', 'no leader is known')
  const { leader, term, address } = place
  const details = address === undefined ? { leader, term } : { leader, term, address }
  return new StoreError('NotLeader', `${leader} leads in term ${term}`, { details })
}
