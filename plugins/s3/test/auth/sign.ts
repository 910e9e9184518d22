/** A signer written from the specification, for requests that no SDK would send. It signs the target as it is given. */

import { createHash, createHmac } from 'node:crypto'
import { s3Request } from '../request/http-request.ts'
import type { RequestSketch } from '../request/http-request.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'
import { exampleCredential } from './example-account.ts'

export interface SignOptions {
  readonly accessKeyId?: string
  readonly secret?: string
  readonly timestamp?: string
  readonly scopeDate?: string
  readonly region?: string
  readonly service?: string
  readonly terminal?: string
  readonly payloadHash?: string
  /** Left out of the signature although they are sent. */
  readonly unsigned?: readonly string[]
}

export interface PresignOptions extends SignOptions {
  readonly expires?: string
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** The headers with `Host`, `x-amz-date`, `x-amz-content-sha256` and `Authorization` added. */
export function signedHeaders(
  sketch: RequestSketch,
  options: SignOptions = {},
): readonly (readonly [string, string])[] {
  const { payloadHash = 'UNSIGNED-PAYLOAD', timestamp = '20130524T000000Z' } = options
  const given = sketch.headers ?? []
  const has = (name: string): boolean => given.some(([each]) => each.toLowerCase() === name)
  const headers = [
    ...(has('host') ? [] : [['Host', 'localhost:9878'] as const]),
    ...given,
    ['x-amz-date', timestamp] as const,
    ...(has('x-amz-content-sha256') ? [] : [['x-amz-content-sha256', payloadHash] as const]),
  ]
  const signer = signerOf(headers, options)
  const hash = headers.find(([name]) => name.toLowerCase() === 'x-amz-content-sha256')?.[1] ?? payloadHash
  const signature = signer.sign(sketch.method ?? 'GET', sketch.target ?? '/', hash)
  return [
    ...headers,
    [
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=${signer.credential}, SignedHeaders=${signer.names}, Signature=${signature}`,
    ],
  ]
}

export function signed(sketch: RequestSketch, options: SignOptions = {}): S3Request {
  return s3Request({ ...sketch, headers: signedHeaders(sketch, options) })
}

/** The target with the parameters of a signature; `target` may have parameters already. */
export function presignedTarget(sketch: RequestSketch, options: PresignOptions = {}): string {
  const { target = '/', headers = [] } = sketch
  const signer = signerOf([['Host', 'localhost:9878'], ...headers], options)
  const parameters = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(signer.credential)}`,
    `X-Amz-Date=${options.timestamp ?? '20130524T000000Z'}`,
    `X-Amz-Expires=${options.expires ?? '900'}`,
    `X-Amz-SignedHeaders=${encodeURIComponent(signer.names)}`,
  ]
  const full = `${target}${target.includes('?') ? '&' : '?'}${parameters.join('&')}`
  const signature = signer.sign(sketch.method ?? 'GET', full, options.payloadHash ?? 'UNSIGNED-PAYLOAD')
  return `${full}&X-Amz-Signature=${signature}`
}

function signerOf(headers: readonly (readonly [string, string])[], options: SignOptions) {
  const { accessKeyId = exampleCredential.accessKeyId, secret = exampleCredential.secret, unsigned = [] } = options
  const { timestamp = '20130524T000000Z', region = 'us-east-1', service = 's3', terminal = 'aws4_request' } = options
  const scopeDate = options.scopeDate ?? timestamp.slice(0, 8)
  const scope = `${scopeDate}/${region}/${service}/${terminal}`
  const covered = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !unsigned.includes(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = covered.map(([name]) => name).join(';')
  const key = [scopeDate, region, service, terminal].reduce<string | Buffer>(hmac, `AWS4${secret}`)
  return {
    credential: `${accessKeyId}/${scope}`,
    names,
    sign(method: string, target: string, payloadHash: string): string {
      const [path, query = ''] = target.split('?', 2) as [string, string?]
      const parameters = query
        .split('&')
        .map((part) => (part === '' || part.includes('=') ? part : `${part}=`))
        .toSorted()
      const canonical = `${method}\n${path}\n${parameters.join('&')}\n${covered.map(([name, value]) => `${name}:${value}\n`).join('')}\n${names}\n${payloadHash}`
      return hmac(key, `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`).toString('hex')
    },
  }
}
