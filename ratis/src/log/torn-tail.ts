import type { DiskFile } from '@o3/common/env'
import type { LogIndex } from '../api/api.ts'
import {
  alignToBlock,
  blockBytes,
  recordFloorAt,
  recordHeaderBytes,
  recordIndexAt,
  recordLengthAt,
  sightRecord,
} from './record.ts'

const windowBytes = 256 * blockBytes

/** What lies behind the last good record of the youngest segment. */
export interface Tail {
  /** Blocks that are not all zeros: the rest of writes that were never synced. */
  readonly dirtyBlocks: readonly number[]
  /** A good record that was written when the missing index was already durable: the log is damaged, not torn. */
  readonly proof?: { readonly offset: number; readonly index: LogIndex }
}

/**
 * Looks at everything from `from` to the end of the file. `missing` is the index that should have followed. Only block
 * starts can hold the first record of a batch, and only a record whose floor reaches `missing` proves anything.
 */
export async function inspectTail(file: DiskFile, seed: number, from: number, missing: LogIndex): Promise<Tail> {
  const size = await file.size()
  const dirtyBlocks: number[] = []
  let proof: Tail['proof']
  const first = from - (from % blockBytes)
  const window = Buffer.alloc(Math.min(windowBytes, Math.max(0, size - first)))
  for (let start = first; start < size; start += windowBytes) {
    const length = await file.read(window, start)
    for (let at = 0; at < length; at += blockBytes) {
      const block = window.subarray(at, Math.min(at + blockBytes, length))
      // The block in which the last good record ends is dirty only behind it.
      const skip = Math.max(0, from - (start + at))
      if (isZero(block.subarray(skip))) continue
      dirtyBlocks.push(start + at)
      if (skip === 0) proof ??= await proofAt(file, seed, { offset: start + at, block, missing })
    }
  }
  return proof === undefined ? { dirtyBlocks } : { dirtyBlocks, proof }
}

/** Zeroes the dirty blocks from `from` on. Durable after the caller's sync. */
export async function zeroTail(file: DiskFile, from: number, dirtyBlocks: readonly number[]): Promise<void> {
  const zeros = new Uint8Array(blockBytes)
  for (const block of dirtyBlocks) {
    const start = Math.max(block, from)
    await file.write([zeros.subarray(0, alignToBlock(block + 1) - start)], start)
  }
}

async function proofAt(
  file: DiskFile,
  seed: number,
  at: { readonly offset: number; readonly block: Buffer; readonly missing: LogIndex },
): Promise<Tail['proof']> {
  const { offset, block, missing } = at
  if (block.length < recordHeaderBytes) return undefined
  const head = new DataView(block.buffer, block.byteOffset, block.length)
  const floor = recordFloorAt(head, 0)
  const index = recordIndexAt(head, 0)
  // Before the whole record is read: it must at least claim what would be a proof.
  if (floor < missing || index <= floor) return undefined
  const length = recordLengthAt(head, 0)
  if (length < recordHeaderBytes || offset + length > (await file.size())) return undefined
  const bytes = new Uint8Array(length)
  await file.read(bytes, offset)
  const sight = sightRecord({ bytes, view: new DataView(bytes.buffer) }, 0, seed)
  return sight === 'record' ? { offset, index } : undefined
}

const zeroBlock = Buffer.alloc(blockBytes)

function isZero(bytes: Buffer): boolean {
  return zeroBlock.compare(bytes, 0, bytes.length, 0, bytes.length) === 0
}
