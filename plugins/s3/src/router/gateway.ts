/**
 * The way of every request: read, routed, authenticated, judged by its headers, handled. Nothing of a body is read
 * before all of that is done, so a client that waits for `100 Continue` sends nothing in vain, and an unsigned request
 * costs no more than its head. A route that leads nowhere is only told to those who signed.
 */

import { AssertionError } from '@o3/common/errors'
import type { Clock } from '@o3/common/env'
import type { Logger } from '@o3/common/logger'
import type { Foreseen, HttpRequest, HttpResponse, O3Store, PluginServices } from '@o3/protocol-bus/api'
import { createAuthenticator } from '../auth/authenticate.ts'
import type { Authenticator } from '../auth/authenticate.ts'
import type { S3Config } from '../config.ts'
import { errorResponse } from '../core/errors/error-document.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import { s3ErrorFrom } from '../core/errors/store-errors.ts'
import { parseRequest } from '../core/request/s3-request.ts'
import type { ParseOptions, S3Request } from '../core/request/s3-request.ts'
import { checkOwner } from '../objects/expected-owner.ts'
import { operations } from '../operations/all-operations.ts'
import { bucketOf } from '../operations/operation.ts'
import type { Call, Gateway, Operation } from '../operations/operation.ts'
import { absentOperations } from './aws-operations.ts'
import { awaitedBody } from './awaited-body.ts'
import { foreseenOf } from './foreseen.ts'
import { refusedHeader } from './header-rules.ts'
import { requestMetrics } from './request-metrics.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { createRouter } from './router.ts'
import type { Route } from './router.ts'

/** What became known of a request on its way: for the metrics and the log. */
interface Trace {
  operation: Operation | undefined
  request: S3Request | undefined
  user: string | undefined
  error: S3Error | undefined
}

const router = createRouter(operations, absentOperations)

export class S3Gateway implements Gateway {
  readonly config: S3Config
  readonly clock: Clock
  readonly hostId: string
  readonly #store: O3Store
  readonly #log: Logger
  readonly #authenticator: Authenticator
  readonly #metrics: RequestMetrics
  readonly #parseOptions: ParseOptions
  #closed = false

  constructor(services: Omit<PluginServices, 'tasks'>, config: S3Config) {
    this.config = config
    this.clock = services.clock
    this.hostId = Buffer.from(services.random.bytes(24)).toString('base64')
    this.#store = services.store
    this.#log = services.log
    this.#authenticator = createAuthenticator({
      identities: services.identities,
      clock: services.clock,
      region: config.region,
    })
    this.#metrics = requestMetrics(services.metrics, operations)
    this.#parseOptions = { virtualHostDomains: config.domains }
  }

  /** Rejects only for a bug of ours. */
  async handle(http: HttpRequest): Promise<HttpResponse> {
    const startMs = this.clock.monotonicMs()
    const trace: Trace = { operation: undefined, request: undefined, user: undefined, error: undefined }
    const response = await this.#answer(http, trace)
    this.#observe(http, trace, response, this.clock.monotonicMs() - startMs)
    return response
  }

  refusal(request: S3Request, thrown: unknown): S3Error {
    if (thrown instanceof AssertionError) throw thrown
    const { bucket, key } = request
    const uploadId = request.query.get('uploadId')
    const error = s3ErrorFrom(thrown, {
      ...(bucket === undefined ? undefined : { bucket }),
      ...(key === undefined ? undefined : { key }),
      ...(uploadId === undefined ? undefined : { uploadId }),
    })
    this.#metrics.error(error.code)
    if (error.status >= 500 && error.code !== 'NotImplemented') {
      const level = error.code === 'InternalError' ? 'error' : 'warn'
      const fields = { request: request.id, code: error.code, error: error.cause ?? thrown }
      this.#log[level](fields, 'S3 request failed')
    }
    return error
  }

  /** After this every request is refused. */
  close(): void {
    this.#closed = true
  }

  async #answer(http: HttpRequest, trace: Trace): Promise<HttpResponse> {
    const request = parseRequest(http, this.#parseOptions)
    if (request instanceof S3Error) {
      this.#metrics.error(request.code)
      trace.error = request
      return this.#refuse(http, request, pathOf(http.target))
    }
    trace.request = request
    try {
      return await this.#admit(http, request, trace)
    } catch (thrown) {
      const error = this.refusal(request, thrown)
      trace.error = error
      return this.#refuse(http, error, request.rawPath)
    }
  }

  async #admit(http: HttpRequest, request: S3Request, trace: Trace): Promise<HttpResponse> {
    if (this.#closed) throw new S3Error('ServiceUnavailable', { headers: { 'retry-after': '1' } })
    const route = router.route(request)
    let foreseen: Foreseen | undefined
    if (!(route instanceof S3Error)) {
      trace.operation = route.operation
      foreseen = foreseenOf(request, route.operation, this.config.volume)
    }
    const outcome = this.#authenticator.authenticate(request, foreseen)
    const authenticated = outcome instanceof Promise ? await outcome : outcome
    if (authenticated instanceof S3Error) throw authenticated
    trace.user = authenticated.principal.user
    if (route instanceof S3Error) throw route
    const session = this.#store.session(authenticated.principal, foreseen)
    return this.#run(http, request, route, { authenticated, session })
  }

  async #run(
    http: HttpRequest,
    request: S3Request,
    { operation, honoured }: Route,
    admitted: Pick<Call, 'authenticated' | 'session'>,
  ): Promise<HttpResponse> {
    const reading = operation.method === 'GET' || operation.method === 'HEAD'
    const refused = refusedHeader(request.headers, honoured, reading)
    if (refused !== undefined) throw refused
    const call: Call = {
      gateway: this,
      request,
      body: request.headers.has('expect') ? awaitedBody(http.body) : http.body,
      // Costs as much as the rest of a small request: it is made for those who wait for something.
      get signal() {
        return http.signal
      },
      authenticated: admitted.authenticated,
      session: admitted.session,
    }
    const owner = request.headers.get('x-amz-expected-bucket-owner')
    // Of a bucket that CreateBucket is about to make, nobody is the owner yet.
    if (owner !== undefined && request.bucket !== undefined && operation.name !== 'CreateBucket') {
      await checkOwner(call.session, bucketOf(call), owner)
    }
    return operation.handle(call)
  }

  #refuse(http: HttpRequest, error: S3Error, resource: string): HttpResponse {
    return errorResponse(error, http.method, { requestId: http.id, hostId: this.hostId, resource })
  }

  #observe(http: HttpRequest, trace: Trace, response: HttpResponse, ms: number): void {
    const { status, headers } = response
    const metrics = this.#metrics.of(trace.operation)
    metrics.answered[outcomeOf(status)].add()
    metrics.seconds.observe(ms / 1000)
    const received = http.body.length ?? 0
    const sent = http.method === 'HEAD' ? 0 : announcedLength(headers)
    metrics.receivedBytes.add(received)
    metrics.sentBytes.add(sent)
    this.#log.debug(
      {
        request: http.id,
        operation: trace.operation?.name,
        bucket: trace.request?.bucket,
        key: trace.request?.key,
        user: trace.user,
        remote: http.remoteAddress,
        status,
        code: trace.error?.code,
        ms,
        received,
        sent,
      },
      'S3 request',
    )
  }
}

/** 501 is what was asked for, not what went wrong. */
function outcomeOf(status: number): 'ok' | 'refused' | 'failed' {
  if (status < 400) return 'ok'
  return status < 500 || status === 501 ? 'refused' : 'failed'
}

/** For a target that could not be parsed. */
function pathOf(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

function announcedLength(headers: readonly string[]): number {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-length') return Number(headers[i + 1])
  return 0
}
