import { applyTo, crashImage, type FileOperation } from './crash-image.ts'
import type { SimRandom } from './sim-random.ts'
import { SparseBytes } from './sparse-bytes.ts'

/** A point in the journal: what was done before it. */
export type SyncMark = number

/**
 * A file without its names: the bytes that reads see (the page cache), the bytes on the device, and the operations
 * between the two, in order. A sync moves a prefix of them to the device; a power cut makes a mixture.
 */
export class SimInode {
  readonly #cache: SparseBytes
  readonly #device: SparseBytes
  #journal: FileOperation[] = []
  /** Operations that left the journal, so that a mark stays valid. */
  #journalStart = 0
  /** Open handles; the space of a file without a name is free when the last one closes. */
  handles = 0
  names = 0

  constructor(device = new SparseBytes()) {
    this.#device = device
    this.#cache = device.clone()
  }

  get sizeBytes(): number {
    return this.#cache.length
  }

  get pageCount(): number {
    return this.#cache.pageCount
  }

  missingPages(offset: number, length: number): number {
    return this.#cache.missingPages(offset, length)
  }

  read(target: Uint8Array, offset: number): number {
    return this.#cache.read(target, offset)
  }

  /** Copies `bytes`. */
  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return
    const own = new Uint8Array(bytes)
    this.#cache.write(own, offset)
    this.#journal.push({ kind: 'write', offset, bytes: own })
  }

  resize(sizeBytes: number): void {
    this.#cache.resize(sizeBytes)
    this.#journal.push({ kind: 'resize', sizeBytes })
  }

  /** Bit rot: on the device, and in the cache as if it had just been read from there. */
  flip(offset: number, bit: number): void {
    for (const image of [this.#cache, this.#device]) {
      const byte = image.slice(offset, 1)
      byte[0] = (byte[0] ?? 0) ^ (1 << bit)
      if (offset < image.length) image.write(byte, offset)
    }
  }

  /** Begins a sync: it covers the operations before this call, and none that come while it runs. */
  mark(): SyncMark {
    return this.#journalStart + this.#journal.length
  }

  syncDone(mark: SyncMark): void {
    for (const operation of this.#takeBefore(mark)) applyTo(this.#device, operation)
  }

  /**
   * What Linux does when the device refuses (fsyncgate; Rebello et al., ATC 2020): the pages are clean from now on.
   * Reads show the new bytes, the device has the old ones, and the next sync has nothing to write and succeeds.
   */
  syncFailed(mark: SyncMark): void {
    this.#takeBefore(mark)
  }

  /** Whether every crash would leave `expected` at `offset`. */
  survives(offset: number, expected: Uint8Array): boolean {
    const end = offset + expected.length
    const threatened = this.#journal.some((operation) =>
      operation.kind === 'write'
        ? operation.offset < end && offset < operation.offset + operation.bytes.length
        : operation.sizeBytes < end,
    )
    if (threatened || end > this.#device.length) return false
    return this.#device.slice(offset, expected.length).every((byte, i) => byte === expected[i])
  }

  /** What the device holds, if nothing that is not synced gets there. */
  deviceBytes(): Uint8Array {
    return this.#device.slice(0, this.#device.length)
  }

  /** The file after a power cut. See `crashImage`. */
  crash(random: SimRandom, wholeSectorGarbage: boolean): SimInode {
    return new SimInode(crashImage({ device: this.#device, journal: this.#journal, random, wholeSectorGarbage }))
  }

  #takeBefore(mark: SyncMark): readonly FileOperation[] {
    const taken = this.#journal.splice(0, Math.max(0, mark - this.#journalStart))
    this.#journalStart += taken.length
    return taken
  }
}
