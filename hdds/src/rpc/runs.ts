/**
 * The bodies of a streamed write. The client sends runs: a length and the CRC32C of as many bytes (`u32` each,
 * little-endian), and the bytes, which are one `write`; then, in the place of a length, the word `commit` or `abort`. A body that breaks off says neither, so it is never taken for a
 * whole block. The datanode answers each run with a mark: what it stands for, and how many bytes have landed by then. A
 * writer thus knows when its memory is free, and which of its writes failed.
 */

import { StoreError } from '@o3/common/errors'
import { maxChunkBytes } from '../api/api.ts'
import type { BlockReceipt } from '../api/api.ts'
import { checksumOf, unitsArrived } from './arrival.ts'
import { receipt as receiptCodec } from './records.ts'

export type Run =
  | {
      readonly kind: 'data'
      readonly pieces: readonly Uint8Array[]
      readonly lengthBytes: number
      /** Of what arrived, as `KnownChecksums`. */
      readonly units: readonly number[]
    }
  | { readonly kind: 'commit' }
  | { readonly kind: 'abort' }

export type Mark = {
  /** `landed`: the run is in the disk's cache. `committed`: the block is durable. */
  readonly kind: 'landed' | 'committed' | 'aborted'
  readonly totalBytes: number
  /** With `committed`, when it says more than the mark: a length (`u32`) and its record follow. */
  readonly receipt?: BlockReceipt
}

const headBytes = 8
const commitWord = 0
const abortWord = 0xffff_ffff

/** In front of the bytes of a run: 1 … `maxChunkBytes` of them, with this CRC32C. */
export function runHead(pieces: readonly Uint8Array[], checksum = checksumOf(pieces)): Uint8Array {
  let lengthBytes = 0
  for (const piece of pieces) lengthBytes += piece.length
  return head(lengthBytes, checksum)
}

/** Behind the last run. */
export function runsEnd(end: 'commit' | 'abort'): Uint8Array {
  return head(end === 'commit' ? commitWord : abortWord, 0)
}

function head(word: number, checksum: number): Uint8Array {
  const bytes = new Uint8Array(headBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, word, true)
  view.setUint32(4, checksum, true)
  return bytes
}

// The order is sent: append, never reorder.
const markKinds = ['landed', 'committed', 'aborted', 'attested'] as const
const markBytes = 9
const lengthBytes = 4
/** Checksums and a few signatures. */
const maxReceiptBytes = 64 * 1024

export function encodeMark({ kind, totalBytes, receipt }: Mark): Uint8Array {
  const record = receipt === undefined ? undefined : receiptCodec.encode(receipt)
  const bytes = new Uint8Array(markBytes + (record === undefined ? 0 : lengthBytes + record.length))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, markKinds.indexOf(record === undefined ? kind : 'attested'))
  view.setBigUint64(1, BigInt(totalBytes), true)
  if (record !== undefined) {
    view.setUint32(markBytes, record.length, true)
    bytes.set(record, markBytes + lengthBytes)
  }
  return bytes
}

async function readMark(feed: ByteFeed): Promise<Mark> {
  const view = viewOf(await feed.takeWord(markBytes))
  const kind = markKinds[view.getUint8(0)]
  if (kind === undefined) throw new StoreError('Incompatible', 'the datanode marks a run in an unknown way')
  const totalBytes = Number(view.getBigUint64(1, true))
  if (kind !== 'attested') return { kind, totalBytes }
  const length = viewOf(await feed.takeWord(lengthBytes)).getUint32(0, true)
  if (length > maxReceiptBytes) throw new StoreError('Incompatible', 'a receipt is longer than any can be')
  return { kind: 'committed', totalBytes, receipt: receiptCodec.decode(await feed.takeWord(length)) }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Takes a body apart at the lengths that are asked for, however it was cut on its way. Pieces are views. */
export class ByteFeed {
  private readonly body: AsyncIterator<Uint8Array>
  private piece: Uint8Array = new Uint8Array(0)

  constructor(body: AsyncIterable<Uint8Array>) {
    this.body = body[Symbol.asyncIterator]()
  }

  /** Together exactly `length` bytes. `IncompleteBody` when the body ends before. */
  async take(length: number): Promise<readonly Uint8Array[]> {
    const pieces: Uint8Array[] = []
    for (let left = length; left > 0;) {
      if (this.piece.length === 0) {
        const step = await this.body.next()
        if (step.done === true) throw new StoreError('IncompleteBody', 'the body broke off')
        this.piece = step.value
      }
      const part = this.piece.subarray(0, left)
      this.piece = this.piece.subarray(part.length)
      left -= part.length
      if (part.length > 0) pieces.push(part)
    }
    return pieces
  }

  /** `InvalidArgument` when something follows. */
  async end(): Promise<void> {
    if (this.piece.length === 0 && (await this.body.next()).done === true) return
    throw new StoreError('InvalidArgument', 'the body is longer than was said')
  }

  /** The same in one piece: for a few bytes. */
  async takeWord(length: number): Promise<Uint8Array> {
    const pieces = await this.take(length)
    const [only] = pieces
    if (pieces.length === 1 && only !== undefined) return only
    const joined = new Uint8Array(length)
    let at = 0
    for (const piece of pieces) {
      joined.set(piece, at)
      at += piece.length
    }
    return joined
  }
}

/** The datanode's side. It holds one run at a time. */
export class RunReader {
  private readonly feed: ByteFeed

  constructor(body: AsyncIterable<Uint8Array>) {
    this.feed = new ByteFeed(body)
  }

  /** `IncompleteBody`, `Unavailable` for bytes that are not what was said, `InvalidArgument` for a run that is too long. */
  async next(): Promise<Run> {
    const bytes = await this.feed.takeWord(headBytes)
    const view = new DataView(bytes.buffer, bytes.byteOffset, headBytes)
    const word = view.getUint32(0, true)
    if (word === commitWord) return { kind: 'commit' }
    if (word === abortWord) return { kind: 'abort' }
    if (word > maxChunkBytes) throw new StoreError('InvalidArgument', `a run has at most ${maxChunkBytes} bytes`)
    const pieces = await this.feed.take(word)
    const units = unitsArrived(pieces, word, view.getUint32(4, true))
    return { kind: 'data', pieces, lengthBytes: word, units }
  }
}

/** The writer's side. */
export class MarkReader {
  private readonly feed: ByteFeed

  constructor(body: AsyncIterable<Uint8Array>) {
    this.feed = new ByteFeed(body)
  }

  /** `IncompleteBody`, `Incompatible`. */
  next(): Promise<Mark> {
    return readMark(this.feed)
  }
}
