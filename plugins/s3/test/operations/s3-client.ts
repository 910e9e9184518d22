/**
 * The plugin on the reference store, called without sockets, by a client that signs for itself: what is tested is what a
 * client sees of an operation, byte for byte.
 */

import { createHash, createHmac } from 'node:crypto'
import type { Logger } from '@o3/common/logger'
import { nullLogger } from '@o3/common/logger'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { StoreError } from '@o3/common/errors'
import type { HttpBody, HttpRequest, HttpResponse, Mount, O3Store, PluginInstance } from '@o3/protocol-bus/api'
import { referenceStore } from '@o3/protocol-bus/testing'
import type { ReferenceStoreOptions } from '@o3/protocol-bus/testing'
import { plugin as s3Plugin } from '../../src/plugin.ts'
import { ManualClock } from './manual-clock.ts'

export interface S3ClientOptions extends Pick<ReferenceStoreOptions, 'volumes'> {
  readonly config?: Readonly<Record<string, unknown>>
  /** Puts something between the plugin and the store. */
  readonly wrap?: (store: O3Store) => O3Store
  readonly log?: Logger
}

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Default: `admin`. `nobody` does not sign. */
  readonly as?: keyof typeof keys | 'nobody'
  readonly host?: string
  /** That the request is signed for. Default: us-east-1. */
  readonly region?: string
  readonly signal?: AbortSignal
  /** Instead of a body from `body`. */
  readonly httpBody?: HttpBody
}

const keys = {
  admin: { id: 'admin-key', secret: 'admin-secret' },
  alice: { id: 'alice-key', secret: 'alice-secret' },
  bob: { id: 'bob-key', secret: 'bob-secret' },
}

export interface S3Client {
  readonly clock: ManualClock
  readonly metrics: Metrics
  readonly store: O3Store
  readonly mount: Extract<Mount, { kind: 'http' }>
  readonly instance: PluginInstance
  /** `target` is raw: escape it. */
  send(method: string, target: string, options?: SendOptions): Promise<Answer>
  /** Sends what should succeed, and says so when it does not. */
  ok(method: string, target: string, options?: SendOptions): Promise<Answer>
}

export async function s3Client(options: S3ClientOptions = {}): Promise<S3Client> {
  const clock = new ManualClock()
  const metrics = createMetrics()
  const reference = referenceStore({
    clock,
    random: { bytes: (length) => new Uint8Array(length) },
    users: [
      { user: 'admin', admin: true, accessKeyId: keys.admin.id, secret: keys.admin.secret },
      { user: 'alice', accessKeyId: keys.alice.id, secret: keys.alice.secret },
      { user: 'bob', accessKeyId: keys.bob.id, secret: keys.bob.secret },
    ],
    ...(options.volumes === undefined ? {} : { volumes: options.volumes }),
  })
  const store = options.wrap?.(reference.store) ?? reference.store
  const instance = await s3Plugin.create(
    {
      store,
      identities: reference.identities,
      clock,
      random: { bytes: (length) => new Uint8Array(length), uuid: () => '', fraction: () => 0 },
      log: options.log ?? nullLogger,
      metrics,
    },
    s3Plugin.config({ minPartBytes: 8, ...options.config }),
  )
  const mount = instance.mounts[0] as Extract<Mount, { kind: 'http' }>
  let requests = 0
  const send = async (method: string, target: string, sent: SendOptions = {}): Promise<Answer> => {
    const request = httpRequest({ id: `request-${++requests}`, method, target }, clock, sent)
    return Answer.read(await mount.handle(request), request)
  }
  return {
    clock,
    metrics,
    store,
    mount,
    instance,
    send,
    async ok(method, target, sent) {
      const answer = await send(method, target, sent)
      if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.status} ${answer.text}`)
      return answer
    },
  }
}

/** What came back, read to its end. */
export class Answer {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly bytes: Uint8Array

  private constructor(status: number, rawHeaders: readonly string[], bytes: Uint8Array) {
    this.status = status
    this.rawHeaders = rawHeaders
    this.bytes = bytes
  }

  static async read(response: HttpResponse, request: HttpRequest): Promise<Answer> {
    const pieces: Uint8Array[] = []
    const { body } = response
    if (typeof body === 'string' || body instanceof Uint8Array) pieces.push(Buffer.from(body))
    else if (body !== undefined) for await (const piece of body) pieces.push(piece)
    const answer = new Answer(response.status, response.headers, Buffer.concat(pieces))
    answer.check(request)
    return answer
  }

  /** What every answer owes. */
  private check(request: HttpRequest): void {
    const length = this.header('content-length')
    const promised = request.method === 'HEAD' || length === undefined ? this.bytes.length : Number(length)
    if (promised !== this.bytes.length) throw new Error(`content-length ${length}, ${this.bytes.length} bytes`)
    if (this.header('x-amz-request-id') !== request.id) throw new Error('the request id is missing')
    if (!this.header('x-amz-id-2')) throw new Error('x-amz-id-2 is missing')
  }

  header(name: string): string | undefined {
    const at = this.rawHeaders.findIndex((value, i) => i % 2 === 0 && value.toLowerCase() === name)
    return at < 0 ? undefined : this.rawHeaders[at + 1]
  }

  get text(): string {
    return Buffer.from(this.bytes).toString('utf8')
  }

  /** The texts of all elements of this name, in order. */
  all(tag: string): string[] {
    return [...this.text.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g'))].map((match) => unescapeXml(match[1]!))
  }

  first(tag: string): string | undefined {
    return this.all(tag)[0]
  }

  get code(): string | undefined {
    return this.first('Code')
  }

  /** `404 NoSuchKey` */
  get outcome(): string {
    return this.code === undefined ? String(this.status) : `${this.status} ${this.code}`
  }
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text.replaceAll(/&(#x[0-9a-fA-F]+|#\d+|[a-z]+);/g, (_, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16))
    return name.startsWith('#') ? String.fromCodePoint(Number(name.slice(1))) : named[name]!
  })
}

function httpRequest(
  { id, method, target }: Pick<HttpRequest, 'id' | 'method' | 'target'>,
  clock: ManualClock,
  sent: SendOptions,
): HttpRequest {
  const bytes = Buffer.from(sent.body ?? '')
  const headers: Record<string, string> = { host: sent.host ?? 's3.test:9878', ...sent.headers }
  const lowerNames = Object.keys(headers).map((name) => name.toLowerCase())
  if (
    !lowerNames.includes('content-length') &&
    !lowerNames.includes('transfer-encoding') &&
    sent.httpBody === undefined
  ) {
    if (bytes.length > 0 || method === 'PUT' || method === 'POST') headers['content-length'] = String(bytes.length)
  }
  if (sent.as !== 'nobody') Object.assign(headers, signature({ method, target, headers, bytes }, clock, sent))
  return {
    id,
    method,
    target,
    rawHeaders: Object.entries(headers).flat(),
    remoteAddress: '127.0.0.1',
    body: sent.httpBody ?? bodyOf(bytes, headers),
    signal: sent.signal ?? new AbortController().signal,
  }
}

function bodyOf(bytes: Uint8Array, headers: Readonly<Record<string, string>>): HttpBody {
  return {
    length: 'transfer-encoding' in headers ? undefined : bytes.length,
    async all(limit) {
      if (bytes.length > limit) throw new StoreError('TooLarge', 'the body is larger than it may be')
      return bytes
    },
    async *stream() {
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
    },
  }
}

interface Unsigned {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

function signature(
  { method, target, headers, bytes }: Unsigned,
  clock: ManualClock,
  { as = 'admin', region = 'us-east-1' }: SendOptions,
): Record<string, string> {
  const key = keys[as as keyof typeof keys]
  const timestamp = new Date(clock.wallMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${timestamp.slice(0, 8)}/${region}/s3/aws4_request`
  const sent: Record<string, string> = {
    'x-amz-date': timestamp,
    'x-amz-content-sha256': sha256(bytes),
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  }
  const names = Object.keys(sent)
    .filter((name) => name === 'host' || name.startsWith('x-amz-'))
    .toSorted()
  const [path = '', query = ''] = target.split(/\?(.*)/s)
  const canonicalQuery = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      return `${recode(name)}=${recode(value)}`
    })
    .toSorted()
    .join('&')
  const canonical = [
    method,
    path,
    canonicalQuery,
    ...names.map((name) => `${name}:${sent[name]!.trim()}`),
    '',
    names.join(';'),
    sent['x-amz-content-sha256'],
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', timestamp, scope, sha256(Buffer.from(canonical, 'latin1'))].join('\n')
  const signingKey = [region, 's3', 'aws4_request'].reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    hmac(`AWS4${key.secret}`, timestamp.slice(0, 8)),
  )
  return {
    'x-amz-date': sent['x-amz-date']!,
    'x-amz-content-sha256': sent['x-amz-content-sha256']!,
    authorization: `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${hmac(signingKey, toSign).toString('hex')}`,
  }
}

function recode(part: string): string {
  const text = decodeURIComponent(part.replaceAll('+', ' '))
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}
