/**
 * One HTTP mount: a fastify server in front of one plugin's `handle`.
 *
 * Fastify hosts and this file serves: requests are taken over in fastify's first hook, before it would parse a body or
 * a content type (both have failure modes of their own, answered in JSON), and every target is `/` to its router, which
 * would otherwise judge percent-encodings that are a front end's business. Measured, this costs within a tenth of bare
 * `node:http`.
 */

import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock, Random } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import type { Logger } from '@o3/common/logger'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { HttpResponse, Mount } from '../api/api.ts'
import { judgeHead } from '../core/http-head.ts'
import { accessLog } from './access-log.ts'
import type { AccessLog, AccessLogLevel } from './access-log.ts'
import { Connections } from './connections.ts'
import { Exchange, targetOf } from './exchange.ts'
import type { HttpLimits } from './http-limits.ts'
import { listenError } from './listen-error.ts'
import { refuseSocket, statusOfParseError } from './refuse-socket.ts'
import { requestIds } from './request-id.ts'
import { RequestMetrics } from './request-metrics.ts'
import type { HostInstruments } from './request-metrics.ts'
import { isStream, wholeResponse, writeStream } from './write-response.ts'

export type HttpMount = Extract<Mount, { kind: 'http' }>

export interface HttpListenerOptions {
  readonly mount: HttpMount
  readonly clock: Clock
  readonly random: Pick<Random, 'bytes'>
  readonly log: Logger
  readonly instruments: HostInstruments
  readonly limits: HttpLimits
  readonly accessLog: AccessLogLevel
}

/** While stopping, connections that have become idle are looked for this often. */
const drainPollMs = 20
/** For a front end to notice that a request was cut. */
const letGoMs = 1000
/** So little of an unwanted body is cheaper to read than a connection is to make. */
const discardBytes = 64 * 1024

export class HttpListener {
  readonly mount: HttpMount
  private readonly options: HttpListenerOptions
  private readonly server: Server
  private readonly app: FastifyInstance
  private readonly connections: Connections
  private readonly metrics: RequestMetrics
  private readonly logAccess: AccessLog
  private readonly nextId: () => string
  private readonly refusedSockets = new WeakSet<Socket>()
  private underway = 0
  private stopping = false

  private constructor(options: HttpListenerOptions) {
    const { mount, limits } = options
    this.options = options
    this.mount = mount
    this.connections = new Connections(options.clock, limits)
    this.metrics = new RequestMetrics(options.instruments, mount.name)
    this.logAccess = accessLog(options.log, options.accessLog)
    this.nextId = requestIds(options.random)
    this.server = createServer(serverOptions(limits))
    this.app = this.openFastify()
    this.server.maxConnections = limits.maxConnections
    // Node would drop the headers beyond its count and say nothing; `judgeHead` refuses them.
    this.server.maxHeadersCount = 0
    this.server.on('connection', (socket) => this.connections.add(socket))
  }

  /** Resolves when it takes connections. `Busy` when the port is taken, `InvalidArgument` when the address cannot be. */
  static async open(options: HttpListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options)
    await listener.app.ready()
    await listener.listen()
    return listener
  }

  /** The real port where 0 was asked. */
  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.server.address() as AddressInfo
    return { host: address, port }
  }

  /**
   * Takes no more connections, lets what is under way finish, closes what is idle. After `deadlineMs` everything left is
   * cut: bodies end in `IncompleteBody`, signals abort. Resolves when no connection is open and the front end has let go
   * of every request, or has had a second for that.
   */
  async stop(deadlineMs: number): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    // Not `http.Server.close`: it also cuts connections whose last response is still on its way out.
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.server, () => resolve()))
    await this.drain(deadlineMs)
    await closed
    this.connections.stop()
    // Ends the timer that looks for late heads; the server itself is closed.
    this.server.close()
    await this.app.close()
  }

  private async drain(deadlineMs: number): Promise<void> {
    const { clock, log } = this.options
    const cutMs = clock.monotonicMs() + deadlineMs
    let isCut = false
    while (this.connections.size > 0 || this.underway > 0) {
      const lateMs = clock.monotonicMs() - cutMs
      const left = { mount: this.mount.name, requests: this.underway, connections: this.connections.size }
      if (lateMs >= letGoMs) {
        log.warn(left, 'a front end does not let go of its requests')
        return
      }
      if (lateMs < 0) this.connections.closeIdle()
      else if (!isCut) {
        log.warn(left, 'cutting what did not finish in time')
        this.connections.closeAll()
        isCut = true
      }
      await clock.sleep(drainPollMs)
    }
  }

  private openFastify(): FastifyInstance {
    const app = fastify({
      logger: false,
      exposeHeadRoutes: false,
      // It would answer in JSON. While stopping we answer as usual and close.
      return503OnClosing: false,
      rewriteUrl: () => '/',
      clientErrorHandler: (error, socket) => this.onClientError(error, socket),
      serverFactory: (handler) => {
        this.server.on('request', handler)
        // Node would send `100 Continue`, or 417, before anybody has looked at the request.
        this.server.on('checkContinue', handler)
        this.server.on('checkExpectation', handler)
        return this.server
      },
    })
    // Never calls on: nothing in fastify happens after this.
    app.addHook('onRequest', (request, reply, _on) => {
      reply.hijack()
      this.serve(request.raw, reply.raw)
    })
    app.all('/', () => undefined)
    return app
  }

  private listen(): Promise<void> {
    const { host, port } = this.mount
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, { host, port }))
      this.server.once('error', onError)
      this.server.listen({ host, port }, () => {
        this.server.removeListener('error', onError)
        this.server.on('error', (error) => this.options.log.error({ error }, 'the listener failed'))
        resolve()
      })
    })
  }

  private serve(message: IncomingMessage, response: ServerResponse): void {
    const id = this.nextId()
    const head = judgeHead({
      method: message.method as string,
      target: targetOf(message),
      httpMinor: message.httpVersionMinor,
      rawHeaders: message.rawHeaders,
    })
    if (head.kind === 'refused') {
      this.refuse(message, response, this.refusal(head.status, head.reason, id))
      return
    }
    if (this.underway >= this.options.limits.maxRequests) {
      this.refuse(message, response, this.refusal(503, 'too many requests are under way', id))
      return
    }
    const startMs = this.options.clock.monotonicMs()
    const exchange = new Exchange({ id, startMs, message, response, head })
    this.connections.begin(message.socket, exchange)
    this.underway++
    this.metrics.underway.add(1)
    void this.run(exchange)
  }

  /** Never rejects. */
  private async run(exchange: Exchange): Promise<void> {
    let status = 0
    let sentBytes = 0
    try {
      let answer: HttpResponse
      try {
        answer = await this.mount.handle(exchange)
      } catch (error) {
        this.options.log.error({ request: exchange.id, error }, 'a front end failed')
        answer = this.refusal(500, 'internal error', exchange.id)
      }
      const sending = this.answer(exchange, answer)
      sentBytes = typeof sending === 'number' ? sending : await sending
      status = answer.status
    } catch (error) {
      this.cut(exchange, error)
    }
    this.finish(exchange, status, sentBytes)
  }

  private cut(exchange: Exchange, error: unknown): void {
    const { log } = this.options
    if (isStoreError(error, 'Aborted')) log.debug({ request: exchange.id, error }, 'the client went away')
    else log.error({ request: exchange.id, error }, 'a response broke off')
    exchange.response.destroy()
  }

  /** `status` 0: the response broke off. */
  private finish(exchange: Exchange, status: number, sentBytes: number): void {
    exchange.isFinished = true
    this.underway--
    this.metrics.underway.add(-1)
    const finished = {
      method: exchange.method,
      status,
      receivedBytes: exchange.touchedBody?.received ?? 0,
      sentBytes,
      tookMs: this.options.clock.monotonicMs() - exchange.startMs,
    }
    this.metrics.count(finished)
    this.logAccess(exchange, finished)
  }

  /** Answers the bytes sent. */
  private answer(exchange: Exchange, answer: HttpResponse): number | Promise<number> {
    const unwanted = exchange.hasBody ? this.unwanted(exchange) : 'none'
    const close = this.stopping || unwanted === 'large'
    const headOnly = exchange.method === 'HEAD'
    const whole = wholeResponse(answer, { headOnly, close })
    if (whole === undefined) return this.answerStream(exchange, answer, close)
    if (headOnly && isStream(answer.body)) void answer.body[Symbol.asyncIterator]().return?.()
    exchange.response.writeHead(answer.status, whole.headers as string[])
    if (unwanted === 'large') this.writeThenLinger(exchange.message, exchange.response, whole.body)
    else exchange.response.end(whole.body)
    if (unwanted === 'small') exchange.body.discard()
    return whole.body?.length ?? 0
  }

  private async answerStream(exchange: Exchange, answer: HttpResponse, close: boolean): Promise<number> {
    const sent = await writeStream(exchange.response, answer, close)
    if (exchange.hasBody && exchange.body.unreadBytes !== 0) this.writeThenLinger(exchange.message, exchange.response)
    else exchange.response.end()
    return sent
  }

  /** How much of the request's body is still to come that nobody will read. */
  private unwanted({ body }: Exchange): 'none' | 'small' | 'large' {
    const { unreadBytes } = body
    if (unreadBytes === 0) return 'none'
    // What was not asked for by `100 Continue` may come or not: only closing tells it from the next request.
    if (body.isWithheld || body.isBroken) return 'large'
    return unreadBytes !== undefined && unreadBytes <= discardBytes ? 'small' : 'large'
  }

  /** Answers what no front end is to see, and closes. */
  private refuse(message: IncomingMessage, response: ServerResponse, refusal: HttpResponse): void {
    this.metrics.refused.add(1)
    const whole = wholeResponse(refusal, { headOnly: message.method === 'HEAD', close: true })
    response.writeHead(refusal.status, (whole?.headers ?? []) as string[])
    this.writeThenLinger(message, response, whole?.body)
  }

  /**
   * The answer is out; what the client is still sending is dropped for a while before the connection is closed, because
   * a close under its hands becomes a reset, and the reset may reach it before the answer does.
   */
  private writeThenLinger(message: IncomingMessage, response: ServerResponse, body?: Uint8Array | string): void {
    const { clock, limits } = this.options
    if (body !== undefined) response.write(body)
    let dropped = 0
    const end = (): void => {
      cancel()
      message.pause()
      response.end()
    }
    const cancel = clock.after(limits.lingerMs, end)
    if (message.complete || message.destroyed) {
      end()
      return
    }
    message.on('data', (piece: Uint8Array) => {
      dropped += piece.length
      if (dropped > limits.lingerBytes) end()
    })
    message.once('end', end)
    message.once('close', end)
    message.resume()
  }

  private onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    // The client is gone: what it had under way hears of it from the end of the connection.
    if (error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_EOF_STATE') {
      socket.destroy()
      return
    }
    const { status, reason } = statusOfParseError(error)
    // A body that turns out malformed belongs to a request that somebody is serving: they answer.
    const exchange = this.connections.exchangeOn(socket)
    if (exchange?.touchedBody !== undefined && !exchange.isFinished) {
      exchange.body.fail(new StoreError('IncompleteBody', reason, { details: { status }, cause: error }))
      return
    }
    // The parser says it again for every piece that still comes.
    if (this.refusedSockets.has(socket)) return
    this.refusedSockets.add(socket)
    this.metrics.refused.add(1)
    const { clock, limits } = this.options
    refuseSocket(socket, this.refusal(status, reason, this.nextId()), (close) => clock.after(limits.lingerMs, close))
  }

  private refusal(status: number, reason: string, id: string): HttpResponse {
    if (this.mount.refuse !== undefined) return this.mount.refuse(status, reason, id)
    return { status, headers: ['Content-Type', 'text/plain; charset=utf-8'], body: `${reason} (request ${id})\n` }
  }
}

function serverOptions(limits: HttpLimits): ServerOptions {
  return {
    // Refused by `judgeHead`, in the front end's words.
    requireHostHeader: false,
    insecureHTTPParser: false,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    // A request may take as long as it moves: see `stallMs`.
    requestTimeout: 0,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
  }
}
