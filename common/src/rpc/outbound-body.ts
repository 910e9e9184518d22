import { endOfBody, frameKinds } from './frame.ts'
import type { Allowance } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** A body to send: all of it, or pieces that come. An array that was handed over belongs to the wire. */
export type RpcBody = Uint8Array | AsyncIterable<Uint8Array>

export interface OutboundBodyOptions {
  readonly outbox: Outbox
  readonly callId: number
  readonly source: RpcBody
  /** What the receiver takes before it gives credit. */
  readonly windowBytes: number
  /** Of one frame: small enough that a large body does not hold up the calls beside it. */
  readonly maxFrameBytes: number
}

/** A body that leaves: pieces go out as far as the receiver's credit and the connection allow. */
export class OutboundBody {
  private readonly options: OutboundBodyOptions
  private credit: number
  private stopped: { readonly reason: unknown } | undefined
  private wake: (() => void) | undefined

  constructor(options: OutboundBodyOptions) {
    this.options = options
    this.credit = options.windowBytes
  }

  /**
   * Resolves when the last frame was pushed, or after `stop()` without a reason. Rejects with what the source threw,
   * with the reason of `stop`, or when the connection is gone. The source is closed in every case.
   */
  async run(): Promise<void> {
    const { outbox, callId, source } = this.options
    for await (const piece of source instanceof Uint8Array ? [source] : source) {
      for (let at = 0; at < piece.length;) at += await this.sendSome(piece, at)
      if (this.stopped !== undefined) throw this.stopped.reason
    }
    if (this.stopped !== undefined) throw this.stopped.reason
    outbox.push({ kind: frameKinds.data, flags: endOfBody, callId })
  }

  /** The receiver takes so many bytes more. */
  grant(bytes: number): void {
    this.credit += bytes
    this.wakeUp()
  }

  /** Ends the sending at the next piece. */
  stop(reason: unknown): void {
    this.stopped ??= { reason }
    this.wakeUp()
  }

  private async sendSome(piece: Uint8Array, at: number): Promise<number> {
    const { outbox, callId, maxFrameBytes } = this.options
    while (this.credit === 0 && this.stopped === undefined) await this.changed()
    if (outbox.isBlocked) await outbox.ready()
    if (this.stopped !== undefined) throw this.stopped.reason
    const sizeBytes = Math.min(piece.length - at, this.credit, maxFrameBytes)
    this.credit -= sizeBytes
    outbox.push({ kind: frameKinds.data, callId, body: piece.subarray(at, at + sizeBytes) })
    return sizeBytes
  }

  private changed(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  private wakeUp(): void {
    this.wake?.()
    this.wake = undefined
  }
}

const inlineBodyBytes = 64 * 1024

/** Whether a body is whole and small enough to leave in one frame with its call or reply. */
export function fitsInline(body: RpcBody, theirs: Allowance): body is Uint8Array {
  return body instanceof Uint8Array && body.length <= Math.min(inlineBodyBytes, theirs.maxBodyBytes, theirs.windowBytes)
}

/** Closes a body that nobody will read. */
export async function discard(body: RpcBody | undefined): Promise<void> {
  if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.()
}
