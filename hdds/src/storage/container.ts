/**
 * One container on one disk: its current file, its sums, its writers. All changes of the index go through `onDurable`,
 * record by record in file order, as recovery would do it.
 */

import { StoreError, assert } from '@o3/common/errors'
import type { ContainerId, ContainerReport, LocalId } from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type { BlockRow } from '../core/block-row.ts'
import type { IndexCheckpoint } from '../core/checkpoint-row.ts'
import { checksumOfUnits } from '../core/block-checksum.ts'
import type { ContainerLedger, LedgerRecord, Sealing } from '../core/container-ledger.ts'
import { formatHash } from '../core/content-hash.ts'
import type { ContentHash } from '../core/content-hash.ts'
import { blockKey } from '../core/index-keys.ts'
import { recordBytes } from '../core/record-layout.ts'
import { SparseBits } from '../core/sparse-bits.ts'
import type { LocalRun } from '../core/tombstone.ts'
import { Appender } from './appender.ts'
import type { NewRecord } from './appender.ts'
import { crc32c, totalLength, unitChecksums } from './checksum.ts'
import type { ContainerFile } from './container-file.ts'
import { readSmall } from './container-reads.ts'
import { alreadyWritten, applyChange, sealRecord, stateOf, viewOf } from './container-view.ts'
import type { ContainerView } from './container-view.ts'
import { ContainerWriter } from './container-writer.ts'
import type { DiskScope } from './disk-scope.ts'
import { OneAtATime } from './one-at-a-time.ts'
import type { ReadBuffers } from './read-buffers.ts'

/** Told of every block that is to be deleted, whether it is there or not. */
export interface RestorationWatch {
  refuse(local: LocalId): void
}

export interface ContainerOptions {
  readonly scope: DiskScope
  readonly buffers: ReadBuffers
  readonly file: ContainerFile
  readonly ledger: ContainerLedger
  /** No block with a higher local id was written before. */
  readonly highestLocal: LocalId
}

export class Container {
  readonly id: ContainerId
  readonly scope: DiskScope
  /** Deletions, the switch of a compaction and the sealing take turns. */
  readonly turns = new OneAtATime()
  readonly buffers: ReadBuffers
  private view: ContainerView
  private ledgerOfView: ContainerLedger
  private appender: Appender | undefined
  private opening: Promise<Appender> | undefined
  private appenderUsers = 0
  /**
   * Ids that have had a block in this life of the process: "was it written before?" must cost a write no look into the
   * index. Ids up to `highestLocal` may have had one in an earlier life; they are looked up, and they are few, because
   * ids are handed out in rising order.
   */
  private spent = new SparseBits()
  private readonly highestLocal: LocalId
  private readonly writers = new Map<LocalId, ContainerWriter>()
  private closing: Promise<void> | undefined
  private whenNoWriters: (() => void) | undefined
  /** Deleted, or the datanode stops: nothing begins any more. */
  private ended: 'removed' | 'stopped' | undefined
  private changes = 0
  private damageSeen = false
  private damageNotes = 0
  private readonly deletionWatchers = new Set<LocalRun[]>()
  private restoration: RestorationWatch | undefined
  private restorations = 0
  private isReplacing = false
  private reported: { readonly version: number; readonly report: ContainerReport } | undefined

  constructor(options: ContainerOptions) {
    this.id = options.file.name.container
    this.scope = options.scope
    this.buffers = options.buffers
    this.ledgerOfView = options.ledger
    this.highestLocal = options.highestLocal
    this.view = viewOf(options.scope, options.file)
  }

  // ------------------------------------------------------------------------------------------------------ state

  get current(): ContainerView {
    return this.view
  }

  get ledger(): ContainerLedger {
    return this.ledgerOfView
  }

  get generation(): number {
    return this.view.file.name.generation
  }

  get isSealed(): boolean {
    return this.ledgerOfView.isSealed
  }

  /** Takes new blocks. */
  get isOpen(): boolean {
    return !this.isSealed && this.closing === undefined && this.ended === undefined
  }

  /** Some of its bytes did not verify: at the start, or since then. */
  get isDamaged(): boolean {
    return this.damageSeen || this.ledgerOfView.isDamaged
  }

  noteDamage(): void {
    this.damageNotes++
    if (this.damageSeen) return
    this.damageSeen = true
    this.changes++
  }

  /** How often damage was noted. */
  get notesOfDamage(): number {
    return this.damageNotes
  }

  /** All of it was read, and verified. What recovery found stays. */
  clearDamage(): void {
    if (!this.damageSeen) return
    this.damageSeen = false
    this.changes++
  }

  /** Grows with each change of what `report` says. */
  get version(): number {
    return this.changes
  }

  /** The same object until something in it changes: most do not for days, and each heartbeat asks for all. */
  report(): ContainerReport {
    if (this.reported?.version !== this.changes) this.reported = { version: this.changes, report: this.describe() }
    return this.reported.report
  }

  private describe(): ContainerReport {
    const { ledgerOfView: ledger, isDamaged } = this
    // Of a damaged one nobody knows what it has.
    const isOrigin = ledger.sealState === 'origin' && !isDamaged
    return {
      id: this.id,
      state: isDamaged ? 'UNHEALTHY' : stateOf[ledger.sealState],
      ...(isDamaged && !this.isSealed && { open: true }),
      generation: this.generation,
      usedBytes: ledger.usedBytes,
      liveBytes: ledger.live,
      blockCount: ledger.blocks,
      ...(ledger.contentHash === undefined ? {} : { contentHash: formatHash(ledger.contentHash) }),
      ...(isOrigin && { isOrigin }),
    }
  }

  /** Counted anew; under `turns`, so that it is the sum of this moment. */
  setContentHash(hash: ContentHash): void {
    this.ledgerOfView.setContentHash(hash)
    this.changes++
  }

  checkpoint(): IndexCheckpoint {
    return { generation: this.generation, scanFrom: this.ledgerOfView.scanFrom(), sums: this.ledgerOfView.sums() }
  }

  // ------------------------------------------------------------------------------------------------------ write

  /** Durable when it resolves, with the block's checksum. */
  async writeBlock(local: LocalId, pieces: readonly Uint8Array[]): Promise<number> {
    const length = totalLength(pieces)
    if (length > maxChunkBytes) throw new StoreError('InvalidArgument', 'a block in one message is at most 1 MiB')
    if (local <= this.highestLocal || this.scope.index.isBehind) await this.prepare(local)
    this.assertOpen()
    if (this.spent.has(local)) return await this.repeatBlock(local, pieces, length)
    // No turn is given away from here to the queue: neither the seal nor a twin of this write can come between.
    this.spent.add(local)
    try {
      return await this.appendWhole(local, pieces)
    } catch (error) {
      this.spent.delete(local)
      throw error
    }
  }

  /** Durable when it resolves, with the block's checksum. Whether it may be written has been asked. `OutOfSpace`. */
  async appendWhole(local: LocalId, pieces: readonly Uint8Array[]): Promise<number> {
    const length = totalLength(pieces)
    const taken = recordBytes(length)
    this.scope.space.take(taken)
    const record = { kind: 'data', local, whole: true, blockOffset: 0, length } as const
    const checksums = unitChecksums(pieces)
    const checksum = checksumOfUnits(checksums, crc32c)
    try {
      await this.append({ ...record, checksums, pieces, checksum }, 'durable')
      return checksum
    } finally {
      this.scope.space.landed(taken)
    }
  }

  async openWriter(local: LocalId): Promise<ContainerWriter> {
    await this.prepare(local)
    this.assertOpen()
    if (this.spent.has(local)) throw alreadyWritten(this.id, local)
    this.spent.add(local)
    return this.startWriter(local)
  }

  /** Whether the block may be written has been asked. */
  startWriter(local: LocalId): ContainerWriter {
    const writer = new ContainerWriter({
      local,
      scope: this.scope,
      append: (record, durability) => this.append(record, durability),
      room: () => (this.appender?.hasRoomForStream === false ? this.appender.roomForStream() : undefined),
      ended: (outcome) => this.writerEnded(local, outcome),
    })
    this.writers.set(local, writer)
    return writer
  }

  /**
   * The reply to a write may be lost and the write come again: with the same bytes it is answered like the first.
   * Other bytes under the same id are refused; ids are never used twice, so this is somebody's mistake, and the block
   * that was acknowledged stands.
   */
  private async repeatBlock(local: LocalId, pieces: readonly Uint8Array[], length: number): Promise<number> {
    await this.settled()
    const row = await this.find(this.view, local)
    if (row === undefined || row.lengthBytes !== length) throw alreadyWritten(this.id, local)
    const stored = await readSmall(this, { local, range: { offset: 0, length } })
    let at = 0
    for (const piece of pieces) {
      if (Buffer.compare(piece, stored.subarray(at, at + piece.length)) !== 0) throw alreadyWritten(this.id, local)
      at += piece.length
    }
    return checksumOfUnits(unitChecksums(pieces), crc32c)
  }

  /** False: no block with this id was ever begun here. */
  mayHave(local: LocalId): boolean {
    return local <= this.highestLocal || this.spent.has(local)
  }

  /**
   * A block that was begun here and given up may be written after all, by whoever knows that it is the same block: the log
   * of a pipeline. For anybody else its id stays spent.
   */
  async readmit(local: LocalId): Promise<void> {
    await this.settled()
    if (this.writers.has(local) || (await this.find(this.view, local)) !== undefined) return
    this.spent.delete(local)
  }

  /** What a write may have to wait for: a look into the index for an old id, and for the index to catch up. */
  private async prepare(local: LocalId): Promise<void> {
    if (this.scope.index.isBehind) await this.scope.index.catchUp()
    if (local <= this.highestLocal && (await this.find(this.view, local)) !== undefined) this.spent.add(local)
  }

  private assertNotEnded(): void {
    if (this.ended === 'removed') throw new StoreError('ContainerNotFound', `no container ${this.id}`)
    if (this.ended === 'stopped') throw new StoreError('Closed', 'the datanode is closed')
  }

  private assertOpen(): void {
    this.assertWritable()
    if (!this.isOpen) {
      throw new StoreError('Unavailable', `container ${this.id} is closed: write to another block`, {
        details: { container: this.id, state: 'CLOSED' },
      })
    }
  }

  private async writerEnded(local: LocalId, outcome: 'committed' | 'aborted'): Promise<void> {
    // The ledger hears of a record when it is synced: it can forget the block only after the last of them.
    if (outcome === 'aborted') {
      await this.settledUnlessFailed()
      // Of a failed disk nobody knows whether the commit is on it: the next start must see the whole block, or none.
      if (this.scope.health.failed === undefined) this.ledgerOfView.forget(local)
    }
    this.writers.delete(local)
    if (this.writers.size === 0) this.whenNoWriters?.()
  }

  // ----------------------------------------------------------------------------------------------------- append

  append(record: NewRecord, durability: 'cached' | 'durable'): Promise<void> {
    return this.useAppender((appender) => appender.append(record, durability))
  }

  private async useAppender(action: (appender: Appender) => Promise<void>): Promise<void> {
    this.appenderUsers++
    try {
      await action(this.appender ?? (await this.openAppender()))
    } finally {
      this.appenderUsers--
      // A sealed container is written seldom: it keeps no file open for that.
      if (this.appenderUsers === 0 && this.isSealed) this.closeAppender()
    }
  }

  private openAppender(): Promise<Appender> {
    this.opening ??= this.startAppender().finally(() => {
      this.opening = undefined
    })
    return this.opening
  }

  private async startAppender(): Promise<Appender> {
    const { scope, view } = this
    const file = await view.file.acquire()
    this.appender = new Appender({
      env: scope.env,
      metrics: scope.metrics,
      file,
      name: view.file.name,
      proof: view.proof,
      end: this.ledgerOfView.usedBytes,
      limits: scope.limits,
      space: scope.space,
      health: scope.health,
      onDurable: this.onDurable,
    })
    return this.appender
  }

  private closeAppender(): void {
    if (this.appender === undefined) return
    assert(this.appender.isIdle || this.scope.health.failed !== undefined, 'an appender is closed amid its work')
    this.appender = undefined
    this.view.file.release()
  }

  /** Everything appended before is durable, and in the index. */
  async settled(): Promise<void> {
    if (this.appender !== undefined) await this.useAppender((appender) => appender.barrier())
  }

  /** A disk that has failed, or fails now, has told whoever waited; there is nothing more to wait for. */
  private async settledUnlessFailed(): Promise<void> {
    const { health } = this.scope
    try {
      if (health.failed === undefined) await this.settled()
    } catch (error) {
      if (health.failed === undefined) throw error
    }
  }

  private readonly onDurable = (record: LedgerRecord, end: number): void => {
    this.changes++
    const { metrics } = this.scope
    if (record.kind === 'data') metrics.writtenBytes.add(record.length)
    const change = this.ledgerOfView.apply(record, end)
    if (change === undefined) return
    applyChange(this.scope, this.view.keyPrefix, change)
    if (change.kind === 'put') {
      metrics.writtenBlocks.add(1)
      return
    }
    metrics.deletedBlocks.add(record.tombstone?.blocks ?? 0)
    for (const runs of this.deletionWatchers) runs.push(...change.runs)
  }

  failed(error: StoreError): void {
    this.appender?.fail(error)
  }

  // ------------------------------------------------------------------------------------------------------ index

  /** The row of a block, or undefined. */
  find(view: ContainerView, local: LocalId): BlockRow | undefined | Promise<BlockRow | undefined> {
    return this.scope.index.get(blockKey(view.keyPrefix, local))
  }

  /** False when there cannot be a block with this id; there will not be one either: a writer that comes late is refused. */
  claimForDeletion(local: LocalId): boolean {
    this.restoration?.refuse(local)
    if (!this.isOpen) {
      this.writers.get(local)?.cancel()
      return true
    }
    const mayExist = this.spent.has(local) || local <= this.highestLocal
    this.spent.add(local)
    this.writers.get(local)?.cancel()
    return mayExist
  }

  /** Throws `VolumeFailed`, `ContainerNotFound`, `Closed`. */
  assertWritable(): void {
    this.scope.health.assertWritable()
    this.assertNotEnded()
  }

  /** The deletions that become durable until `end`. */
  watchDeletions(): { readonly runs: readonly LocalRun[]; end(): void } {
    const runs: LocalRun[] = []
    this.deletionWatchers.add(runs)
    return { runs, end: () => void this.deletionWatchers.delete(runs) }
  }

  /**
   * Blocks of other replicas come, also behind the seal (see `Restoration`): the file is not replaced until `end`, and
   * whoever brings them is told which ones were asked to be deleted.
   */
  startRestoration(watch: RestorationWatch): { end(): Promise<void> } {
    if (this.restoration !== undefined) throw new StoreError('Busy', `container ${this.id} is being restored`)
    if (this.isReplacing) throw new StoreError('Busy', `the file of container ${this.id} is being replaced`)
    this.restoration = watch
    this.restorations++
    // Between two of them records may be unsynced: the appender stays.
    this.appenderUsers++
    return {
      end: async () => {
        await this.settledUnlessFailed()
        this.restoration = undefined
        this.appenderUsers--
        if (this.appenderUsers === 0 && this.isSealed) this.closeAppender()
      },
    }
  }

  get isRestored(): boolean {
    return this.restoration !== undefined
  }

  /** How many have begun: whoever copies this file must have seen the same number when he has finished, and none under way. */
  get restorationsBegun(): number {
    return this.restorations
  }

  /** No restoration begins until `end`: the next generation is about to have its final name, and has what this one has now. */
  startReplacing(): { end(): void } {
    assert(!this.isRestored, 'a container is replaced while it is restored')
    this.isReplacing = true
    return {
      end: () => {
        this.isReplacing = false
      },
    }
  }

  // ------------------------------------------------------------------------------------------------------ close

  /**
   * No new blocks from now on; when the writers that are under way have ended, the seal is made durable. `alone`,
   * `origin`: the pipeline is lost, the writers under way are given up, and it is `QUASI_CLOSED`. Idempotent: a container that is
   * closed, or being closed, stays as it is.
   */
  close({ how = 'agreed' }: { readonly how?: Sealing } = {}): Promise<void> {
    if (this.isSealed) return Promise.resolve()
    this.closing ??= this.seal(how).catch((error: unknown) => {
      this.closing = undefined
      throw error
    })
    return this.closing
  }

  /** What it may have lacked is there: `QUASI_CLOSED` becomes `CLOSED`, durably. Idempotent; nothing for an open one. */
  agree(): Promise<void> {
    return this.turns.run(async () => {
      if (!this.isSealed || this.ledgerOfView.sealState === 'agreed') return
      this.assertWritable()
      this.scope.env.at('hdds.close.before-agreed')
      await this.append(sealRecord('agreed'), 'durable')
    })
  }

  private async seal(how: Sealing): Promise<void> {
    this.scope.health.assertWritable()
    if (how !== 'agreed') for (const writer of this.writers.values()) writer.cancel()
    if (this.writers.size > 0) {
      await new Promise<void>((resolve) => {
        this.whenNoWriters = resolve
      })
    }
    await this.turns.run(async () => {
      this.assertNotEnded()
      this.scope.env.at('hdds.close.before-seal')
      await this.append(sealRecord(how), 'durable')
      this.scope.env.at('hdds.close.after-seal')
      this.spent = new SparseBits()
      await this.dropPreallocation()
    })
  }

  private async dropPreallocation(): Promise<void> {
    const { file } = this.view
    const opened = await file.acquire()
    try {
      await opened.truncate(this.ledgerOfView.usedBytes)
    } catch (error) {
      throw this.scope.health.fail(error)
    } finally {
      file.release()
    }
  }

  // ----------------------------------------------------------------------------------------- compaction, removal

  /** Under `turns`: readers and deletions use the next generation from now on. */
  switchTo(file: ContainerFile, ledger: ContainerLedger): void {
    assert(this.appenderUsers === 0, 'a container is switched while it is written')
    this.closeAppender()
    this.view = viewOf(this.scope, file)
    this.ledgerOfView = ledger
    this.changes++
  }

  /** Under `turns`: nothing may begin any more. */
  markRemoved(): void {
    this.ended = 'removed'
  }

  get isRemoved(): boolean {
    return this.ended === 'removed'
  }

  /** Ends writing, for good; durable when it resolves. Under `turns`. */
  async stop(): Promise<void> {
    this.ended ??= 'stopped'
    await Promise.all([...this.writers.values()].map((writer) => writer.abort()))
    await this.settledUnlessFailed()
    // Others may have asked for a sync meanwhile: a scrubber, a log that is being applied. They add nothing.
    while (this.appender?.isIdle === false && this.scope.health.failed === undefined) await this.settledUnlessFailed()
    this.closeAppender()
  }
}
