/** A body on its way to the server, with the caller's digests and verdict behind it. */

import { createDigests } from '@o3/common/digest/node'
import { StoreError } from '@o3/common/errors'
import type { ByteSource, Digests, PutOptions } from '@o3/protocol-bus/api'
import { endOf, runOf } from '../core/runs.ts'

export interface OutgoingOptions {
  readonly size?: number
  readonly digests: PutOptions['digests']
  /** Called once, after the last byte: runs the caller's `finish` and answers the trailer. */
  readonly seal: (digests: Digests, size: number) => Uint8Array
}

type Step = IteratorResult<Uint8Array, undefined>
const over: Step = { done: true, value: undefined }
/** Arrays that are all there go out in pieces of this size, for a piece is copied. */
const pieceBytes = 256 * 1024

/** `IncompleteBody` when it has not the promised size. */
export function checkSize(length: number, promised: number | undefined): void {
  if (promised === undefined || length === promised) return
  throw new StoreError('IncompleteBody', 'the body has not the promised size', { details: { size: length, promised } })
}

/** The digests of a small body that is all there. */
export function digestsOf(body: Uint8Array, algorithms: PutOptions['digests']): Digests {
  const set = createDigests(algorithms)
  set.update(body)
  return set.finish()
}

/** Runs of what a source yields, and the trailer. Rejects with what the source or `seal` throws; then nothing is stored. */
export class OutgoingBody implements AsyncIterableIterator<Uint8Array, undefined> {
  /** Resolves when the source was let go, which a source that never answers cannot be. */
  readonly released: Promise<void>
  private readonly options: OutgoingOptions
  private readonly source: AsyncIterator<Uint8Array>
  private readonly digests: ReturnType<typeof createDigests>
  private readonly release = Promise.withResolvers<void>()
  private size = 0
  private isOver = false

  constructor(source: ByteSource, options: OutgoingOptions) {
    this.options = options
    this.source = (source instanceof Uint8Array ? slices(source) : source)[Symbol.asyncIterator]()
    this.digests = createDigests(options.digests)
    this.released = this.release.promise
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    if (this.isOver) return over
    try {
      const step = await this.source.next()
      return { done: false, value: step.done === true ? this.end() : this.run(step.value) }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  async return(): Promise<Step> {
    if (this.isOver) return over
    this.isOver = true
    try {
      await this.source.return?.()
    } finally {
      this.release.resolve()
    }
    return over
  }

  private run(piece: Uint8Array): Uint8Array {
    const { size: promised } = this.options
    this.size += piece.length
    if (promised !== undefined && this.size > promised) checkSize(this.size, promised)
    if (piece.length === 0) return piece
    this.digests.update(piece)
    return runOf(piece)
  }

  private end(): Uint8Array {
    checkSize(this.size, this.options.size)
    const end = endOf(this.options.seal(this.digests.finish(), this.size))
    this.isOver = true
    this.release.resolve()
    return end
  }
}

async function* slices(body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
}
