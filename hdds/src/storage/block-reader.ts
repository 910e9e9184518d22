/** Reads parts of data records and proves them: the header against the index row, the bytes against the header. */

import type { DiskFile } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { Counter } from '@o3/common/metrics'
import type { LocalId } from '@o3/scm/api'
import type { ScrubFinding } from '../api/api.ts'
import { checksumUnitBytes } from '../api/api.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { decodeHeader } from '../core/record.ts'
import type { HeaderProof, RecordHeader } from '../core/record.ts'
import { planUnits } from '../core/read-plan.ts'
import type { ExtentRead, UnitSpan } from '../core/read-plan.ts'
import type { ReadMemory } from './read-buffers.ts'

/** Where the bytes are read from. */
export interface ReadSource {
  readonly file: DiskFile
  readonly path: string
  readonly name: ContainerFileName
  readonly proof: HeaderProof
  readonly report: (finding: ScrubFinding) => void
  readonly readBytes: Counter
}

export interface ReadPiece {
  readonly bytes: Uint8Array
  readonly header: RecordHeader
  /** What goes back to the pool when nobody looks at `bytes` any more. */
  readonly buffer: Uint8Array
}

/** One extent's wanted bytes. Throws `Damaged`, after telling the report. */
export async function readExtent(
  source: ReadSource,
  local: LocalId,
  read: ExtentRead,
  buffers: ReadMemory,
): Promise<ReadPiece> {
  const { fileOffset } = read.extent
  if (fileOffset === undefined) throw damage(source, { local, read, kind: 'damaged-chunk', at: 0, what: 'is lost' })
  const span = planUnits(read)
  const from = span.together ? 0 : span.from
  const buffer = buffers.take(span.headerBytes + span.to - from)
  try {
    const header = await fetch(source, { local, read, span, buffer, fileOffset })
    const skip = span.headerBytes + (span.from - from)
    const units = buffer.subarray(skip, skip + span.to - span.from)
    const proof = buffers.prove({ units, checksums: header.checksums, firstUnit: span.firstUnit })
    const damaged = proof instanceof Promise ? await proof : proof
    if (damaged !== undefined) {
      const at = span.headerBytes + damaged * checksumUnitBytes
      throw damage(source, { local, read, kind: 'damaged-chunk', at, what: 'does not match its checksum' })
    }
    source.readBytes.add(units.length)
    return { bytes: units.subarray(read.from - span.from, read.to - span.from), header, buffer }
  } catch (error) {
    buffers.give(buffer)
    throw error
  }
}

interface Fetch {
  readonly local: LocalId
  readonly read: ExtentRead
  readonly span: UnitSpan
  readonly buffer: Uint8Array
  readonly fileOffset: number
}

/** Fills the buffer with header and units; the header is proven when it resolves. */
async function fetch(source: ReadSource, { local, read, span, buffer, fileOffset }: Fetch): Promise<RecordHeader> {
  const { file } = source
  let filled: number
  try {
    if (span.together) filled = await file.read(buffer, fileOffset)
    else {
      // One after the other: after a failure nobody may still be writing into the buffer.
      filled = await file.read(buffer.subarray(0, span.headerBytes), fileOffset)
      filled += await file.read(buffer.subarray(span.headerBytes), fileOffset + span.headerBytes + span.from)
    }
  } catch (cause) {
    throw damage(source, { local, read, kind: 'unreadable', at: 0, what: 'cannot be read', cause })
  }
  const header = decodeHeader(buffer, 0, source.proof)
  if (filled < buffer.length || header === undefined) {
    throw damage(source, { local, read, kind: 'damaged-chunk', at: 0, what: 'has no sound header' })
  }
  if (!isWanted(header, source.name, { local, read, fileOffset })) {
    throw damage(source, { local, read, kind: 'index-mismatch', at: 0, what: 'is not where the index says' })
  }
  return header
}

function isWanted(
  header: RecordHeader,
  name: ContainerFileName,
  { local, read, fileOffset }: Pick<Fetch, 'local' | 'read' | 'fileOffset'>,
): boolean {
  return (
    header.kind === 'data' &&
    header.container === name.container &&
    header.generation === name.generation &&
    header.local === local &&
    header.blockOffset === read.blockOffset &&
    header.length === read.extent.length &&
    header.fileOffset === fileOffset
  )
}

interface Damage {
  readonly local: LocalId
  readonly read: ExtentRead
  readonly kind: ScrubFinding['kind']
  /** From the start of the record. */
  readonly at: number
  readonly what: string
  readonly cause?: unknown
}

function damage(source: ReadSource, { local, read, kind, at, what, cause }: Damage): StoreError {
  const { container } = source.name
  const fileOffset = (read.extent.fileOffset ?? 0) + at
  const message = `block ${container}/${local}, bytes ${read.blockOffset} to ${read.blockOffset + read.extent.length}: ${what}`
  source.report({ kind, container, local, path: source.path, fileOffset, message })
  return new StoreError('Damaged', 'stored bytes failed verification', {
    details: { container, local, offset: read.blockOffset, path: source.path, fileOffset },
    ...(cause === undefined ? {} : { cause }),
  })
}
