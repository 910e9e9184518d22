/**
 * Signature Version 4, as a client makes it. Of our own, because the enemy signs what no SDK would send; everything in it
 * is written as it is given: the target must be escaped as S3 wants it before.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

import { createHash, createHmac } from 'node:crypto'

export type Header = readonly [name: string, value: string]

export interface Credentials {
  readonly accessKey: string
  readonly secretKey: string
}

export interface ToSign {
  readonly method: string
  readonly target: string
  /** Without those that the signer adds; all of them are signed. */
  readonly headers: readonly Header[]
  /** `x-amz-content-sha256`. */
  readonly payload: string
  readonly now?: Date
}

export interface Signed {
  /** Host and signature among them, in the order in which they should be sent. */
  readonly headers: readonly Header[]
  /** Signs what follows the head, each link over the one before. */
  readonly chain: ChunkChain
}

const region = 'us-east-1'
const emptySha256 = sha256('')

export function sign({ accessKey, secretKey }: Credentials, host: string, request: ToSign): Signed {
  const { method, target, headers, payload, now = new Date() } = request
  const timestamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${timestamp.slice(0, 8)}/${region}/s3/aws4_request`
  const all: readonly Header[] = [
    ['host', host],
    ['x-amz-date', timestamp],
    ['x-amz-content-sha256', payload],
    ...headers,
  ]
  const signed = all.map(([name, value]): Header => [name.toLowerCase(), value.trim()])
  signed.sort(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const [path = '', query = ''] = target.split('?', 2)
  const canonical = [
    method,
    path,
    canonicalQuery(query),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    payload,
  ].join('\n')
  let key = hmac(`AWS4${secretKey}`, timestamp.slice(0, 8))
  for (const part of [region, 's3', 'aws4_request']) key = hmac(key, part)
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return {
    headers: [...all, ['authorization', authorization]],
    chain: new ChunkChain(key, `${timestamp}\n${scope}`, signature),
  }
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .toSorted()
    .join('&')
}

export class ChunkChain {
  private readonly key: Buffer
  private readonly link: string
  private previous: string

  constructor(key: Buffer, link: string, seed: string) {
    this.key = key
    this.link = link
    this.previous = seed
  }

  chunk(bytes: Uint8Array): string {
    return this.advance('AWS4-HMAC-SHA256-PAYLOAD', `${emptySha256}\n${sha256(bytes)}`)
  }

  trailer(lines: string): string {
    return this.advance('AWS4-HMAC-SHA256-TRAILER', sha256(lines))
  }

  private advance(kind: string, what: string): string {
    this.previous = hmac(this.key, `${kind}\n${this.link}\n${this.previous}\n${what}`).toString('hex')
    return this.previous
  }
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
