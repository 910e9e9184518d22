import type { Cancel, Clock, Connection, Tasks } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import { withinDeadline } from '../lifecycle/deadline.ts'
import { FrameDecoder } from './frame-decoder.ts'
import type { FrameSink } from './frame-decoder.ts'
import { frameKinds } from './frame.ts'
import type { IncomingFrame, OutgoingFrame } from './frame.ts'
import type { RpcLimits } from './limits.ts'
import type { Allowance } from './messages.ts'
import { Outbox } from './outbox.ts'

/** What a link needs of its world. */
export interface LinkPorts {
  readonly clock: Clock
  readonly tasks: Tasks
}

export interface LinkOptions extends LinkPorts {
  readonly connection: Connection
  readonly limits: RpcLimits
  readonly sink: FrameSink
  /**
   * Stop reading while more than this waits to be sent, so that a peer which asks without taking the answers is held
   * up. For servers only: if both ends did it they could wait for each other.
   */
  readonly pauseAboveBytes?: number
  /** Called once, when the link is over for whatever reason. Undefined: we closed it. */
  readonly onClosed: (failure: StoreError | undefined) => void
}

/** Until a peer has proved who it is, its frames may have this much header. */
const handshakeHeaderBytes = 4096
/** Method name, deadline. */
const callHeadBytes = 1024

/** An orderly end does not wait for ever for a peer that does not read. */
const drainDeadlineMs = 2_000

/** One connection as frames: the part that client and server have in common. It answers pings by itself. */
export class Link {
  readonly remote: string
  readonly outbox: Outbox
  /** What the peer takes; it is known after the handshake. */
  theirs: Allowance = { maxHeaderBytes: 0, maxBodyBytes: 0, windowBytes: 0 }
  private readonly options: LinkOptions
  private readonly decoder: FrameDecoder
  private lastSignMs: number
  private cancelTimer: Cancel
  private isClosed = false

  constructor(options: LinkOptions) {
    const { connection, tasks, limits, clock } = options
    this.options = options
    this.remote = connection.remote
    this.outbox = new Outbox({
      connection,
      tasks,
      maxUnsentBytes: limits.maxUnsentBytes,
      onFailure: (error) => this.close(error),
    })
    this.decoder = new FrameDecoder(
      { maxHeaderBytes: handshakeHeaderBytes, maxBodyBytes: 0 },
      {
        onFrame: (frame) => this.take(frame),
        onBody: (piece, place) => options.sink.onBody(piece, place),
      },
    )
    this.lastSignMs = clock.monotonicMs()
    this.cancelTimer = clock.after(limits.handshakeTimeoutMs, () => {
      this.close(new StoreError('Unavailable', `${this.remote} did not finish the handshake`))
    })
    tasks.spawn('rpc.read', () => this.read())
  }

  /** What this side takes. */
  get ours(): Allowance {
    const { maxPayloadBytes, maxFrameBodyBytes, windowBytes } = this.options.limits
    return { maxHeaderBytes: maxPayloadBytes + callHeadBytes, maxBodyBytes: maxFrameBodyBytes, windowBytes }
  }

  send(frame: OutgoingFrame): number {
    return this.outbox.push(frame)
  }

  /** The peer has proved who it is: it gets room, and from now on it is asked for signs of life. */
  establish(theirs: Allowance): void {
    this.theirs = theirs
    this.decoder.limits = this.ours
    this.cancelTimer()
    this.watch()
  }

  /** Idempotent. Undefined: an orderly end, what was pushed before still goes out. */
  close(failure?: StoreError): void {
    if (this.isClosed) return
    this.isClosed = true
    this.cancelTimer()
    this.options.tasks.spawn('rpc.close', () => this.shut(failure))
    this.options.onClosed(failure)
  }

  private async shut(failure: StoreError | undefined): Promise<void> {
    const { connection } = this.options
    try {
      if (failure === undefined) {
        await withinDeadline(this.options.clock, drainDeadlineMs, 'sending the last frames', this.outbox.drain())
      }
    } catch (error) {
      // The peer went first, or does not read: there is nothing to bring in order.
      if (!(error instanceof StoreError)) throw error
    }
    this.outbox.fail(failure ?? new StoreError('Closed', 'the connection was closed'))
    await connection.close()
  }

  private async read(): Promise<void> {
    const { connection, clock, pauseAboveBytes = Infinity } = this.options
    try {
      for await (const chunk of connection.received) {
        if (this.isClosed) return
        this.lastSignMs = clock.monotonicMs()
        this.decoder.push(chunk)
        if (this.outbox.unsentBytes > pauseAboveBytes) await this.outbox.ready()
      }
      this.close(new StoreError('Unavailable', `${this.remote} closed the connection`))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.close(error)
    }
  }

  private take(frame: IncomingFrame): void {
    if (frame.kind === frameKinds.ping) {
      // A peer that pings and does not read must not fill our memory.
      if (!this.outbox.isBlocked) this.send({ kind: frameKinds.pong, callId: 0 })
    } else if (frame.kind !== frameKinds.pong) this.options.sink.onFrame(frame)
  }

  private watch(): void {
    const { clock, limits } = this.options
    const silentMs = clock.monotonicMs() - this.lastSignMs
    if (silentMs >= limits.deadAfterMs) {
      this.close(new StoreError('Unavailable', `${this.remote} has been silent for ${Math.round(silentMs)} ms`))
      return
    }
    if (silentMs >= limits.pingAfterMs) this.send({ kind: frameKinds.ping, callId: 0 })
    this.cancelTimer = clock.after(limits.pingAfterMs, () => this.watch())
  }
}
