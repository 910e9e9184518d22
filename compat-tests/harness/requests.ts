/** Whole requests to one server: the head signed and written out, sent on a connection of its own. */

import { md5Of } from './digests.ts'
import type { Server } from './server.ts'
import { sha256, sign } from './sigv4.ts'
import type { Header, Signed } from './sigv4.ts'
import { Wire } from './wire.ts'
import type { Answer } from './wire.ts'

export interface Request {
  readonly method: string
  /** Escaped as it is sent. */
  readonly target: string
  readonly headers?: readonly Header[]
  readonly body?: string | Uint8Array
  /** `x-amz-content-sha256`; default: that of the body. */
  readonly payload?: string
  /** Sent as it is, unsigned, after all other headers. */
  readonly unsigned?: readonly Header[]
  /** Default: that of the body, and none without one. Not signed. */
  readonly length?: number | string
  readonly now?: Date
}

/** The head of a request, signed. */
export function head(server: Server, request: Request): { readonly text: string; readonly signed: Signed } {
  const { method, target, headers = [], body, payload = sha256(body ?? ''), unsigned = [], now } = request
  const length = request.length ?? (body === undefined ? undefined : Buffer.byteLength(body))
  const signed = sign(server, `${server.host}:${server.port}`, {
    method,
    target,
    headers,
    payload,
    ...(now === undefined ? {} : { now }),
  })
  const framing: readonly Header[] = length === undefined ? [] : [['content-length', String(length)]]
  return { text: headText(method, target, [...signed.headers, ...framing, ...unsigned]), signed }
}

/** Written as it is given, good or bad. */
export function headText(method: string, target: string, headers: readonly Header[]): string {
  return `${method} ${target} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

export function encode(server: Server, request: Request): Buffer {
  return Buffer.concat([Buffer.from(head(server, request).text, 'latin1'), Buffer.from(request.body ?? '')])
}

/** One request and its answer. */
export async function send(server: Server, request: Request): Promise<Answer> {
  const wire = await Wire.open(server)
  try {
    await wire.write(encode(server, request))
    return await wire.answer(request.method === 'HEAD' ? { to: 'HEAD' } : {})
  } finally {
    wire.destroy()
  }
}

export function put(server: Server, target: string, body: string | Uint8Array, headers: readonly Header[] = []) {
  return send(server, { method: 'PUT', target, body, headers })
}

export function get(server: Server, target: string, headers: readonly Header[] = []): Promise<Answer> {
  return send(server, { method: 'GET', target, headers })
}

/** Any request whose success is taken for granted; rejects with the answer otherwise. */
export async function must(answer: Promise<Answer>): Promise<Answer> {
  const got = await answer
  if (got.status >= 300) throw new Error(`answered ${got.status}\n${got.body.toString().slice(0, 1000)}`)
  return got
}

/** What S3 wants beside the document of a DeleteObjects. */
export function contentMd5(body: string | Uint8Array): Header {
  return ['content-md5', md5Of(body)]
}

/** The text of the first element of this name. */
export function element(body: Buffer | string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(body.toString())?.[1]
}

export function elements(body: Buffer | string, name: string): readonly string[] {
  return [...body.toString().matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text]) => text ?? '')
}

/** The names of all objects of a bucket. */
export async function listKeys(server: Server, bucket: string): Promise<readonly string[]> {
  const keys: string[] = []
  let after = ''
  for (;;) {
    const { body } = await must(get(server, `/${bucket}?list-type=2&start-after=${encodeURIComponent(after)}`))
    const page = elements(body, 'Key')
    keys.push(...page)
    if (element(body, 'IsTruncated') !== 'true') return keys
    after = page.at(-1) ?? ''
  }
}
