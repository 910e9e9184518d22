/**
 * A body whose trailer is not known before its end: runs of bytes, each with its length in front (`u32`, little-endian),
 * then a length of 0 and the trailer. A body that breaks off has no such end, so it is never taken for a whole one.
 */

import { StoreError } from '@o3/common/errors'

export const runHeadBytes = 4
/** Attributes of a key are some kilobytes. */
export const maxTrailerBytes = 256 * 1024

export function writeRunHead(target: Uint8Array, at: number, length: number): void {
  target[at] = length
  target[at + 1] = length >>> 8
  target[at + 2] = length >>> 16
  target[at + 3] = length >>> 24
}

/** A copy of `piece` with its head in front. The piece may be used again by whoever made it. */
export function runOf(piece: Uint8Array): Uint8Array {
  const run = new Uint8Array(runHeadBytes + piece.length)
  writeRunHead(run, 0, piece.length)
  run.set(piece, runHeadBytes)
  return run
}

/** The end of the runs. */
export function endOf(trailer: Uint8Array): Uint8Array {
  const end = new Uint8Array(runHeadBytes + trailer.length)
  end.set(trailer, runHeadBytes)
  return end
}

/** Takes a body apart, however it was cut on its way. */
export class RunDecoder {
  private head = 0
  private headBytes = 0
  /** Of the run under way. */
  private left = 0
  private trailerPieces: Uint8Array[] | undefined
  private trailerBytes = 0
  private piece: Uint8Array = new Uint8Array(0)
  private at = 0

  /** Only when `next` has answered undefined. */
  push(piece: Uint8Array): void {
    this.piece = piece
    this.at = 0
  }

  /** The next bytes of a run, a view of what was pushed; undefined: push more. `TooLarge` for a trailer without end. */
  next(): Uint8Array | undefined {
    while (this.at < this.piece.length) {
      if (this.trailerPieces !== undefined) this.gatherTrailer(this.trailerPieces)
      else if (this.left > 0) return this.takeRun()
      else this.readHead()
    }
    return undefined
  }

  /** After the last piece. `IncompleteBody` when it broke off. */
  finish(): Uint8Array {
    if (this.trailerPieces === undefined) throw new StoreError('IncompleteBody', 'the body broke off')
    const trailer = new Uint8Array(this.trailerBytes)
    let at = 0
    for (const piece of this.trailerPieces) {
      trailer.set(piece, at)
      at += piece.length
    }
    return trailer
  }

  private takeRun(): Uint8Array {
    const run = this.piece.subarray(this.at, this.at + this.left)
    this.at += run.length
    this.left -= run.length
    return run
  }

  private readHead(): void {
    this.head += (this.piece[this.at++] as number) * 2 ** (8 * this.headBytes++)
    if (this.headBytes < runHeadBytes) return
    if (this.head === 0) this.trailerPieces = []
    this.left = this.head
    this.head = 0
    this.headBytes = 0
  }

  private gatherTrailer(pieces: Uint8Array[]): void {
    const rest = this.piece.subarray(this.at)
    this.at = this.piece.length
    this.trailerBytes += rest.length
    if (this.trailerBytes > maxTrailerBytes) throw new StoreError('TooLarge', 'what follows the body is too long')
    pieces.push(rest)
  }
}
