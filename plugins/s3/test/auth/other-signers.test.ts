/**
 * Requests as other people's signers make them, over names that break signers: what they sign, the verifier accepts,
 * and what was changed afterwards it does not.
 */

import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import fc from 'fast-check'
import { presignSignatureV4, signV4 } from 'minio/dist/esm/signing.mjs'
import { describe, expect, test } from 'vitest'
import { s3Request } from '../request/http-request.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'
import { exampleCredential, exampleTimeMs, verdictCode } from './example-account.ts'

const { accessKeyId, secret } = exampleCredential
const host = 'localhost:9878'

interface Unsigned {
  readonly method: string
  /** Encoded, as it is sent. */
  readonly path: string
  readonly query: readonly (readonly [name: string, value: string])[]
  /** Text: sent as UTF-8. */
  readonly headers: Readonly<Record<string, string>>
}

type Signer = (request: Unsigned) => S3Request | Promise<S3Request>

/** RFC 3986, all but the unreserved. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** The ways in which clients write a key into a path. */
const pathForms: Readonly<Record<string, (key: string) => string>> = {
  canonical: (key) => encode(key).replaceAll('%2F', '/'),
  lenient: (key) => encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%24', '$').replaceAll('%40', '@'),
  'lower-case': (key) =>
    encode(key)
      .replaceAll('%2F', '/')
      .replace(/%../g, (escape) => escape.toLowerCase()),
  'everything escaped': (key) => Buffer.from(key).toString('hex').replace(/../g, '%$&'),
}

const queryText = (query: Unsigned['query']): string =>
  query.map(([name, value]) => `${name}=${encode(value)}`).join('&')

const target = ({ path, query }: Unsigned): string => (query.length === 0 ? path : `${path}?${queryText(query)}`)

const received = (method: string, sent: string, headers: Readonly<Record<string, string>>): S3Request =>
  s3Request({
    method,
    target: sent,
    headers: Object.entries(headers).map(([name, value]) => [name, Buffer.from(value).toString('latin1')] as const),
  })

class Sha256 {
  readonly #hash
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', Buffer.from(key as Uint8Array))
  }
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
  reset(): void {
    throw new Error('never called')
  }
}

const smithy = new SignatureV4({
  credentials: { accessKeyId, secretAccessKey: secret },
  region: 'us-east-1',
  service: 's3',
  sha256: Sha256,
  uriEscapePath: false,
})

const signingDate = new Date(exampleTimeMs)

function smithyRequest({ method, path, query, headers }: Unsigned) {
  return {
    method,
    protocol: 'http:',
    hostname: 'localhost',
    port: 9878,
    path,
    query: Object.fromEntries(query),
    headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
  }
}

const signers: Readonly<Record<string, Signer>> = {
  'the AWS SDK for JavaScript': async (request) => {
    const { headers } = await smithy.sign(smithyRequest(request), { signingDate })
    return received(request.method, target(request), headers)
  },
  'the same, presigned': async (request) => {
    const { query = {} } = await smithy.presign(smithyRequest(request), { signingDate, expiresIn: 600 })
    // As the SDK formats a URL: sorted, so that the signature stands in the middle.
    const sent = Object.keys(query)
      .toSorted()
      .map((name) => `${encode(name)}=${encode(String(query[name]))}`)
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith('x-amz-')))
    return received(request.method, `${request.path}?${sent.join('&')}`, { host, ...headers })
  },
  aws4: (request) => {
    const signed = aws4.sign(
      {
        service: 's3',
        region: 'us-east-1',
        method: request.method,
        path: target(request),
        headers: {
          Host: host,
          'X-Amz-Date': '20130524T000000Z',
          'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
          ...request.headers,
        },
      },
      { accessKeyId, secretAccessKey: secret },
    )
    return received(request.method, target(request), signed.headers as Record<string, string>)
  },
  'the MinIO client': (request) => {
    const headers = {
      host,
      'x-amz-date': '20130524T000000Z',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      ...request.headers,
    }
    const asked = { method: request.method, path: target(request), headers, protocol: 'http:' }
    const authorization = signV4(asked, accessKeyId, secret, 'us-east-1', signingDate, 'UNSIGNED-PAYLOAD')
    return received(request.method, target(request), { ...headers, authorization })
  },
  'the same, presigned by it': (request) => {
    const asked = { method: request.method, path: target(request), headers: { host }, protocol: 'http:' }
    const url = presignSignatureV4(asked, accessKeyId, secret, undefined, 'us-east-1', signingDate, 600)
    return received(request.method, url.slice(`http://${host}`.length), { host })
  },
}

const nastyKeys = [
  'a b',
  'a+b',
  'a%2Fb',
  'a%252Fb',
  '//',
  '/x',
  'a//b',
  'a/../b',
  '..',
  '.',
  './.',
  'a/',
  ' ',
  'a ',
  'a.',
  '~',
  '%',
  '%%',
  '%zz',
  "!'()*",
  '$@&=;:,?#[]',
  '\\',
  '"<>',
  '^`{|}',
  '\t',
  '\n',
  '\r\n',
  '\u0000',
  '\u007f',
  'é',
  'é',
  '日本語',
  '😀',
  '\u{10ffff}',
  '\ufeff',
  'a?b=c',
  'a&X-Amz-Signature=0',
  'X-Amz-Signature',
  '__proto__',
  'constructor',
]

const key = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...nastyKeys) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('/', '.', '%', '+', ' ', '2', 'F', 'é'), minLength: 1 }) },
)

const unsigned: fc.Arbitrary<{ key: string; request: Unsigned }> = fc
  .record({
    method: fc.constantFrom('GET', 'PUT', 'DELETE', 'POST', 'HEAD'),
    key,
    form: fc.constantFrom(...Object.keys(pathForms)),
    query: fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(
          'prefix',
          'delimiter',
          'uploadId',
          'partNumber',
          'x-id',
          'versionId',
          'list-type',
          'response-content-type',
        ),
        fc.string({ unit: 'binary', maxLength: 12 }),
      ),
      { selector: ([name]) => name, maxLength: 4 },
    ),
    // Printable: signers disagree on what else is white space, and Node refuses control characters.
    meta: fc.string({ unit: fc.constantFrom('a', 'B', ' ', '  ', '=', ';', ':', '/', 'é', '€'), maxLength: 12 }),
  })
  .map(({ method, key: name, form, query, meta }) => ({
    key: name,
    request: {
      method,
      path: `/bucket/${pathForms[form]!(name)}`,
      query,
      headers: { 'x-amz-meta-a': meta.trim(), 'cache-control': 'no-cache' },
    },
  }))

const runs = { numRuns: 410 }

describe.each(Object.entries(signers))('%s', (_, sign) => {
  test('is believed, and names the key that it signed', async () => {
    await fc.assert(
      fc.asyncProperty(unsigned, async ({ key: name, request }) => {
        const sent = await sign(request)
        expect(verdictCode(sent)).toBe('ok')
        expect(sent.bucket).toBe('bucket')
        expect(sent.key).toBe(name)
        for (const [parameter, value] of request.query) expect(sent.query.get(parameter)).toBe(value)
      }),
      runs,
    )
  })

  test('is not believed about another key or another query', async () => {
    await fc.assert(
      fc.asyncProperty(unsigned, key, async ({ key: name, request }, other) => {
        fc.pre(other !== name)
        const sent = await sign(request)
        const elsewhere = `/bucket/${pathForms['canonical']!(other)}`
        expect(verdictCode({ ...sent, rawPath: elsewhere })).toBe('SignatureDoesNotMatch')
        const longer = sent.rawQuery === '' ? 'acl=' : `${sent.rawQuery}&acl=`
        expect(verdictCode({ ...sent, rawQuery: longer })).toBe('SignatureDoesNotMatch')
      }),
      { numRuns: 40 },
    )
  })
})
