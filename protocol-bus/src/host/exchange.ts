/** One request and its response, from the head of the one to the last byte of the other. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { StoreError } from '@o3/common/errors'
import type { HttpRequest } from '../api/api.ts'
import type { AcceptedHead } from '../core/http-head.ts'
import { RequestBody } from './request-body.ts'

/** What the front end sees. What costs something and is rarely asked for comes to be when it is asked for. */
export class Exchange implements HttpRequest {
  readonly id: string
  readonly startMs: number
  readonly message: IncomingMessage
  readonly response: ServerResponse
  /** The last byte of the response was handed to the connection, or never will be. */
  isFinished = false
  private readonly head: AcceptedHead
  private knownBody: RequestBody | undefined
  private abort: AbortController | undefined

  constructor(given: {
    readonly id: string
    readonly startMs: number
    readonly message: IncomingMessage
    readonly response: ServerResponse
    readonly head: AcceptedHead
  }) {
    this.id = given.id
    this.startMs = given.startMs
    this.message = given.message
    this.response = given.response
    this.head = given.head
  }

  get method(): string {
    return this.message.method as string
  }

  get target(): string {
    return targetOf(this.message)
  }

  get rawHeaders(): readonly string[] {
    return this.message.rawHeaders
  }

  get remoteAddress(): string {
    return this.message.socket.remoteAddress ?? ''
  }

  get body(): RequestBody {
    this.knownBody ??= new RequestBody(this.message, this.response, this.head)
    return this.knownBody
  }

  /** The body, once somebody has asked for it. */
  get touchedBody(): RequestBody | undefined {
    return this.knownBody
  }

  get hasBody(): boolean {
    return this.head.bodyBytes !== 0
  }

  get signal(): AbortSignal {
    if (this.abort !== undefined) return this.abort.signal
    const abort = new AbortController()
    this.abort = abort
    const giveUp = (): void => {
      if (!this.isFinished) abort.abort(gone())
    }
    // A message also closes when it was read to its end.
    const onMessageClose = (): void => {
      if (!this.message.complete) giveUp()
    }
    this.message.once('close', onMessageClose)
    this.response.once('close', giveUp)
    if (this.message.destroyed) onMessageClose()
    if (this.response.destroyed) giveUp()
    return abort.signal
  }
}

function gone(): StoreError {
  return new StoreError('Aborted', 'the client went away')
}

/** Fastify sees every target as `/` (see `http-listener.ts`), and keeps the one that came. */
interface RewrittenMessage extends IncomingMessage {
  readonly originalUrl?: string
}

export function targetOf(message: RewrittenMessage): string {
  return message.originalUrl ?? (message.url as string)
}
