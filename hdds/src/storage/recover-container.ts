/**
 * Brings the index up to a container file after a start: reads the records behind the durable checkpoint, applies them
 * like the live path does, and makes the end of the file fit to be written again.
 *
 * The floor (see record.ts) decides about bytes that do not verify. Before it, they were durable once: damage, which is
 * kept, named and reported. Behind it, they are what a power cut left of writes that nobody was told of: a torn tail is
 * cut off, and a torn piece with sound records behind it is covered by a `skip` record, because the next floor would
 * otherwise make it look like damage. A row of the index is as good as a floor: it is written when its record is durable. To
 * cut what it names would leave a row without bytes, and lose without a word what was acknowledged.
 */

import type { DiskFile, Env } from '@o3/common/env'
import type { LocalId } from '@o3/scm/api'
import { checksumOfUnits } from '../core/block-checksum.ts'
import type { IndexCheckpoint } from '../core/checkpoint-row.ts'
import { checksumOfCommit } from '../core/commit.ts'
import { ContainerLedger } from '../core/container-ledger.ts'
import type { DamagedRange, LedgerChange, LedgerRecord } from '../core/container-ledger.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { encodeHeader } from '../core/record.ts'
import type { HeaderProof, RecordHeader } from '../core/record.ts'
import { bareRecordBytes, fixedHeaderBytes } from '../core/record-layout.ts'
import { decodeTombstone } from '../core/tombstone.ts'
import type { Tombstone } from '../core/tombstone.ts'
import { crc32c } from './checksum.ts'
import { readPayload } from './payload.ts'
import { RecordScanner } from './record-scanner.ts'
import type { ScanEvent } from './record-scanner.ts'

export interface RecoverOptions {
  readonly env: Pick<Env, 'at'>
  readonly file: DiskFile
  readonly name: ContainerFileName
  readonly proof: HeaderProof
  /** Of this generation; undefined: the whole file is read. */
  readonly checkpoint: IndexCheckpoint | undefined
  readonly apply: (change: LedgerChange) => void | Promise<void>
  /** Where the last record ends that the index names: of all of its rows, or, for next to nothing, of the highest block. */
  readonly named?: (rows: 'all' | 'highest') => Promise<number>
  /** Writes again what is there already; durable when it resolves. Default: in place, for what nobody was told of. */
  readonly rewrite?: (bytes: Uint8Array, from: number) => Promise<void>
}

type RecordEvent = Extract<ScanEvent, { readonly kind: 'record' }>

export interface RecoveredContainer {
  readonly ledger: ContainerLedger
  /** Damage found by this scan. */
  readonly damaged: readonly DamagedRange[]
  /** Bytes of unacknowledged writes that were cut off or covered. */
  readonly tornBytes: number
  readonly scannedBytes: number
  /** Blocks that were started and never committed. */
  readonly abandoned: readonly LocalId[]
}

const rewriteBytes = 4 * 1024 * 1024

/** Reads, repairs the end of the file, and syncs it when anything behind the floor was kept or changed. */
export async function recoverContainer(options: RecoverOptions): Promise<RecoveredContainer> {
  const scan = new ContainerScan(options)
  const size = await options.file.size()
  await scan.readRecords(size)
  await scan.settleUnconfirmed(size)
  await scan.repair(size)
  await scan.applyKept()
  return scan.result()
}

/** The part of recovery that only looks, for the offline checker as well. */
export class ContainerScan {
  readonly ledger: ContainerLedger
  readonly damaged: DamagedRange[] = []
  /** Torn pieces with sound records behind them. */
  readonly torn: DamagedRange[] = []
  /** Where the next record goes. */
  tail: number
  private readonly options: RecoverOptions
  private floor: number
  private unconfirmed: ScanEvent[] = []
  /** Sound records that no floor vouches for. */
  private kept: RecordEvent[] = []
  private buffer: Uint8Array = new Uint8Array(0)

  constructor(options: RecoverOptions) {
    this.options = options
    this.ledger = new ContainerLedger(options.checkpoint?.sums)
    this.floor = options.checkpoint?.sums.end ?? 0
    this.tail = this.scanStart
  }

  private get scanStart(): number {
    return this.options.checkpoint?.scanFrom ?? 0
  }

  /** Applies every record that some later record, or the checkpoint, says was durable; keeps the others back. */
  async readRecords(size: number): Promise<void> {
    const { file, name, proof } = this.options
    const scanner = new RecordScanner({ file, name, proof, from: this.scanStart, to: size })
    for (;;) {
      const events = await scanner.next()
      if (events.length === 0) return
      for (const event of events) {
        if (event.kind === 'record') this.floor = Math.max(this.floor, event.header.floor)
        this.unconfirmed.push(event)
      }
      await this.applyConfirmed()
    }
  }

  /** Verifies the payloads of what may have been torn by a power cut, and so finds the end of the file. */
  async settleUnconfirmed(size: number): Promise<void> {
    await this.verifyUnconfirmed()
    await this.believeIndex()
    // A file that is shorter than what was durable has lost its end.
    if (size < this.floor) this.noteDamage({ from: size, to: this.floor })
    for (const event of this.unconfirmed) {
      if (event.kind === 'record') {
        this.kept.push(event)
        this.tail = event.to
      } else this.addTorn(event)
    }
    this.unconfirmed = []
    // The tail is cut, not covered.
    while ((this.torn.at(-1)?.from ?? -1) >= this.tail) this.torn.pop()
  }

  /** From now on they are whole records, and holes. */
  private async verifyUnconfirmed(): Promise<void> {
    for (const [n, event] of this.unconfirmed.entries()) {
      if (event.kind === 'hole' || (await this.isWhole(event.header))) continue
      this.unconfirmed[n] = { kind: 'hole', from: event.from, to: event.to, atEnd: false }
    }
  }

  /** All rows are only read where something does not verify: most tails are zeros that were to be written next. */
  private async believeIndex(): Promise<void> {
    const { named } = this.options
    // Behind a seal nobody writes, and the checkpoint vouches for what is before it.
    if (named === undefined || this.ledger.isSealed) return
    let isTorn = false
    for (const event of this.unconfirmed)
      isTorn ||= event.kind === 'hole' && (!event.atEnd || (await this.isWritten(event)))
    const end = await named(isTorn ? 'all' : 'highest')
    if (end <= this.floor) return
    this.floor = end
    await this.applyConfirmed()
  }

  /** A header was here, rather than zeros. */
  private async isWritten({ from, to }: DamagedRange): Promise<boolean> {
    const bytes = new Uint8Array(Math.min(fixedHeaderBytes, to - from))
    await this.options.file.read(bytes, from)
    return bytes.some((byte) => byte !== 0)
  }

  /** Cuts the torn tail, covers torn pieces; durable when it resolves. */
  async repair(size: number): Promise<void> {
    const { file, env } = this.options
    for (const range of this.torn) {
      await file.write([this.skipRecord(range)], range.from)
      env.at('hdds.recover.skip-written')
    }
    // Also when the file is shorter: the padding of the last record may be what the power cut took.
    if (size !== this.tail) {
      await file.truncate(this.tail)
      env.at('hdds.recover.truncated')
    }
    // What we saw may be in the page cache only: it must not be shown to anybody, nor be in the index, before it is
    // durable. (An index row outlives a power cut on its own.) A sync alone would not do: after one that failed in the
    // life before, the kernel calls these pages clean and does not write them again (fsyncgate).
    for (const { from, to } of joined(this.kept)) await this.writeAgain(from, Math.min(to, size))
    if (this.kept.length > 0 || this.torn.length > 0 || size !== this.tail) await file.sync()
  }

  async applyKept(): Promise<void> {
    for (const event of this.kept) await this.applyRecord(event.header, event.to)
    this.kept = []
  }

  result(): RecoveredContainer {
    const abandoned = this.ledger.dropUnfinished()
    let tornBytes = 0
    for (const range of this.torn) tornBytes += range.to - range.from
    return {
      ledger: this.ledger,
      damaged: this.damaged,
      tornBytes,
      scannedBytes: this.tail - this.scanStart,
      abandoned,
    }
  }

  private async writeAgain(from: number, to: number): Promise<void> {
    const { file, rewrite = (bytes: Uint8Array, at: number) => file.write([bytes], at) } = this.options
    for (let at = from; at < to; at += rewriteBytes) {
      const bytes = new Uint8Array(Math.min(rewriteBytes, to - at))
      await file.read(bytes, at)
      await rewrite(bytes, at)
    }
  }

  private async applyConfirmed(): Promise<void> {
    let count = 0
    for (const event of this.unconfirmed) {
      if (event.from >= this.floor) break
      count++
      if (event.kind === 'record') await this.applyRecord(event.header, event.to)
      else if (event.atEnd) this.noteDamage({ from: event.from, to: Math.min(event.to, this.floor) })
      else this.noteDamage(event)
    }
    if (count > 0) this.unconfirmed = this.unconfirmed.slice(count)
  }

  private noteDamage(range: DamagedRange): void {
    this.damaged.push({ from: range.from, to: range.to })
    this.ledger.applyDamage({ from: range.from, to: range.to })
    this.tail = Math.max(this.tail, range.to)
  }

  private async applyRecord(header: RecordHeader, end: number): Promise<void> {
    const record = await this.completed(header)
    if (record === undefined) {
      this.noteDamage({ from: header.fileOffset, to: end })
      return
    }
    const change = this.ledger.apply(record, end)
    this.tail = Math.max(this.tail, end)
    if (change !== undefined) await this.options.apply(change)
  }

  /** With what the ledger needs beside the header; undefined when that is damaged. */
  private async completed(header: RecordHeader): Promise<LedgerRecord | undefined> {
    switch (header.kind) {
      case 'data':
        return header.whole ? { ...header, checksum: checksumOfUnits(header.checksums, crc32c) } : header
      case 'commit': {
        if (header.length === 0) return header // of an earlier release
        const payload = await this.payload(header)
        // The block is there all the same: only what it was checked against is not. A scrub says so.
        return payload === undefined ? header : { ...header, checksum: checksumOfCommit(payload) }
      }
      case 'tombstone': {
        const tombstone = await this.readTombstone(header)
        return tombstone === undefined ? undefined : { ...header, tombstone }
      }
      case 'seal':
      case 'skip':
        return header
    }
  }

  private addTorn(event: ScanEvent): void {
    const last = this.torn.at(-1)
    if (last !== undefined && last.to === event.from)
      this.torn[this.torn.length - 1] = { from: last.from, to: event.to }
    else this.torn.push({ from: event.from, to: event.to })
  }

  private async isWhole(header: RecordHeader): Promise<boolean> {
    return header.kind === 'skip' || (await this.payload(header)) !== undefined
  }

  private async readTombstone(header: RecordHeader): Promise<Tombstone | undefined> {
    const payload = await this.payload(header)
    return payload === undefined ? undefined : decodeTombstone(payload)
  }

  private async payload(header: RecordHeader): Promise<Uint8Array | undefined> {
    if (this.buffer.length < header.length) this.buffer = new Uint8Array(header.length)
    return await readPayload(this.options.file, header, this.buffer)
  }

  private skipRecord(range: DamagedRange): Uint8Array {
    const { name, proof } = this.options
    const bytes = new Uint8Array(bareRecordBytes)
    const place = { container: name.container, generation: name.generation, fileOffset: range.from, floor: this.floor }
    const length = range.to - range.from - fixedHeaderBytes
    encodeHeader(
      { kind: 'skip', local: 0, whole: false, length, blockOffset: 0, checksums: [], ...place },
      bytes.subarray(0, fixedHeaderBytes),
      0,
      proof,
    )
    return bytes
  }
}

/** Side by side in the file. */
function joined(records: readonly RecordEvent[]): readonly DamagedRange[] {
  const ranges: DamagedRange[] = []
  for (const { from, to } of records) {
    const last = ranges.at(-1)
    if (last?.to === from) ranges[ranges.length - 1] = { from: last.from, to }
    else ranges.push({ from, to })
  }
  return ranges
}
