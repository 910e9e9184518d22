import type { Cancel } from '../env/env.ts'
import { AssertionError, StoreError } from '../errors.ts'
import { endOfBody, frameKinds, hasBody } from './frame.ts'
import { InboundBody } from './inbound-body.ts'
import type { Link } from './link.ts'
import { encodeCredit, encodeError } from './messages.ts'
import type { CallHead } from './messages.ts'
import { OutboundBody, discard, fitsInline } from './outbound-body.ts'
import type { RpcBody } from './outbound-body.ts'

/** What a handler is asked. */
export interface RpcCall<Peer> {
  readonly method: string
  /** A view of what was received: valid as long as somebody holds it, but it holds the buffer around it too. */
  readonly payload: Uint8Array
  /** One consumer. It rejects when the client goes away, with `Aborted`, or the deadline passes. */
  readonly body: AsyncIterable<Uint8Array> | undefined
  /** Who the connection was authenticated as. */
  readonly peer: Peer
  /** What the client still waits, in milliseconds from the arrival. */
  readonly deadlineMs: number | undefined
  /** Aborted with a `StoreError`: `Aborted` (cancelled, connection lost), `DeadlineExceeded`, `Closed` (we stop). */
  readonly signal: AbortSignal
}

export interface RpcReply {
  readonly payload?: Uint8Array
  readonly body?: RpcBody
}

/**
 * Answers one call. A rejection with a `StoreError` goes to the client as it is; anything else is logged and becomes
 * `Internal`. It should stop when `signal` aborts; its answer is dropped then.
 */
export type RpcHandler<Peer> = (call: RpcCall<Peer>) => Promise<RpcReply> | RpcReply

export interface ServerCallOptions<Peer> {
  readonly link: Link
  readonly callId: number
  readonly head: CallHead
  readonly flags: number
  readonly peer: Peer
  readonly after: (delayMs: number, action: () => void) => Cancel
  /** Called once: nothing more is sent for this call. */
  readonly onOver: (callId: number) => void
  /** Told of what a handler threw that is no `StoreError`. */
  readonly onBug: (method: string, error: unknown) => void
}

const noBytes = new Uint8Array(0)

/** A call as the server sees it: from its frame to the last frame of its reply. */
export class ServerCall<Peer> implements RpcCall<Peer> {
  readonly method: string
  readonly payload: Uint8Array
  readonly peer: Peer
  readonly deadlineMs: number | undefined
  private readonly options: ServerCallOptions<Peer>
  private readonly inbound: InboundBody | undefined
  private outbound: OutboundBody | undefined
  private abortion: AbortController | undefined
  private failure: StoreError | undefined
  private cancelDeadline: Cancel | undefined
  private isOver = false

  constructor(options: ServerCallOptions<Peer>) {
    const { head, flags, link, callId } = options
    this.options = options
    this.method = head.method
    this.payload = head.payload
    this.peer = options.peer
    this.deadlineMs = head.deadlineMs
    if (flags & hasBody) {
      this.inbound = new InboundBody({
        windowBytes: link.ours.windowBytes,
        onConsumed: (bytes) => link.send({ kind: frameKinds.credit, callId, header: [encodeCredit(bytes)] }),
        onAbandoned: () => undefined, // without credit the client stops by itself; the reply tells it to give up
      })
    }
  }

  get body(): AsyncIterable<Uint8Array> | undefined {
    return this.inbound
  }

  get signal(): AbortSignal {
    // Made when asked for: most handlers are done before they could look.
    if (this.abortion === undefined) {
      this.abortion = new AbortController()
      if (this.failure !== undefined) this.abortion.abort(this.failure)
    }
    return this.abortion.signal
  }

  async run(handler: RpcHandler<Peer>): Promise<void> {
    const { deadlineMs } = this
    if (deadlineMs !== undefined) {
      this.cancelDeadline = this.options.after(deadlineMs, () => {
        this.fail(new StoreError('DeadlineExceeded', `${this.method} took longer than ${Math.round(deadlineMs)} ms`))
      })
    }
    try {
      const reply = await handler(this)
      if (this.isOver) await discard(reply.body)
      else await this.answer(reply)
    } catch (error) {
      // A bug stops the process; it is not an answer.
      if (error instanceof AssertionError) throw error
      if (!(error instanceof StoreError)) this.options.onBug(this.method, error)
      this.fail(StoreError.from(error))
    }
  }

  receive(piece: Uint8Array): void {
    this.inbound?.push(piece)
  }

  receiveEnd(): void {
    this.inbound?.end()
  }

  grant(bytes: number): void {
    this.outbound?.grant(bytes)
  }

  /** Ends the call with an error, told to the client; nothing if it is over. */
  fail(error: StoreError): void {
    if (this.isOver) return
    const { link, callId } = this.options
    link.send({ kind: frameKinds.error, callId, header: [encodeError(error.toRecord())] })
    this.abort(error)
  }

  /** Ends the call without a word: the client has gone, or has asked for it. */
  abort(error: StoreError): void {
    if (this.isOver) return
    this.failure = error
    this.finish()
    this.abortion?.abort(error)
    this.inbound?.fail(error)
    this.outbound?.stop(error)
  }

  private async answer({ payload = noBytes, body }: RpcReply): Promise<void> {
    const { link, callId } = this.options
    if (payload.length > link.theirs.maxHeaderBytes) {
      throw new StoreError('TooLarge', `the answer of ${this.method} is too large`, {
        details: { bytes: payload.length },
      })
    }
    if (body === undefined) {
      link.send({ kind: frameKinds.reply, callId, header: [payload] })
    } else if (fitsInline(body, link.theirs)) {
      link.send({ kind: frameKinds.reply, flags: hasBody | endOfBody, callId, header: [payload], body })
    } else await this.stream(payload, body)
    // Free before the client can see the end and call again, else it would find us full.
    this.finish()
  }

  private async stream(payload: Uint8Array, body: RpcBody): Promise<void> {
    const { link, callId } = this.options
    this.outbound = new OutboundBody({
      outbox: link.outbox,
      callId,
      source: body,
      windowBytes: link.theirs.windowBytes,
      maxFrameBytes: link.theirs.maxBodyBytes,
    })
    link.send({ kind: frameKinds.reply, flags: hasBody, callId, header: [payload] })
    await this.outbound.run()
  }

  private finish(): void {
    if (this.isOver) return
    this.isOver = true
    this.cancelDeadline?.()
    this.options.onOver(this.options.callId)
  }
}
