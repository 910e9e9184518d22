/**
 * The body of a request. Nothing is read, and no `100 Continue` is sent, before somebody asks. Read by events: an
 * asynchronous loop over Node's stream costs up to twice the CPU.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { assert, StoreError } from '@o3/common/errors'
import type { HttpBody } from '../api/api.ts'
import { BodyStream, tooLarge, WholeBody } from './body-sink.ts'
import type { BodySink } from './body-sink.ts'

const nothing = new Uint8Array(0)
const carried = Symbol('body')

/** The listeners below are shared by all requests and find their body here: no closures per request. */
interface CarryingMessage extends IncomingMessage {
  [carried]?: RequestBody
}

export class RequestBody implements HttpBody {
  readonly length: number | undefined
  /** Bytes that have come. */
  received = 0
  private readonly message: CarryingMessage
  private readonly response: ServerResponse
  private readonly expectsContinue: boolean
  private sink: BodySink | undefined
  /** Went wrong before anybody asked: a malformed chunk may come in one piece with the head. */
  private earlyFailure: StoreError | undefined
  private state: 'untouched' | 'reading' | 'complete' | 'failed' | 'abandoned' = 'untouched'

  constructor(
    message: IncomingMessage,
    response: ServerResponse,
    head: { readonly bodyBytes: number | undefined; readonly expectsContinue: boolean },
  ) {
    this.message = message
    this.response = response
    this.length = head.bodyBytes
    this.expectsContinue = head.expectsContinue
  }

  all(limit: number): Promise<Uint8Array> {
    if (this.length === 0) return Promise.resolve(nothing)
    if (this.length !== undefined && this.length > limit) return Promise.reject(tooLarge(limit))
    const whole = new WholeBody(limit)
    this.start(whole)
    return whole.done
  }

  stream(): AsyncIterable<Uint8Array> {
    const stream = new BodyStream(
      () => this.resume(),
      () => this.abandon(),
    )
    if (this.length === 0) stream.end()
    else this.start(stream)
    return stream
  }

  /** True while it is the client's turn to send. */
  get isAwaited(): boolean {
    return this.state === 'reading' && !this.message.isPaused()
  }

  /** Bytes that the client may still send; undefined when it has not said. */
  get unreadBytes(): number | undefined {
    if (this.length === 0 || this.state === 'complete' || this.message.complete) return 0
    return this.length === undefined ? undefined : this.length - this.received
  }

  /** It broke off, or was given up: what may still come is not to be told from a next request. */
  get isBroken(): boolean {
    return this.state === 'failed'
  }

  /** The client was not told to send its body, and will not. */
  get isWithheld(): boolean {
    return this.expectsContinue && this.state === 'untouched'
  }

  /** Reads what is left and drops it, so that the connection can be used again. */
  discard(): void {
    if (this.state === 'reading') this.state = 'abandoned'
    this.message.resume()
  }

  /**
   * Ends the reading, also one that has not begun: a stall, a malformed chunk, a stop. Does nothing to a body that is
   * complete.
   */
  fail(error: StoreError): void {
    if (this.state === 'untouched') this.earlyFailure ??= error
    if (this.state !== 'reading') return
    this.state = 'failed'
    this.message.pause()
    this.sink?.fail(error)
  }

  takePiece(piece: Uint8Array): void {
    this.received += piece.length
    if (this.state !== 'reading' || this.sink === undefined) return
    const goOn = this.sink.piece(piece)
    // The last byte is known by its number: the end of the stream would be told a turn later.
    if (this.received === this.length) this.finish()
    else if (!goOn) this.message.pause()
  }

  finish(): void {
    if (this.state !== 'reading') return
    this.state = 'complete'
    this.sink?.end()
  }

  brokenOff(): void {
    // Every message closes. An error costs as much as the rest of a small request; it is made when it is needed.
    if (this.state === 'reading')
      this.fail(new StoreError('IncompleteBody', 'the client broke off', { details: { received: this.received } }))
  }

  private start(sink: BodySink): void {
    assert(this.state === 'untouched', 'the body of a request is read once')
    this.state = 'reading'
    this.sink = sink
    if (this.message.destroyed && !this.message.complete) {
      this.brokenOff()
      return
    }
    if (this.earlyFailure !== undefined) {
      this.fail(this.earlyFailure)
      return
    }
    if (this.expectsContinue) this.response.writeContinue()
    this.message[carried] = this
    this.message.on('data', onData)
    this.message.on('end', onEnd)
    this.message.on('close', onClose)
  }

  private resume(): void {
    if (this.state === 'reading') this.message.resume()
  }

  private abandon(): void {
    if (this.state !== 'reading') return
    this.state = 'abandoned'
    this.message.pause()
  }
}

function onData(this: CarryingMessage, piece: Uint8Array): void {
  this[carried]?.takePiece(piece)
}

function onEnd(this: CarryingMessage): void {
  this[carried]?.finish()
}

function onClose(this: CarryingMessage): void {
  this[carried]?.brokenOff()
}
