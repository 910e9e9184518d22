/**
 * Presigned S3 URLs (SigV4, query form) for the load generator, made before the clock starts so that signing does not
 * slow the client down. The server verifies each one.
 */

import { createHash, createHmac } from 'node:crypto'

export interface SigningKey {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

export interface PresignRequest {
  readonly method: string
  readonly host: string
  /** Already percent-encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly nowMs: number
}

const validSeconds = 86_400

/** Path and query, ready for a request line. */
export function presign(key: SigningKey, request: PresignRequest): string {
  const stamp = new Date(request.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = stamp.slice(0, 8)
  const scope = `${day}/${key.region}/s3/aws4_request`
  const parameters = {
    ...request.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${key.accessKey}/${scope}`,
    'X-Amz-Date': stamp,
    'X-Amz-Expires': String(validSeconds),
    'X-Amz-SignedHeaders': 'host',
  }
  const query = Object.entries(parameters)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const canonical = `${request.method}\n${request.path}\n${query}\nhost:${request.host}\n\nhost\nUNSIGNED-PAYLOAD`
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`
  const signature = hmac(signingKey(key, day), toSign).toString('hex')
  return `${request.path}?${query}&X-Amz-Signature=${signature}`
}

function signingKey(key: SigningKey, day: string): Buffer {
  return ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(Buffer.from(`AWS4${key.secretKey}`), day), key.region))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
