/**
 * The bodies of a streamed write. The client sends runs: a length (`u32`, little-endian) and as many bytes, which are one
 * `write`; then a word for the end, `commit` or `abort`. A body that breaks off says neither, so it is never taken for a
 * whole block. The datanode answers each run with a mark: what it stands for, and how many bytes have landed by then. A
 * writer thus knows when its memory is free, and which of its writes failed.
 */

import { StoreError } from '@o3/common/errors'
import { maxChunkBytes } from '../api/api.ts'

export type Run =
  | { readonly kind: 'data'; readonly pieces: readonly Uint8Array[]; readonly lengthBytes: number }
  | { readonly kind: 'commit' }
  | { readonly kind: 'abort' }

export type Mark = {
  /** `landed`: the run is in the disk's cache. `committed`: the block is durable. */
  readonly kind: 'landed' | 'committed' | 'aborted'
  readonly totalBytes: number
}

const headBytes = 4
const commitWord = 0
const abortWord = 0xffff_ffff

/** The word in front of a run of so many bytes (1 … `maxChunkBytes`), or for an end. */
export function runHead(run: number | 'commit' | 'abort'): Uint8Array {
  const word = run === 'commit' ? commitWord : run === 'abort' ? abortWord : run
  return Uint8Array.of(word, word >>> 8, word >>> 16, word >>> 24)
}

// The order is sent: append, never reorder.
const markKinds: readonly Mark['kind'][] = ['landed', 'committed', 'aborted']
const markBytes = 9

export function encodeMark({ kind, totalBytes }: Mark): Uint8Array {
  const bytes = new Uint8Array(markBytes)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, markKinds.indexOf(kind))
  view.setBigUint64(1, BigInt(totalBytes), true)
  return bytes
}

function decodeMark(bytes: Uint8Array): Mark {
  const view = new DataView(bytes.buffer, bytes.byteOffset, markBytes)
  const kind = markKinds[view.getUint8(0)]
  if (kind === undefined) throw new StoreError('Incompatible', 'the datanode marks a run in an unknown way')
  return { kind, totalBytes: Number(view.getBigUint64(1, true)) }
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

  /** `IncompleteBody`, `InvalidArgument` for a run that is too long. */
  async next(): Promise<Run> {
    const head = await this.feed.takeWord(headBytes)
    const word = new DataView(head.buffer, head.byteOffset, headBytes).getUint32(0, true)
    if (word === commitWord) return { kind: 'commit' }
    if (word === abortWord) return { kind: 'abort' }
    if (word > maxChunkBytes) throw new StoreError('InvalidArgument', `a run has at most ${maxChunkBytes} bytes`)
    return { kind: 'data', pieces: await this.feed.take(word), lengthBytes: word }
  }
}

/** The writer's side. */
export class MarkReader {
  private readonly feed: ByteFeed

  constructor(body: AsyncIterable<Uint8Array>) {
    this.feed = new ByteFeed(body)
  }

  async next(): Promise<Mark> {
    return decodeMark(await this.feed.takeWord(markBytes))
  }
}
