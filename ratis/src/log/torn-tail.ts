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
  /**
   * Where the file may be cut: behind the padding of the last batch; behind the last record itself, where what should be
   * padding is the start of a torn record. (Then the whole block is of a batch that was never acknowledged; otherwise it
   * is not touched.)
   */
  readonly cutAt: number
  /** Bytes behind `cutAt`, up to the end of the last block that is not all zeros. */
  readonly dirtyBytes: number
  /** A good record that was written when the missing index was already durable: the log is damaged, not torn. */
  readonly proof?: { readonly offset: number; readonly index: LogIndex }
}

/**
 * Looks at everything from `end`, where the last good record ends, to the end of the file. `missing` is the index that
 * should have followed. Only block starts can hold the first record of a batch, and only a record whose floor reaches
 * `missing` proves anything.
 */
export async function inspectTail(file: DiskFile, seed: number, end: number, missing: LogIndex): Promise<Tail> {
  const size = await file.size()
  const boundary = alignToBlock(end)
  const padding = Buffer.alloc(boundary - end)
  await file.read(padding, end)
  let dirtyEnd = boundary
  let proof: Tail['proof']
  const window = Buffer.alloc(Math.min(windowBytes, Math.max(0, size - boundary)))
  for (let start = boundary; start < size; start += windowBytes) {
    const length = await file.read(window, start)
    for (let at = 0; at < length; at += blockBytes) {
      const block = window.subarray(at, Math.min(at + blockBytes, length))
      if (isZero(block)) continue
      dirtyEnd = start + at + block.length
      proof ??= await proofAt(file, seed, { offset: start + at, block, missing })
    }
  }
  const cutAt = isZero(padding) ? boundary : end
  const tail = { cutAt, dirtyBytes: dirtyEnd - cutAt }
  return proof === undefined ? tail : { ...tail, proof }
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
