/**
 * What the records of one container file add up to: a fold, the same for a record that was just synced and for one that
 * recovery reads back. So the index after a crash is what it would have been without.
 *
 * A block exists when it is a whole record, or when all its data records and then its commit record were applied, and
 * no tombstone names it.
 */

import type { LocalId } from '@o3/scm/api'
import type { BlockRow, Extent } from './block-row.ts'
import { storedBytes } from './block-row.ts'
import { emptyHash, subtractHash, withBlock } from './content-hash.ts'
import type { ContentHash } from './content-hash.ts'
import type { RecordHeader } from './record.ts'
import { alignRecord, headerBytes } from './record-layout.ts'
import type { LocalRun, Tombstone } from './tombstone.ts'

/** As much of a record as the fold needs. */
export interface LedgerRecord extends Pick<
  RecordHeader,
  'kind' | 'local' | 'length' | 'blockOffset' | 'whole' | 'fileOffset'
> {
  /** With a tombstone. */
  readonly tombstone?: Tombstone
  /** With a record that completes a block: the block's (see `BlockChecksum`), where it is known. */
  readonly checksum?: number | undefined
}

/**
 * How a container was closed: `agreed`, with all that was ever acknowledged; or, when its pipeline was lost, with what was there.
 * As an `origin`, when its member still has all that it ever acknowledged itself: a majority of those has all that was ever
 * acknowledged (ADR 11). `alone`, when it cannot say so.
 */
export type SealState = 'none' | 'agreed' | 'alone' | 'origin'

/** How a container is closed. */
export type Sealing = Exclude<SealState, 'none'>

/** What a seal's `blockOffset` says: that nobody else was asked. With the flag `whole` it is that of an origin. */
export const aloneMark = 1

/** Part of the file that does not verify although it was durable once. `to` is exclusive. */
export interface DamagedRange {
  readonly from: number
  readonly to: number
}

/** The sums at one place in the file. */
export interface LedgerSums {
  /** All records before this offset are counted: the durable length of the file. */
  readonly end: number
  readonly liveBytes: number
  readonly blockCount: number
  readonly seal: SealState
  /** Undefined while it is not known: a block has no checksum, or was deleted without one. It is then counted anew. */
  readonly hash: ContentHash | undefined
  /** At most `maxDamagedRanges`; the last one then reaches to the end of the damage. */
  readonly damaged: readonly DamagedRange[]
}

/** What the index must do about a record. */
export type LedgerChange =
  | { readonly kind: 'put'; readonly local: LocalId; readonly row: BlockRow }
  | { readonly kind: 'delete'; readonly runs: readonly LocalRun[] }

export const maxDamagedRanges = 100

export const emptySums: LedgerSums = {
  end: 0,
  liveBytes: 0,
  blockCount: 0,
  seal: 'none',
  hash: emptyHash,
  damaged: [],
}

interface OpenBlock {
  readonly firstOffset: number
  readonly extents: Extent[]
  lengthBytes: number
}

export function recordEnd(record: Pick<RecordHeader, 'kind' | 'fileOffset' | 'length' | 'checksums'>): number {
  return alignRecord(record.fileOffset + headerBytes(record.checksums.length) + record.length)
}

export class ContainerLedger {
  private end: number
  private liveBytes: number
  private blockCount: number
  private seal: SealState
  private hash: ContentHash | undefined
  private damaged: DamagedRange[]
  private readonly open = new Map<LocalId, OpenBlock>()

  constructor(sums: LedgerSums = emptySums) {
    this.end = sums.end
    this.liveBytes = sums.liveBytes
    this.blockCount = sums.blockCount
    this.seal = sums.seal
    this.hash = sums.hash
    this.damaged = [...sums.damaged]
  }

  sums(): LedgerSums {
    const { end, liveBytes, blockCount, seal, hash } = this
    return { end, liveBytes, blockCount, seal, hash, damaged: [...this.damaged] }
  }

  /** Where a scan must begin to complete the blocks that are under way: at most `end`. */
  scanFrom(): number {
    let from = this.end
    for (const block of this.open.values()) from = Math.min(from, block.firstOffset)
    return from
  }

  get isSealed(): boolean {
    return this.seal !== 'none'
  }

  get sealState(): SealState {
    return this.seal
  }

  /** Undefined while it is not known. */
  get contentHash(): ContentHash | undefined {
    return this.hash
  }

  /** It was counted anew, at this moment. */
  setContentHash(hash: ContentHash): void {
    this.hash = hash
  }

  /** What is in it is not what its records add up to: damaged headers hide blocks. */
  forgetContentHash(): void {
    this.hash = undefined
  }

  get isDamaged(): boolean {
    return this.damaged.length > 0
  }

  get usedBytes(): number {
    return this.end
  }

  get blocks(): number {
    return this.blockCount
  }

  get live(): number {
    return this.liveBytes
  }

  /**
   * Takes one record, in file order. A record before `end` (a scan began earlier, see `scanFrom`) only feeds the block
   * that is under way. `recordEndOffset` is where the next record starts.
   */
  apply(record: LedgerRecord, recordEndOffset: number): LedgerChange | undefined {
    const counted = record.fileOffset < this.end
    this.end = Math.max(this.end, recordEndOffset)
    switch (record.kind) {
      case 'data':
        return this.applyData(record, counted)
      case 'commit':
        return this.applyCommit(record, counted)
      case 'tombstone':
        return counted ? undefined : this.applyTombstone(record.tombstone)
      case 'seal':
        return this.applySeal(record)
      case 'skip':
        return undefined
    }
  }

  /** Notes damage in file order; the records behind it go on being applied. */
  applyDamage(range: DamagedRange): void {
    this.end = Math.max(this.end, range.to)
    const last = this.damaged.at(-1)
    if (last !== undefined && range.from < last.to) return // a scan that began before a range already noted
    if (last !== undefined && this.damaged.length === maxDamagedRanges) {
      this.damaged[maxDamagedRanges - 1] = { from: last.from, to: range.to }
    } else this.damaged.push(range)
  }

  /** The writer of this block gave up; its records are garbage. */
  forget(local: LocalId): void {
    this.open.delete(local)
  }

  /** After a scan: blocks without a commit never will have one. Returns their ids. */
  dropUnfinished(): LocalId[] {
    const locals = [...this.open.keys()]
    this.open.clear()
    return locals
  }

  private applyData(record: LedgerRecord, counted: boolean): LedgerChange | undefined {
    const extent: Extent = { fileOffset: record.fileOffset, length: record.length }
    if (record.whole) {
      return counted
        ? undefined
        : this.put(record.local, {
            lengthBytes: record.length,
            whole: true,
            extents: [extent],
            checksum: record.checksum,
          })
    }
    let block = this.open.get(record.local)
    if (block === undefined || record.blockOffset < block.lengthBytes) {
      block = { firstOffset: record.fileOffset, extents: [], lengthBytes: 0 }
      this.open.set(record.local, block)
    }
    if (record.blockOffset > block.lengthBytes) addLost(block, record.blockOffset)
    block.extents.push(extent)
    block.lengthBytes += record.length
    return undefined
  }

  private applyCommit(record: LedgerRecord, counted: boolean): LedgerChange | undefined {
    const block = this.open.get(record.local) ?? { firstOffset: record.fileOffset, extents: [], lengthBytes: 0 }
    this.open.delete(record.local)
    if (counted) return undefined
    if (record.blockOffset > block.lengthBytes) addLost(block, record.blockOffset)
    // Data that is missing without damage before the commit was torn off with the same power cut: never acknowledged.
    const lost = block.extents.some((extent) => extent.fileOffset === undefined)
    if (lost && !this.isDamaged) return undefined
    const { blockOffset: lengthBytes, checksum } = record
    return this.put(record.local, { lengthBytes, whole: false, extents: block.extents, checksum })
  }

  /** The last seal counts, and agreement is never taken back: of a scan that began before the checkpoint as well. */
  private applySeal({ blockOffset, whole }: LedgerRecord): undefined {
    if (this.seal === 'agreed') return
    if (blockOffset !== aloneMark) this.seal = 'agreed'
    else this.seal = whole ? 'origin' : 'alone'
  }

  private applyTombstone(tombstone: Tombstone | undefined): LedgerChange | undefined {
    if (tombstone === undefined) return undefined
    this.liveBytes -= tombstone.freedBytes
    this.blockCount -= tombstone.blocks
    const { hash } = tombstone
    this.hash = this.hash === undefined || hash === undefined ? undefined : subtractHash(this.hash, hash)
    return { kind: 'delete', runs: tombstone.runs }
  }

  private put(local: LocalId, row: BlockRow): LedgerChange {
    this.liveBytes += storedBytes(row)
    this.blockCount++
    this.hash = withBlock(this.hash, { local, ...row })
    return { kind: 'put', local, row }
  }
}

function addLost(block: OpenBlock, upTo: number): void {
  block.extents.push({ fileOffset: undefined, length: upTo - block.lengthBytes })
  block.lengthBytes = upTo
}
