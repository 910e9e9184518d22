import type { Cancel, Clock } from '../env/env.ts'
import { StoreError } from '../errors.ts'
import { endOfBody, frameKinds, hasBody } from './frame.ts'
import type { IncomingFrame } from './frame.ts'
import { InboundBody } from './inbound-body.ts'
import type { Link } from './link.ts'
import { encodeCallHead, encodeCredit } from './messages.ts'
import { OutboundBody, discard, fitsInline } from './outbound-body.ts'
import type { RpcBody } from './outbound-body.ts'

/** As much of an `AbortSignal` as a call needs. */
export interface CallSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(kind: 'abort', listener: () => void, options?: { readonly once: boolean }): void
  removeEventListener(kind: 'abort', listener: () => void): void
}

export interface RpcCallOptions {
  /** Sent as far as the server takes it, whether or not it has answered; closed when the call is over. */
  readonly body?: RpcBody
  /** From now until the end of the reply's body. Beyond it: `DeadlineExceeded`, here and there. */
  readonly deadlineMs?: number
  /** Cancels the call, here and there; the call rejects with the signal's reason. */
  readonly signal?: CallSignal
}

export interface RpcResult {
  readonly payload: Uint8Array
  /**
   * Must be read to its end, or left (`return`): until then it holds a place on the connection. It rejects with the
   * server's error, or when the call ends in any other way.
   */
  readonly body: AsyncIterable<Uint8Array> | undefined
}

export interface ClientCallOptions extends RpcCallOptions {
  readonly method: string
  readonly payload: Uint8Array
  readonly clock: Clock
}

type Stage = 'waiting' | 'asked' | 'answered' | 'over'

/** A call as the client sees it: from the wish to the last byte of the reply's body. */
export class ClientCall {
  /** Settles with the reply, which may come before its body. */
  readonly result: Promise<RpcResult>
  private readonly options: ClientCallOptions
  private readonly resolve: (result: RpcResult) => void
  private readonly reject: (error: unknown) => void
  private stage: Stage = 'waiting'
  private link: Link | undefined
  private callId = 0
  private ticket = 0
  private onOver: (() => void) | undefined
  private inbound: InboundBody | undefined
  private outbound: OutboundBody | undefined
  private cancelDeadline: Cancel | undefined
  private readonly onAbort = (): void => this.cancel(this.options.signal?.reason)

  constructor(options: ClientCallOptions) {
    this.options = options
    const { promise, resolve, reject } = Promise.withResolvers<RpcResult>()
    this.result = promise
    this.resolve = resolve
    this.reject = reject
    const { clock, deadlineMs, signal, method } = options
    if (deadlineMs !== undefined) {
      this.cancelDeadline = clock.after(deadlineMs, () => {
        this.cancel(new StoreError('DeadlineExceeded', `${method} took longer than ${Math.round(deadlineMs)} ms`))
      })
    }
    if (signal?.aborted === true) this.cancel(signal.reason)
    else signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  get isOver(): boolean {
    return this.stage === 'over'
  }

  /** Sends the call. `onOver` is called once, when nothing more will come. */
  begin(link: Link, callId: number, onOver: () => void): void {
    const { method, payload, body, deadlineMs } = this.options
    const head = encodeCallHead(method, deadlineMs)
    this.onOver = onOver
    if (head.length + payload.length > link.theirs.maxHeaderBytes) {
      const details = { bytes: payload.length }
      return this.fail(new StoreError('TooLarge', `the payload of ${method} is too large`, { details }))
    }
    this.stage = 'asked'
    this.link = link
    this.callId = callId
    const call = { kind: frameKinds.call, callId, header: [head, payload] }
    if (body === undefined) this.ticket = link.send(call)
    else if (fitsInline(body, link.theirs)) this.ticket = link.send({ ...call, flags: hasBody | endOfBody, body })
    else {
      this.ticket = link.send({ ...call, flags: hasBody })
      this.upload(link, body)
    }
  }

  onReply(frame: IncomingFrame): void {
    const { link, callId } = this
    if (this.stage !== 'asked' || link === undefined) return
    this.stage = 'answered'
    if (frame.flags & hasBody) {
      this.inbound = new InboundBody({
        windowBytes: link.ours.windowBytes,
        onConsumed: (bytes) => link.send({ kind: frameKinds.credit, callId, header: [encodeCredit(bytes)] }),
        onAbandoned: () => this.cancel(new StoreError('Aborted', 'the reply was not read to its end')),
      })
    }
    this.resolve({ payload: frame.header, body: this.inbound })
    if (this.inbound === undefined) this.finish()
  }

  receive(piece: Uint8Array): void {
    this.inbound?.push(piece)
  }

  receiveEnd(): void {
    this.inbound?.end()
    if (this.stage === 'answered') this.finish()
  }

  grant(bytes: number): void {
    this.outbound?.grant(bytes)
  }

  /** Ends the call with an error that the server knows already, or need not know. */
  fail(error: unknown): void {
    if (this.stage === 'over') return
    if (this.stage === 'answered') this.inbound?.fail(error)
    else this.reject(error)
    this.finish()
  }

  /** The connection is gone. Whether the call was carried out is known only if it never left. */
  lose(failure: StoreError | undefined): void {
    const { method } = this.options
    const mayHaveHappened = this.stage !== 'waiting' && this.link?.outbox.wasSent(this.ticket) === true
    const code = mayHaveHappened ? 'OutcomeUnknown' : 'Unavailable'
    this.fail(new StoreError(code, `the connection was lost during ${method}`, { cause: failure }))
  }

  /** Ends the call and tells the server. */
  private cancel(reason: unknown): void {
    const { link, callId, stage } = this
    this.fail(reason)
    if (stage === 'asked' || stage === 'answered') link?.send({ kind: frameKinds.cancel, callId })
  }

  private upload(link: Link, source: RpcBody): void {
    const { windowBytes, maxBodyBytes } = link.theirs
    const { outbox } = link
    this.outbound = new OutboundBody({ outbox, callId: this.callId, source, windowBytes, maxFrameBytes: maxBodyBytes })
    this.outbound.run().then(
      () => {
        this.outbound = undefined // all of it left: there is nothing to stop
      },
      (error: unknown) => {
        // After the end of the call this is our own `stop`; the answer is there, and the body no longer matters.
        if (this.stage !== 'over') this.cancel(error)
      },
    )
  }

  private finish(): void {
    // Nobody began to read the body, so nobody else closes it; the caller has its answer, whatever that says.
    if (this.stage === 'waiting') discard(this.options.body).catch(() => undefined)
    this.stage = 'over'
    this.cancelDeadline?.()
    this.options.signal?.removeEventListener('abort', this.onAbort)
    this.outbound?.stop(new StoreError('Aborted', 'the call is over'))
    this.onOver?.()
  }
}
