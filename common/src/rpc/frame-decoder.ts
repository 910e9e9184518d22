import { StoreError, assert } from '../errors.ts'
import { flagsOf, kindOf, prefixSizeBytes, readU32 } from './frame.ts'
import type { IncomingFrame } from './frame.ts'

/** Who takes the frames. What it throws comes out of `push`. */
export interface FrameSink {
  /** The header is a view of what was received. */
  onFrame(frame: IncomingFrame): void
  /** The body of the frame before, piece by piece as it arrives; not called for a frame without body bytes. */
  onBody(piece: Uint8Array, place: 'more' | 'last'): void
}

export interface FrameLimits {
  readonly maxHeaderBytes: number
  readonly maxBodyBytes: number
}

/**
 * Cuts a byte stream into frames, however it arrives in pieces. Bodies are passed on as they come, without a copy and
 * without waiting for the whole; only a header that was cut is put together. A frame beyond the limits is refused
 * (`TooLarge`) before any of it is kept, an unknown one is `InvalidArgument`; after a refusal the decoder is of no use.
 */
export class FrameDecoder {
  /** May be changed between frames: before authentication a peer gets little room. */
  limits: FrameLimits
  private readonly sink: FrameSink
  /** The frame whose header is not complete yet. */
  private frame: { -readonly [K in keyof IncomingFrame]: IncomingFrame[K] } | undefined
  private headerSizeBytes = 0
  private bodyLeft = 0
  /** A prefix or header that was cut, and how much of it is there. */
  private stash: Uint8Array = empty
  private stashedBytes = 0

  constructor(limits: FrameLimits, sink: FrameSink) {
    this.limits = limits
    this.sink = sink
  }

  /** False inside a frame: a stream that ends here was cut. */
  get isBetweenFrames(): boolean {
    return this.frame === undefined && this.stashedBytes === 0 && this.bodyLeft === 0
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.bodyLeft > 0) at = this.takeBody(chunk, at)
      else if (this.frame === undefined) at = this.takePrefix(chunk, at)
      else at = this.takeHeader(chunk, at)
    }
  }

  private takeBody(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.bodyLeft)
    this.bodyLeft -= end - at
    this.sink.onBody(chunk.subarray(at, end), this.bodyLeft === 0 ? 'last' : 'more')
    return end
  }

  private takePrefix(chunk: Uint8Array, at: number): number {
    if (this.stashedBytes === 0 && at + prefixSizeBytes <= chunk.length) {
      this.begin(chunk, at)
      return at + prefixSizeBytes
    }
    const end = this.keep(chunk, at, prefixSizeBytes)
    if (this.stashedBytes === prefixSizeBytes) this.begin(this.unstash(), 0)
    return end
  }

  private takeHeader(chunk: Uint8Array, at: number): number {
    if (this.stashedBytes === 0 && at + this.headerSizeBytes <= chunk.length) {
      const end = at + this.headerSizeBytes
      this.deliver(chunk.subarray(at, end))
      return end
    }
    const end = this.keep(chunk, at, this.headerSizeBytes)
    if (this.stashedBytes === this.headerSizeBytes) this.deliver(this.unstash())
    return end
  }

  private begin(source: Uint8Array, at: number): void {
    const headerSizeBytes = readU32(source, at)
    const bodySizeBytes = readU32(source, at + 4)
    const last = source[at + 12] as number
    const kind = kindOf(last)
    if (kind === undefined) throw new StoreError('InvalidArgument', 'a frame of an unknown kind arrived')
    if (headerSizeBytes > this.limits.maxHeaderBytes || bodySizeBytes > this.limits.maxBodyBytes) {
      const details = { headerSizeBytes, bodySizeBytes }
      throw new StoreError('TooLarge', 'a frame beyond the limits arrived', { details })
    }
    this.frame = { kind, flags: flagsOf(last), callId: readU32(source, at + 8), header: empty, bodySizeBytes }
    this.headerSizeBytes = headerSizeBytes
    if (headerSizeBytes === 0) this.deliver(empty)
  }

  private deliver(header: Uint8Array): void {
    const { frame } = this
    assert(frame, 'a header belongs to a frame')
    this.frame = undefined
    this.bodyLeft = frame.bodySizeBytes
    frame.header = header
    this.sink.onFrame(frame)
  }

  private keep(chunk: Uint8Array, at: number, wantedBytes: number): number {
    if (this.stashedBytes === 0) this.stash = new Uint8Array(wantedBytes)
    const end = Math.min(chunk.length, at + wantedBytes - this.stashedBytes)
    this.stash.set(chunk.subarray(at, end), this.stashedBytes)
    this.stashedBytes += end - at
    return end
  }

  private unstash(): Uint8Array {
    const { stash } = this
    this.stash = empty
    this.stashedBytes = 0
    return stash
  }
}

const empty = new Uint8Array(0)
