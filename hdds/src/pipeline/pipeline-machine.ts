/** The state machine of a pipeline's group: its state is the containers, and the log is what they do not hold durably yet. */

import type { Tasks } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import type { SegmentedLog } from '@o3/ratis/log'
import { entryKind } from '@o3/ratis/node'
import type {
  Configuration,
  Consensus,
  Entry,
  RecoveredMachine,
  SnapshotReceiver,
  SnapshotSource,
  StateMachine,
} from '@o3/ratis/node'
import { DurableWindow } from '../core/durable-window.ts'
import { decodeEntry } from '../core/pipeline-entry.ts'
import type { EntryApplier } from './entry-applier.ts'

export interface MachineLimits {
  /** Entries that wait for the disk hold at most so much; then none are applied until half of it is done. */
  readonly maxPendingBytes: number
  /** Proposals that wait for their majority. */
  readonly maxInFlightBytes: number
  /** The log is cut after so many bytes of entries. */
  readonly checkpointBytes: number
  /** Kept of it for members that lag; one that lags by more cannot catch up. */
  readonly keptLogBytes: number
  /** One entry that cannot be carried out (its holders are gone) may keep so much of the log; then the pipeline has failed. */
  readonly maxHeldBytes: number
}

export interface PipelineMachineOptions {
  readonly tasks: Tasks
  readonly log: Logger
  readonly applier: Pick<EntryApplier, 'apply'>
  readonly members: Configuration
  readonly limits: MachineLimits
  /** Called once: this member can take no more part. */
  readonly onFailure: (error: StoreError) => void
}

interface Proposal {
  readonly term: number
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/**
 * An entry is acknowledged when it is committed: then it is durable in the logs of a majority. Writing it into the container
 * goes on behind it, many at a time; whoever reads waits for it (`EntryApplier.whenApplied`).
 */
export class PipelineMachine implements StateMachine {
  private readonly options: PipelineMachineOptions
  private window = new DurableWindow({ index: 0, term: 0 })
  private node: Consensus | undefined
  private leadTerm: number | undefined
  private readonly proposals = new Map<number, Proposal>()
  private inFlightBytes = 0
  private failure: StoreError | undefined
  private isStopped = false
  private room: { readonly promise: Promise<void>; readonly end: (error?: StoreError) => void } | undefined
  private sinceCheckpointBytes = 0
  private checkpointing: Promise<void> | undefined

  constructor(options: PipelineMachineOptions) {
    this.options = options
  }

  get failed(): StoreError | undefined {
    return this.failure
  }

  /** Everything up to here is durable in the containers. */
  get durableIndex(): number {
    return this.window.place.index
  }

  /** What the containers hold begins where the last checkpoint was. A log that was lost brings its entries again. */
  recover(log: SegmentedLog): Promise<RecoveredMachine> {
    const index = Math.min(log.hardState.checkpointIndex, log.lastIndex)
    const term = log.termAt(index) ?? 0
    this.window = new DurableWindow({ index, term })
    return Promise.resolve({
      machine: this,
      appliedIndex: index,
      appliedTerm: term,
      // It never changes. Which entry first said so does not matter: it is behind us.
      configuration: index === 0 ? undefined : { index, configuration: this.options.members },
    })
  }

  attach(node: Consensus): void {
    this.node = node
  }

  /**
   * Resolves when it is committed, and all before it. Rejects as `Consensus.propose`, with `Busy` when too much is under way,
   * or with `OutcomeUnknown`.
   */
  async propose(payload: Uint8Array): Promise<void> {
    const { node, leadTerm, failure } = this
    if (failure !== undefined) throw failure
    if (node === undefined) throw new StoreError('NotLeader', 'this member has not begun yet')
    if (this.inFlightBytes > 0 && this.inFlightBytes + payload.length > this.options.limits.maxInFlightBytes) {
      throw new StoreError('Busy', 'too much waits to be committed')
    }
    const index = node.propose(payload)
    this.inFlightBytes += payload.length
    await new Promise<void>((resolve, reject) => {
      this.proposals.set(index, { term: leadTerm ?? node.term, bytes: payload.length, resolve, reject })
    })
  }

  apply(entries: readonly Entry[]): Promise<void> | undefined {
    if (this.failure !== undefined) throw this.failure
    if (this.isStopped) throw stopped()
    for (const entry of entries) this.applyOne(entry)
    const { maxPendingBytes, maxHeldBytes } = this.options.limits
    if (this.window.held > maxHeldBytes) {
      this.fail(new StoreError('Unavailable', 'a block that was agreed to cannot be fetched'))
    }
    if (this.window.pending <= maxPendingBytes || this.failure !== undefined) return undefined
    this.room ??= roomToCome()
    return this.room.promise
  }

  lead(term: number): void {
    this.leadTerm = term
  }

  follow(): void {
    this.leadTerm = undefined
    this.abandon(new StoreError('OutcomeUnknown', 'the lead of the pipeline was lost'))
  }

  refuse(from: number, error: StoreError): void {
    for (const [index, { reject }] of this.proposals) if (index >= from) this.end(index, () => reject(error))
  }

  /**
   * There are no snapshots: the state is containers, and whoever lacks their blocks gets them when they are closed. This one
   * only tells the member that it is too far behind.
   */
  openSnapshot(): Promise<SnapshotSource> {
    const { index, term } = this.window.place
    return Promise.resolve({
      index,
      term,
      read: () => Promise.resolve({ bytes: new Uint8Array(1), next: undefined }),
      close: () => Promise.resolve(),
    })
  }

  openReceiver(): Promise<SnapshotReceiver> {
    const error = new StoreError('Unavailable', 'this member is further behind than the logs of the others reach')
    this.fail(error)
    return Promise.reject(error)
  }

  fail(error: StoreError): void {
    if (this.failure !== undefined || this.isStopped) return
    this.failure = error
    this.leadTerm = undefined
    // Committed or not: the others know.
    this.abandon(new StoreError('OutcomeUnknown', 'this member of the pipeline failed', { cause: error }))
    this.room?.end(error)
    this.options.onFailure(error)
  }

  /** Applies nothing more, and lets go of whoever waits for room: the log keeps what was not applied. */
  stop(): void {
    this.isStopped = true
    this.room?.end(stopped())
  }

  /** Lets the log be cut behind what is durable. `VolumeFailed`, `Closed`. */
  async checkpoint(): Promise<void> {
    this.sinceCheckpointBytes = 0
    await this.node?.checkpointed(this.durableIndex, this.options.limits.keptLogBytes)
  }

  // ----------------------------------------------------------------------------------------------------- entries

  private applyOne({ index, term, payload }: Entry): void {
    this.window.add({ index, term }, payload.length)
    if (entryKind(payload) === 'command') {
      // First the work, then the answer: who reads what was acknowledged must find it under way.
      const work = this.options.applier.apply(decodeEntry(payload))
      this.options.tasks.spawn('hdds.pipeline.apply', () => this.follows(index, payload.length, work))
    } else this.window.done(index)
    const proposal = this.proposals.get(index)
    if (proposal === undefined) return
    this.end(index, () => {
      if (proposal.term === term) proposal.resolve()
      else proposal.reject(new StoreError('OutcomeUnknown', 'another leader put something else there'))
    })
  }

  private async follows(index: number, bytes: number, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!isStoreError(error)) throw error
      // The datanode stops; the next start applies it.
      if (error.code !== 'Closed') this.fail(error)
      return
    }
    this.window.done(index)
    this.sinceCheckpointBytes += bytes
    if (this.window.pending <= this.options.limits.maxPendingBytes / 2) {
      this.room?.end()
      this.room = undefined
    }
    if (this.sinceCheckpointBytes >= this.options.limits.checkpointBytes) this.checkpointSoon()
  }

  private checkpointSoon(): void {
    if (this.checkpointing !== undefined || this.failure !== undefined) return
    this.checkpointing = this.options.tasks.spawn('hdds.pipeline.checkpoint', async () => {
      try {
        await this.checkpoint()
      } catch (error) {
        if (!isStoreError(error)) throw error
        // A full disk is tried again with the next one; a log that failed says so by itself.
        this.options.log.info({ error }, 'the log of a pipeline was not cut')
      } finally {
        this.checkpointing = undefined
      }
    }).done
  }

  private end(index: number, answer: () => void): void {
    const proposal = this.proposals.get(index)
    if (proposal === undefined) return
    this.proposals.delete(index)
    this.inFlightBytes -= proposal.bytes
    answer()
  }

  private abandon(error: StoreError): void {
    for (const [index, { reject }] of this.proposals) this.end(index, () => reject(error))
  }
}

function stopped(): StoreError {
  return new StoreError('Closed', 'this member of the pipeline is closed')
}

function roomToCome(): NonNullable<PipelineMachine['room']> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { promise, end: (error) => (error === undefined ? resolve() : reject(error)) }
}
