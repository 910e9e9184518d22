/**
 * Verifies one container from the disk: every record's header and payload, and the index against the file, both ways.
 * Reads and deletions go on meanwhile; whatever looks wrong is looked at again before it is called a finding.
 */

import { isStoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import type { BlockRow } from '../core/block-row.ts'
import { checksumOfUnits } from '../core/block-checksum.ts'
import { checksumOfCommit } from '../core/commit.ts'
import { formatHash, sameHash } from '../core/content-hash.ts'
import { blockKey, blockRange, localOfKey } from '../core/index-keys.ts'
import type { RecordHeader } from '../core/record.ts'
import { recordAlignBytes } from '../core/record-layout.ts'
import { SparseBits } from '../core/sparse-bits.ts'
import { decodeTombstone } from '../core/tombstone.ts'
import type { LocalRun } from '../core/tombstone.ts'
import { crc32c } from './checksum.ts'
import type { ContainerView } from './container-view.ts'
import type { Container } from './container.ts'
import { sourceOf } from './container-reads.ts'
import { countContent } from './content-count.ts'
import type { ReadSource } from './block-reader.ts'
import type { Pace } from './pace.ts'
import { readPayload } from './payload.ts'
import { RecordScanner } from './record-scanner.ts'

export interface ScrubOptions {
  readonly container: Container
  readonly pace: Pace
  readonly signal: AbortSignal | undefined
}

const rowsAtOnce = 512

/**
 * The findings, which are also reported one by one. Rejects with the signal's reason when aborted. Ends early, with what
 * was found so far, when the file is about to be removed: a scrub may take days, and whoever needs the space has none.
 */
export async function scrubContainer({ container, pace, signal }: ScrubOptions): Promise<readonly ScrubFinding[]> {
  const deletions = container.watchDeletions()
  try {
    await container.settled()
    const view = container.current
    const limit = container.ledger.usedBytes
    const file = await view.file.acquire()
    const source = sourceOf(container, view, file)
    const scrub = new ContainerScrub({ container, view, source, limit, deletions: deletions.runs })
    try {
      await scrub.readAll(pace, signal)
    } finally {
      view.file.release()
    }
    // A deletion has the turn and waits for the file: whoever waits for a turn holds no file.
    await scrub.compareHash()
    return scrub.findings
  } finally {
    deletions.end()
  }
}

interface ScrubParts {
  readonly container: Container
  readonly view: ContainerView
  readonly source: ReadSource
  /** Everything before it was durable when the scrub began. */
  readonly limit: number
  /** Grows while the scrub runs. */
  readonly deletions: readonly LocalRun[]
}

class ContainerScrub {
  readonly findings: ScrubFinding[] = []
  private readonly container: Container
  private readonly view: ContainerView
  private readonly source: ReadSource
  private readonly limit: number
  /** Where sound data records start, in units of the alignment. */
  private readonly sound = new SparseBits()
  /** Blocks that the file has and that no tombstone was seen for, with the checksum that it says. */
  private readonly complete = new Map<LocalId, number | undefined>()
  /** Of the blocks under way in the file: how much of them was seen without a gap. */
  private readonly lengths = new Map<LocalId, number>()
  private readonly deletions: readonly LocalRun[]
  private payload = new Uint8Array(0)

  constructor(parts: ScrubParts) {
    this.container = parts.container
    this.view = parts.view
    this.source = parts.source
    this.limit = parts.limit
    this.deletions = parts.deletions
  }

  async readAll(pace: Pace, signal: AbortSignal | undefined): Promise<void> {
    const { retiring } = this.view.file
    try {
      await this.readFile(pace, signal === undefined ? retiring : AbortSignal.any([signal, retiring]))
      await this.compareIndex()
    } catch (error) {
      if (error !== retiring.reason) throw error
    }
  }

  private async readFile(pace: Pace, signal: AbortSignal | undefined): Promise<void> {
    const { file, name, proof } = this.source
    const scanner = new RecordScanner({ file, name, proof, from: 0, to: this.limit })
    for (;;) {
      const events = await scanner.next()
      if (events.length === 0) return
      for (const event of events) {
        if (event.kind === 'record') await this.readRecord(event.header)
        else
          this.found({
            kind: 'damaged-chunk',
            fileOffset: event.from,
            message: `bytes ${event.from} to ${event.to} are no record`,
          })
        this.container.scope.metrics.scrubbedBytes.add(event.to - event.from)
        await pace.spend(event.to - event.from, signal)
      }
    }
  }

  /** Rows whose records are not where they say, and blocks that have no row. */
  private async compareIndex(): Promise<void> {
    const { index } = this.container.scope
    await index.flush()
    const suspects: LocalId[] = []
    const altered: LocalId[] = []
    await index.scan(blockRange(this.view.keyPrefix), (key, row) => {
      const local = localOfKey(key)
      const checksum = this.complete.get(local)
      this.complete.delete(local)
      if (!this.isSound(row)) suspects.push(local)
      else if (checksum !== undefined && row.checksum !== undefined && checksum !== row.checksum) altered.push(local)
    })
    // After a compaction, deletions go to the next generation; that one has its own turn.
    if (this.container.current !== this.view) return
    for (const local of suspects) await this.judgeRow(local)
    for (const local of altered) {
      const message = `block ${local}: its checksum in the index is not that of the file`
      this.found({ kind: 'index-mismatch', local, fileOffset: 0, message })
    }
    const missing = [...this.complete.keys()]
    for (let from = 0; from < missing.length; from += rowsAtOnce) {
      await this.judgeMissing(missing.slice(from, from + rowsAtOnce))
    }
  }

  /**
   * The sum that is kept, against the index, in the moment of a turn: deletions wait. Of a container that takes blocks it
   * is proven when that is closed.
   */
  async compareHash(): Promise<void> {
    const { container, view } = this
    await container.turns.run(async () => {
      if (!container.isSealed || container.isRemoved || container.current !== view) return
      await container.settled()
      const kept = container.ledger.contentHash
      if (kept === undefined) return
      const counted = await countContent(container.scope.index, view.keyPrefix)
      if (counted === undefined || sameHash(kept, counted)) return
      const message = `the content hash is ${formatHash(kept)}; the blocks add up to ${formatHash(counted)}`
      this.found({ kind: 'index-mismatch', fileOffset: 0, message })
    })
  }

  private async readRecord(header: RecordHeader): Promise<void> {
    if (header.kind === 'skip') return
    const payload = await this.readPayload(header)
    if (header.kind === 'tombstone' && payload !== undefined) {
      for (const { first, count } of decodeTombstone(payload).runs) {
        for (let local = first; local < first + count; local++) this.complete.delete(local)
      }
    }
    this.noteProgress(header, payload)
    if (payload === undefined) await this.judgeDamage(header)
    else if (header.kind === 'data') this.sound.add(header.fileOffset / recordAlignBytes)
  }

  /** A commit whose data was torn off by a power cut is no block, as recovery decided. */
  private noteProgress(
    { kind, local, whole, blockOffset, length, checksums }: RecordHeader,
    payload: Uint8Array | undefined,
  ): void {
    const seen = blockOffset === 0 ? 0 : (this.lengths.get(local) ?? 0)
    if (kind === 'data' && whole) this.complete.set(local, checksumOfUnits(checksums, crc32c))
    else if (kind === 'data' && seen === blockOffset) this.lengths.set(local, blockOffset + length)
    else if (kind === 'commit') {
      const checksum = payload === undefined ? undefined : checksumOfCommit(payload)
      if ((this.lengths.get(local) ?? 0) === blockOffset) this.complete.set(local, checksum)
      this.lengths.delete(local)
    }
  }

  private async readPayload(header: RecordHeader): Promise<Uint8Array | undefined> {
    if (this.payload.length < header.length) this.payload = new Uint8Array(header.length)
    try {
      return await readPayload(this.source.file, header, this.payload)
    } catch (error) {
      // The disk could not read it: the finding names the record, and the scrub goes on behind it.
      if (isStoreError(error, 'Damaged')) return undefined
      throw error
    }
  }

  /** Damage matters where a block lives; what was deleted is reclaimed anyway. */
  private async judgeDamage(header: RecordHeader): Promise<void> {
    const { local, fileOffset } = header
    if (header.kind !== 'data') {
      this.found({ kind: 'damaged-chunk', fileOffset, message: `a ${header.kind} record is damaged` })
      return
    }
    const row = await this.container.find(this.view, local)
    if (row?.extents.some((extent) => extent.fileOffset === fileOffset) !== true) return
    const bytes = `bytes ${header.blockOffset} to ${header.blockOffset + header.length}`
    this.found({ kind: 'damaged-chunk', local, fileOffset, message: `block ${local}, ${bytes}: damaged` })
  }

  private isSound(row: BlockRow): boolean {
    return row.extents.every(({ fileOffset }) => {
      if (fileOffset === undefined) return false
      return fileOffset >= this.limit || this.sound.has(fileOffset / recordAlignBytes)
    })
  }

  private async judgeRow(local: LocalId): Promise<void> {
    const row = await this.container.find(this.view, local)
    if (row === undefined) return // deleted meanwhile
    for (const { fileOffset } of row.extents) {
      if (fileOffset === undefined) {
        this.found({ kind: 'damaged-chunk', local, fileOffset: 0, message: `block ${local}: a part of it is lost` })
      } else if (fileOffset < this.limit && !this.sound.has(fileOffset / recordAlignBytes)) {
        if (this.findings.some((finding) => finding.fileOffset === fileOffset && finding.local === local)) continue
        const message = `block ${local}: there is no sound record where the index says`
        this.found({ kind: 'index-mismatch', local, fileOffset, message })
      }
    }
  }

  private async judgeMissing(locals: readonly LocalId[]): Promise<void> {
    const rows = await this.container.scope.index.getMany(locals.map((local) => blockKey(this.view.keyPrefix, local)))
    for (const [i, local] of locals.entries()) {
      if (rows[i] !== undefined || this.wasDeleted(local)) continue
      this.found({ kind: 'index-mismatch', local, fileOffset: 0, message: `block ${local} is not in the index` })
    }
  }

  /** By a tombstone behind the part that was scrubbed. */
  private wasDeleted(local: LocalId): boolean {
    return this.deletions.some(({ first, count }) => local >= first && local < first + count)
  }

  private found(finding: Omit<ScrubFinding, 'container' | 'path'>): void {
    const complete = { ...finding, container: this.container.id, path: this.source.path }
    this.findings.push(complete)
    this.source.report(complete)
  }
}
