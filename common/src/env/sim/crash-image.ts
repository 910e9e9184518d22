import type { SimRandom } from './sim-random.ts'
import type { SparseBytes } from './sparse-bytes.ts'

/** What a disk writes whole or not at all. */
const sectorBytes = 512

/** Of the sectors that were not synced, the share that a power cut leaves as garbage. */
const garbageShare = 0.05

export type FileOperation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly sizeBytes: number }

export function applyTo(image: SparseBytes, operation: FileOperation): void {
  if (operation.kind === 'write') image.write(operation.bytes, operation.offset)
  else image.resize(operation.sizeBytes)
}

export interface CrashInput {
  readonly device: SparseBytes
  /** The operations that no sync has covered, in order. */
  readonly journal: readonly FileOperation[]
  readonly random: SimRandom
  /** See `SimDiskOptions`. */
  readonly wholeSectorGarbage: boolean
}

/**
 * What a power cut makes of a file:
 *
 * - The *length* is that after some prefix of the operations: file systems journal lengths, in order.
 * - Each *sector* is on its own: any of the versions it went through since the last sync, or garbage. Versions are those
 *   of the whole sector, because the cache writes back pages and not the caller's pieces.
 * - Bytes that were not written since the last sync stay what they were, even beside garbage in the same sector
 *   ("powersafe overwrite", which SQLite assumes too; `wholeSectorGarbage` drops that assumption).
 * - A resize that did not make it takes the writes behind its end along: they went to blocks that are not the file's.
 *
 * One cut in four keeps every operation and one in four keeps none: coins per sector would find these too rarely.
 */
export function crashImage(input: CrashInput): SparseBytes {
  const image = input.device.clone()
  const mood = input.journal.length === 0 ? 0 : input.random.fraction()
  if (mood >= 0.5) mix(image, input)
  else if (mood >= 0.25) for (const operation of input.journal) applyTo(image, operation)
  return image
}

function mix(image: SparseBytes, { journal, random, wholeSectorGarbage }: CrashInput): void {
  const kept = random.below(journal.length + 1)
  const length = lengthAfter(image.length, journal.slice(0, kept))
  const fates = chooseFates(journal, random)
  let barrier = Infinity
  for (const [index, operation] of journal.entries()) {
    if (operation.kind === 'write') writeSectors(image, operation, { fates, barrier })
    else if (index < kept) image.resize(operation.sizeBytes)
    else barrier = Math.min(barrier, operation.sizeBytes)
  }
  image.resize(length)
  if (wholeSectorGarbage) spoilSectors(image, fates, random)
}

function lengthAfter(start: number, operations: readonly FileOperation[]): number {
  return operations.reduce(
    (length, operation) =>
      operation.kind === 'resize' ? operation.sizeBytes : Math.max(length, operation.offset + operation.bytes.length),
    start,
  )
}

type WriteOperation = Extract<FileOperation, { readonly kind: 'write' }>

interface SectorPart {
  readonly sector: number
  readonly offset: number
  readonly bytes: Uint8Array
}

function* sectorsOf({ offset, bytes }: WriteOperation): Generator<SectorPart> {
  for (let at = 0; at < bytes.length;) {
    const sector = Math.floor((offset + at) / sectorBytes)
    const count = Math.min((sector + 1) * sectorBytes - offset - at, bytes.length - at)
    yield { sector, offset: offset + at, bytes: bytes.subarray(at, at + count) }
    at += count
  }
}

/** How many of the writes to a sector reach the device; garbage replaces them all. */
interface SectorFate {
  readonly garbage: Uint8Array | undefined
  writesLeft: number
}

function chooseFates(journal: readonly FileOperation[], random: SimRandom): Map<number, SectorFate> {
  const writes = new Map<number, number>()
  for (const operation of journal) {
    if (operation.kind === 'resize') continue
    for (const { sector } of sectorsOf(operation)) writes.set(sector, (writes.get(sector) ?? 0) + 1)
  }
  return new Map([...writes].map(([sector, count]) => [sector, chooseFate(count, random)]))
}

function chooseFate(writes: number, random: SimRandom): SectorFate {
  const garbage = random.chance(garbageShare) ? random.bytes(sectorBytes) : undefined
  const mood = random.fraction()
  if (writes > 1 && mood < 0.2) return { garbage, writesLeft: 1 + random.below(writes - 1) }
  return { garbage, writesLeft: mood < 0.6 ? writes : 0 }
}

interface SectorRules {
  readonly fates: ReadonlyMap<number, SectorFate>
  /** Sectors from here on belong to other files. */
  readonly barrier: number
}

function writeSectors(image: SparseBytes, operation: WriteOperation, { fates, barrier }: SectorRules): void {
  for (const { sector, offset, bytes } of sectorsOf(operation)) {
    const fate = fates.get(sector)
    if (fate === undefined || sector * sectorBytes >= barrier) continue
    if (fate.garbage !== undefined) {
      const from = offset - sector * sectorBytes
      image.write(fate.garbage.subarray(from, from + bytes.length), offset)
    } else if (fate.writesLeft > 0) {
      fate.writesLeft--
      image.write(bytes, offset)
    }
  }
}

/** Garbage over the whole of a torn sector, as far as the file goes. */
function spoilSectors(image: SparseBytes, fates: ReadonlyMap<number, SectorFate>, random: SimRandom): void {
  for (const [sector, { garbage }] of fates) {
    const room = Math.min(sectorBytes, image.length - sector * sectorBytes)
    if (garbage !== undefined && room > 0) image.write(random.bytes(room), sector * sectorBytes)
  }
}
