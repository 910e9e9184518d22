import type { Connection, Tasks } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import { prefixSizeBytes, writePrefix } from './frame.ts'
import type { OutgoingFrame } from './frame.ts'

export interface OutboxOptions {
  readonly connection: Connection
  readonly tasks: Tasks
  /** What may wait here for a peer that does not read. Beyond it the connection is given up. */
  readonly maxUnsentBytes: number
  /** Called once, when sending failed. */
  readonly onFailure: (error: StoreError) => void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

// Pieces up to here are joined in one buffer, because one more buffer in a write costs more than to copy this much.
const joinUpToBytes = 4096
const slabSizeBytes = 64 * 1024
/** So much is sent at once, without waiting for the end of the turn. */
const flushAboveBytes = 256 * 1024

/**
 * Sends frames in order. All that were pushed in one turn of the event loop leave in one write: for small calls that
 * is most of the speed of the wire. While the connection takes no more, frames gather here; whoever sends a body waits
 * for `ready` before it pushes more.
 */
export class Outbox {
  private readonly options: OutboxOptions
  private pieces: Uint8Array[] = []
  private queued = 0
  /** Small pieces are written into a slab; what was handed over is never written again. */
  private slab: Uint8Array = new Uint8Array(0)
  private sealedEnd = 0
  private slabEnd = 0
  private isScheduled = false
  private isSending = false
  private waiters: Waiter[] = []
  private failure: StoreError | undefined
  private pushed = 0
  private handedOver = 0

  constructor(options: OutboxOptions) {
    this.options = options
  }

  /** True while the connection takes no more: pushing on would pile up. */
  get isBlocked(): boolean {
    return this.isSending
  }

  /** What was pushed and not yet handed to the connection. */
  get unsentBytes(): number {
    return this.queued
  }

  /**
   * Large arrays are not copied: they belong to the wire from here on. Returns a ticket for `wasSent`. After a failure
   * it does nothing: the owner was told.
   */
  push(frame: OutgoingFrame): number {
    if (this.failure !== undefined) return Infinity
    const headerSizeBytes = sizeOf(frame.header)
    this.queued += prefixSizeBytes + headerSizeBytes + (frame.body?.length ?? 0)
    const at = this.reserve(prefixSizeBytes)
    writePrefix(this.slab, at, frame, headerSizeBytes)
    if (frame.header !== undefined) for (const piece of frame.header) this.add(piece)
    if (frame.body !== undefined) this.add(frame.body)
    this.pushed++
    if (this.queued > this.options.maxUnsentBytes) {
      this.fail(new StoreError('Unavailable', `${this.options.connection.remote} does not read what it asked for`))
    } else if (this.queued >= flushAboveBytes) this.flush()
    else this.schedule()
    return this.pushed
  }

  /** Whether the peer may have the frame with this ticket. */
  wasSent(ticket: number): boolean {
    return ticket <= this.handedOver
  }

  /** Resolves when the connection takes more; rejects when it is gone. */
  ready(): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return this.isSending ? this.nextSettled() : Promise.resolve()
  }

  /** Resolves when everything that was pushed is handed over; rejects when it cannot be. */
  async drain(): Promise<void> {
    while (this.isSending || this.queued > 0) await this.nextSettled()
  }

  /** Nothing is sent any more; those who wait reject with this error. */
  fail(error: StoreError): void {
    if (this.failure !== undefined) return
    this.failure = error
    this.pieces = []
    this.queued = 0
    for (const { reject } of this.takeWaiters()) reject(error)
    this.options.onFailure(error)
  }

  private nextSettled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject })
    })
  }

  private schedule(): void {
    if (this.isScheduled || this.isSending) return
    this.isScheduled = true
    this.options.tasks.nextTurn(() => {
      this.isScheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.isSending || this.queued === 0) return
    this.seal()
    const { pieces } = this
    this.pieces = []
    this.queued = 0
    this.handedOver = this.pushed
    this.isSending = true
    this.options.connection.send(pieces).then(
      () => this.sent(),
      (error: unknown) => {
        this.isSending = false
        this.fail(StoreError.from(error))
      },
    )
  }

  private sent(): void {
    this.isSending = false
    for (const { resolve } of this.takeWaiters()) resolve()
    if (this.queued > 0) this.schedule()
  }

  private takeWaiters(): readonly Waiter[] {
    const { waiters } = this
    this.waiters = []
    return waiters
  }

  private add(piece: Uint8Array): void {
    if (piece.length <= joinUpToBytes) {
      const at = this.reserve(piece.length) // first: it may bring another slab
      this.slab.set(piece, at)
      return
    }
    this.seal()
    this.pieces.push(piece)
  }

  /** Room in the slab for so many bytes; the offset of the first. */
  private reserve(sizeBytes: number): number {
    if (this.slabEnd + sizeBytes > this.slab.length) {
      this.seal()
      this.slab = new Uint8Array(slabSizeBytes)
      this.sealedEnd = 0
      this.slabEnd = 0
    }
    const at = this.slabEnd
    this.slabEnd += sizeBytes
    return at
  }

  /** What was joined so far becomes a piece. */
  private seal(): void {
    if (this.slabEnd > this.sealedEnd) this.pieces.push(this.slab.subarray(this.sealedEnd, this.slabEnd))
    this.sealedEnd = this.slabEnd
  }
}

function sizeOf(pieces: readonly Uint8Array[] | undefined): number {
  let bytes = 0
  if (pieces !== undefined) for (const piece of pieces) bytes += piece.length
  return bytes
}
