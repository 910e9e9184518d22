/**
 * Appends records to one container file, with group commit: one write and one sync are under way at most, and whatever
 * arrives meanwhile shares the next ones. Records go to the file in the order of the calls.
 *
 * Bounded: a batch has at most `maxBatchBytes` and `maxBatchRecords`; the queue holds what its callers hold (each waits
 * for its append), and `streaming` callers also wait while more than `maxUnsyncedBytes` are written and not synced, so
 * that the sync behind a commit never has gigabytes to do.
 */

import type { DiskFile, Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { ContainerFileName } from '../core/container-name.ts'
import type { LedgerRecord } from '../core/container-ledger.ts'
import { encodeHeader } from '../core/record.ts'
import type { HeaderProof, RecordKind } from '../core/record.ts'
import { alignRecord, headerBytes, recordAlignBytes, recordBytes } from '../core/record-layout.ts'
import type { Tombstone } from '../core/tombstone.ts'
import type { DiskHealth } from './disk-health.ts'
import type { SpaceBudget } from './space-budget.ts'
import type { StorageMetrics } from './storage-metrics.ts'

export interface NewRecord {
  readonly kind: RecordKind
  readonly local: LocalId
  readonly whole: boolean
  readonly blockOffset: number
  readonly length: number
  readonly checksums: readonly number[]
  /** Not copied: unchanged until the append has settled. */
  readonly pieces: readonly Uint8Array[]
  readonly tombstone?: Tombstone
  /** Of the block that the record completes. */
  readonly checksum?: number
}

export interface AppenderLimits {
  readonly maxBatchBytes: number
  readonly maxBatchRecords: number
  /** While a sync runs, fewer bytes than this wait for its end and go into one larger write. */
  readonly eagerWriteBytes: number
  /** Written and unsynced bytes that start a sync nobody waits for. */
  readonly writeBackBytes: number
  readonly maxUnsyncedBytes: number
  /** Zeros written ahead of small records, at most: `fdatasync` over allocated space needs no journal commit. 0 = none. */
  readonly preallocateBytes: number
}

export interface AppenderOptions {
  readonly env: Pick<Env, 'tasks' | 'at' | 'clock'>
  readonly metrics: StorageMetrics
  readonly file: DiskFile
  readonly name: ContainerFileName
  readonly proof: HeaderProof
  /** The durable length of the file; the first record goes there. */
  readonly end: number
  readonly limits: AppenderLimits
  readonly space: SpaceBudget
  readonly health: DiskHealth
  /** Durable records in file order, before their callers hear of it. Must not throw. */
  readonly onDurable: (record: LedgerRecord, end: number) => void
}

type Durability = 'cached' | 'durable'

interface Entry extends LedgerRecord {
  readonly checksums: readonly number[]
  readonly durability: Durability
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  /** Nothing is written: the entry marks a place in the order. */
  readonly barrier: boolean
  pieces: readonly Uint8Array[]
  fileOffset: number
}

const zeros = new Uint8Array(256 * 1024)
const firstAheadBytes = 64 * 1024

export class Appender {
  private readonly options: AppenderOptions
  private readonly limits: AppenderLimits
  private queue: Entry[] = []
  private queuedBytes = 0
  /** Written, not yet covered by a sync that succeeded. In file order. */
  private unsynced: Entry[] = []
  private waitingForSync = 0
  private end: number
  private floor: number
  private allocatedEnd: number
  private aheadBytes = 0
  private scheduled = false
  private writing = false
  private syncing = false
  private failure: StoreError | undefined
  private headers = new Uint8Array(16 * 1024)
  private roomWaiters: (() => void)[] = []

  constructor(options: AppenderOptions) {
    this.options = options
    this.limits = options.limits
    this.end = options.end
    this.floor = options.end
    this.allocatedEnd = options.end
  }

  /** Nothing is queued, and all that was written is durable. */
  get isIdle(): boolean {
    return this.queue.length === 0 && !this.writing && !this.syncing && this.unsynced.length === 0
  }

  get hasRoomForStream(): boolean {
    return this.end - this.floor < this.limits.maxUnsyncedBytes
  }

  /** Resolves when there is room, or the appender has failed. */
  async roomForStream(): Promise<void> {
    while (!this.hasRoomForStream && this.failure === undefined) {
      await new Promise<void>((resolve) => {
        this.roomWaiters.push(resolve)
      })
    }
  }

  /**
   * Resolves when the record is in the disk's cache, or durable. Rejects with `OutOfSpace` (nothing of it is left
   * behind), `VolumeFailed`.
   */
  append(record: NewRecord, durability: Durability): Promise<void> {
    return new Promise((resolve, reject) => {
      this.enqueue(
        { ...record, durability, resolve, reject, barrier: false, fileOffset: 0 },
        recordBytes(record.length),
      )
    })
  }

  /** Resolves when everything that was appended before is durable. */
  barrier(): Promise<void> {
    return new Promise((resolve, reject) => {
      const mark = {
        kind: 'skip',
        local: 0,
        whole: false,
        blockOffset: 0,
        length: 0,
        checksums: [],
        pieces: [],
      } as const
      this.enqueue({ ...mark, durability: 'durable', resolve, reject, barrier: true, fileOffset: 0 }, 0)
    })
  }

  private enqueue(entry: Entry, bytes: number): void {
    if (this.failure !== undefined) {
      entry.reject(this.failure)
      return
    }
    this.queue.push(entry)
    this.queuedBytes += bytes
    if (this.scheduled) return
    this.scheduled = true
    this.options.env.tasks.nextTurn(this.turn)
  }

  private readonly turn = (): void => {
    this.scheduled = false
    this.pump()
  }

  private pump(): void {
    if (this.writing || this.failure !== undefined || this.queue.length === 0) return
    if (this.syncing && this.queuedBytes < this.limits.eagerWriteBytes) return
    this.writing = true
    void this.writeBatch(this.takeBatch())
  }

  private takeBatch(): Entry[] {
    const { queue, limits } = this
    let bytes = 0
    let count = 0
    for (; count < queue.length && count < limits.maxBatchRecords; count++) {
      const entry = queue[count] as Entry
      const size = entry.barrier ? 0 : recordBytes(entry.length)
      if (count > 0 && bytes + size > limits.maxBatchBytes) break
      bytes += size
    }
    this.queuedBytes -= bytes
    if (count === queue.length) {
      this.queue = []
      return queue
    }
    return queue.splice(0, count)
  }

  private async writeBatch(batch: Entry[]): Promise<void> {
    const { file, env } = this.options
    const pieces: Uint8Array[] = []
    const end = this.frame(batch, pieces)
    try {
      env.at('hdds.write.before-write')
      if (pieces.length > 0) await file.write(this.withPreallocation(pieces, end), this.end)
    } catch (error) {
      await this.writeFailed(error, batch)
      return
    }
    this.writing = false
    this.options.metrics.batches.add(1)
    if (this.failure !== undefined) {
      for (const entry of batch) entry.reject(this.failure)
      return
    }
    this.end = end
    this.allocatedEnd = Math.max(this.allocatedEnd, end)
    for (const entry of batch) {
      this.addUnsynced(entry)
      if (entry.durability === 'cached') entry.resolve()
    }
    this.startSync()
    this.pump()
  }

  /** Headers, payloads and padding of a batch, in order; returns where the batch ends. */
  private frame(batch: readonly Entry[], pieces: Uint8Array[]): number {
    const { proof } = this.options
    const { container, generation } = this.options.name
    this.reserveHeaders(batch)
    const { headers } = this
    let at = 0
    let segment = 0
    let offset = this.end
    for (const entry of batch) {
      if (entry.barrier) continue
      entry.fileOffset = offset
      const { kind, local, whole, length, blockOffset, checksums } = entry
      const place = { container, generation, fileOffset: offset, floor: this.floor }
      at += encodeHeader({ kind, local, whole, length, blockOffset, checksums, ...place }, headers, at, proof)
      if (length > 0) {
        pieces.push(headers.subarray(segment, at))
        for (const piece of entry.pieces) pieces.push(piece)
        segment = at
      }
      const end = offset + headerBytes(checksums.length) + length
      offset = alignRecord(end)
      headers.fill(0, at, at + offset - end)
      at += offset - end
    }
    if (at > segment) pieces.push(headers.subarray(segment, at))
    return offset
  }

  private reserveHeaders(batch: readonly Entry[]): void {
    let need = 0
    for (const entry of batch) need += headerBytes(entry.checksums.length) + recordAlignBytes
    if (need > this.headers.length) this.headers = new Uint8Array(need * 2)
  }

  private withPreallocation(pieces: Uint8Array[], end: number): Uint8Array[] {
    const { preallocateBytes } = this.limits
    // Large batches pay their own journal commit; zeros in front of them would double what the disk must write.
    if (end <= this.allocatedEnd || preallocateBytes === 0 || end - this.end > preallocateBytes / 4) return pieces
    if (this.options.space.availableBytes < 2 * preallocateBytes) return pieces
    // More each time: a file that gets three small records, as a shard does, must not pay for the zeros of thousands.
    this.aheadBytes = Math.min(preallocateBytes, Math.max(firstAheadBytes, 2 * this.aheadBytes))
    let ahead = this.aheadBytes
    this.allocatedEnd = end + ahead
    for (; ahead > 0; ahead -= zeros.length) pieces.push(ahead >= zeros.length ? zeros : zeros.subarray(0, ahead))
    return pieces
  }

  private async writeFailed(error: unknown, batch: readonly Entry[]): Promise<void> {
    let reason = error
    if (isStoreError(error, 'OutOfSpace')) {
      this.options.space.exhausted()
      try {
        // Part of the batch may be on the file. Cut off, it is neither space nor, after a crash, a block.
        await this.options.file.truncate(this.end)
        this.allocatedEnd = this.end
      } catch (cause) {
        reason = this.options.health.fail(cause)
      }
    } else reason = this.options.health.fail(error)
    this.writing = false
    for (const entry of batch) {
      // What a mark waits for lies before it, and may be well.
      if (entry.barrier && this.failure === undefined) this.addUnsynced(entry)
      else entry.reject(reason)
    }
    this.startSync()
    this.pump()
  }

  private addUnsynced(entry: Entry): void {
    entry.pieces = []
    this.unsynced.push(entry)
    if (entry.durability === 'durable') this.waitingForSync++
  }

  private startSync(): void {
    if (this.syncing || this.failure !== undefined || this.unsynced.length === 0) return
    if (this.waitingForSync === 0 && this.end - this.floor < this.limits.writeBackBytes) return
    this.syncing = true
    const covered = this.unsynced
    this.unsynced = []
    this.waitingForSync = 0
    void this.sync(covered, this.end)
  }

  private async sync(covered: readonly Entry[], end: number): Promise<void> {
    const { env, file, health, metrics } = this.options
    const begunMs = env.clock.monotonicMs()
    try {
      env.at('hdds.write.before-sync')
      await file.sync()
    } catch (error) {
      const failure = health.fail(error)
      for (const entry of covered) if (entry.durability === 'durable') entry.reject(failure)
      return
    }
    env.at('hdds.write.after-sync')
    metrics.syncSeconds.observe((env.clock.monotonicMs() - begunMs) / 1000)
    this.floor = end
    this.reportDurable(covered)
    for (const entry of covered) if (entry.durability === 'durable') entry.resolve()
    this.syncing = false
    this.wakeStreams()
    this.pump()
    this.startSync()
  }

  private reportDurable(covered: readonly Entry[]): void {
    for (const entry of covered) {
      if (!entry.barrier) this.options.onDurable(entry, entry.fileOffset + recordBytes(entry.length))
    }
  }

  private wakeStreams(): void {
    const waiters = this.roomWaiters
    this.roomWaiters = []
    for (const wake of waiters) wake()
  }

  /** The disk has failed: whoever waits is rejected, and so is whoever comes. */
  fail(error: StoreError): void {
    this.failure = error
    const lost = [...this.unsynced.filter((entry) => entry.durability === 'durable'), ...this.queue]
    this.unsynced = []
    this.queue = []
    this.queuedBytes = 0
    for (const entry of lost) entry.reject(error)
    this.wakeStreams()
  }
}
