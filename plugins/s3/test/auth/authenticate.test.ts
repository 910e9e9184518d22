import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Credential } from '@o3/protocol-bus/api'
import { createAuthenticator } from '../../src/auth/authenticate.ts'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { s3Request } from '../request/http-request.ts'
import type { RequestSketch } from '../request/http-request.ts'
import {
  accepted,
  exampleAuthenticator,
  exampleCredential,
  exampleTimeMs,
  verdict,
  verdictCode,
} from './example-account.ts'
import { presignedTarget, signed, signedHeaders } from './sign.ts'
import type { PresignOptions, SignOptions } from './sign.ts'

const put: RequestSketch = { method: 'PUT', target: '/bucket/key', headers: [['x-amz-meta-a', 'b']] }
const minutes = 60_000
const host = ['Host', 'localhost:9878'] as const

/** What a refusal says, without the digits of signatures. */
function refusal(request: ReturnType<typeof signed>, authenticator = exampleAuthenticator()) {
  const answer = verdict(request, authenticator)
  if (!(answer instanceof S3Error)) throw new Error('not refused')
  return { code: answer.code, status: answer.status, message: answer.message, elements: answer.elements }
}

const replaced = (name: string, value: string): readonly (readonly [string, string])[] =>
  signedHeaders(put).map((header) => (header[0].toLowerCase() === name ? [header[0], value] : header))

const without = (name: string): readonly (readonly [string, string])[] =>
  signedHeaders(put).filter((header) => header[0].toLowerCase() !== name)

const withHeaders = (headers: readonly (readonly [string, string])[]) => s3Request({ ...put, headers })

describe('a signature in the header', () => {
  test('is accepted', () => {
    const answer = accepted(signed(put))
    expect(answer).toMatchObject({
      kind: 'header',
      credential: exampleCredential,
      principal: exampleCredential.principal,
      payload: { kind: 'unsigned' },
      signing: { timestamp: '20130524T000000Z', scope: '20130524/us-east-1/s3/aws4_request' },
    })
  })

  test('is accepted without spaces and in any order', () => {
    const [, value = ''] = signedHeaders(put).at(-1) ?? []
    const [mechanism = '', ...fields] = value.split(/,? /)
    expect(verdictCode(withHeaders(replaced('authorization', `${mechanism} ${fields.join(',')}`)))).toBe('ok')
    expect(
      verdictCode(withHeaders(replaced('authorization', `${mechanism}  ${fields.toReversed().join(',  ')}`))),
    ).toBe('ok')
  })

  test('does not need to cover the content type', () => {
    const sketch = { ...put, headers: [['Content-Type', 'text/plain']] } as const
    expect(verdictCode(signed(sketch, { unsigned: ['content-type'] }))).toBe('ok')
  })

  test('folds runs of spaces in a value, and no others', () => {
    const fold = (value: string): string =>
      verdictCode(withHeaders(signedHeaders(put).map((h) => (h[0] === 'x-amz-meta-a' ? [h[0], value] : h))))
    const spaced = signedHeaders({ ...put, headers: [['x-amz-meta-a', 'b c']] })
    const sent = (value: string) => withHeaders(spaced.map((h) => (h[0] === 'x-amz-meta-a' ? [h[0], value] : h)))
    expect(verdictCode(sent('  b   c '))).toBe('ok')
    expect(verdictCode(sent('b\tc'))).toBe('ok')
    expect(verdictCode(sent('bc'))).toBe('SignatureDoesNotMatch')
    expect(fold('b b')).toBe('SignatureDoesNotMatch')
  })

  test('covers header bytes as they are', () => {
    const bytes = Buffer.from('grüße €').toString('latin1')
    expect(verdictCode(signed({ ...put, headers: [['x-amz-meta-a', bytes]] }))).toBe('ok')
  })

  test('covers text in UTF-8 that is sent in ISO-8859-1, as the AWS SDK does on Node', () => {
    const signedBytes = Buffer.from('é').toString('latin1')
    const headers = signedHeaders({ ...put, headers: [['x-amz-meta-a', signedBytes]] })
    const sent = (value: string) => withHeaders(headers.map((h) => (h[0] === 'x-amz-meta-a' ? [h[0], value] : h)))
    expect(verdictCode(sent('\u00e9'))).toBe('ok')
    expect(verdictCode(sent('\u00e8'))).toBe('SignatureDoesNotMatch')
  })

  test('may take its time from Date', () => {
    const headers = signedHeaders(
      { ...put, headers: [['Date', 'Fri, 24 May 2013 00:00:00 GMT']] },
      { unsigned: ['x-amz-date'] },
    )
    expect(verdictCode(withHeaders(headers.filter(([name]) => name !== 'x-amz-date')))).toBe('ok')
  })

  test.each<[string, SignOptions, string]>([
    ['another secret', { secret: 'wrong' }, 'SignatureDoesNotMatch'],
    ['a key that does not exist', { accessKeyId: 'AKIANOBODY' }, 'InvalidAccessKeyId'],
    ['another region', { region: 'eu-central-1' }, 'AuthorizationHeaderMalformed'],
    ['another service', { service: 'ec2' }, 'AuthorizationHeaderMalformed'],
    ['another terminal', { terminal: 'aws5_request' }, 'AuthorizationHeaderMalformed'],
    ['a scope of another day', { scopeDate: '20130523' }, 'AuthorizationHeaderMalformed'],
    ['a scope without a date', { scopeDate: 'today' }, 'AuthorizationHeaderMalformed'],
    ['an empty access key', { accessKeyId: '' }, 'AuthorizationHeaderMalformed'],
    ['an access key with a slash', { accessKeyId: 'a/b' }, 'AuthorizationHeaderMalformed'],
    ['a time that is none', { timestamp: '20130524T250000Z' }, 'AccessDenied'],
    ['a payload hash that is none', { payloadHash: 'abc' }, 'InvalidArgument'],
    ['chunks signed by SigV4A', { payloadHash: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' }, 'NotImplemented'],
  ])('with %s', (_, options, expected) => {
    expect(verdictCode(signed(put, options))).toBe(expected)
  })

  test.each([
    ['15 minutes early', -15 * minutes, 'ok'],
    ['15 minutes late', 15 * minutes, 'ok'],
    ['a second earlier than that', -15 * minutes - 1000, 'RequestTimeTooSkewed'],
    ['a second later than that', 15 * minutes + 1000, 'RequestTimeTooSkewed'],
  ])('%s', (_, offsetMs, expected) => {
    expect(verdictCode(signed(put), exampleAuthenticator(exampleTimeMs + offsetMs))).toBe(expected)
  })

  test.each([
    ['x-amz-meta-a', 'AccessDenied'],
    ['x-amz-date', 'AccessDenied'],
    ['x-amz-content-sha256', 'AccessDenied'],
    ['host', 'AccessDenied'],
  ])('must cover %s', (name, expected) => {
    const answer = refusal(signed(put, { unsigned: [name] }))
    expect(answer.code).toBe(expected)
    expect(answer.elements).toEqual({ HeadersNotSigned: name })
  })

  test('must not cover a header that came twice', () => {
    const headers = [
      ['Cache-Control', 'private'],
      ['Cache-Control', 'public'],
    ] as const
    const covered = signedHeaders({ ...put, headers: [['Cache-Control', 'private,public']] })
    const sent = [...covered.filter(([name]) => name !== 'Cache-Control'), ...headers]
    expect(verdictCode(withHeaders(sent))).toBe('InvalidRequest')
    expect(verdictCode(signed({ ...put, headers }, { unsigned: ['cache-control'] }))).toBe('ok')
  })

  test.each([
    ['AWS4-HMAC-SHA256', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256 Credential=a', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b, More=c', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256 Credential=a, Credential=a, Signature=b', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256 rubbish', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256,Credential=a,SignedHeaders=host,Signature=b', 'AuthorizationHeaderMalformed'],
    ['AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=b', 'NotImplemented'],
    ['AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=', 'InvalidRequest'],
    ['AWS HAHAHA', 'InvalidArgument'],
    ['Basic dXNlcjpwYXNz', 'InvalidArgument'],
    ['Bearer x', 'InvalidArgument'],
    ['', 'AccessDenied'],
  ])('%j', (value, expected) => {
    expect(verdictCode(withHeaders(replaced('authorization', value)))).toBe(expected)
  })

  test.each([
    ['no signature', 'authorization', 'AccessDenied'],
    ['no date', 'x-amz-date', 'AccessDenied'],
    ['no payload hash', 'x-amz-content-sha256', 'InvalidRequest'],
  ])('%s', (_, name, expected) => {
    expect(verdictCode(withHeaders(without(name)))).toBe(expected)
  })

  test('a token of temporary credentials is not valid, an empty one is none', () => {
    expect(verdictCode(signed({ ...put, headers: [['x-amz-security-token', 'token']] }))).toBe('InvalidToken')
    expect(verdictCode(signed({ ...put, headers: [['x-amz-security-token', '']] }))).toBe('ok')
  })
})

describe('tampering', () => {
  const request = signed(put)

  test.each([
    ['the method', { method: 'DELETE' }, 'SignatureDoesNotMatch'],
    ['the path', { rawPath: '/bucket/kez' }, 'SignatureDoesNotMatch'],
    ['the query', { rawQuery: 'acl' }, 'SignatureDoesNotMatch'],
    ['a slash more', { rawPath: '/bucket//key' }, 'SignatureDoesNotMatch'],
    ['a path that climbs', { rawPath: '/bucket/x/../key' }, 'SignatureDoesNotMatch'],
    ['an escape of what needs none', { rawPath: '/bucket/%6Bey' }, 'ok'],
  ])('with %s', (_, change, expected) => {
    expect(verdictCode({ ...request, ...change })).toBe(expected)
  })

  test('with any character of the signature, the date or a signed value', () => {
    const headers = signedHeaders(put)
    for (const [i, [name, value]] of headers.entries()) {
      for (let at = 0; at < value.length; at++) {
        const letter = value[at] === '0' ? '1' : '0'
        const changed = value.slice(0, at) + letter + value.slice(at + 1)
        if (changed === value) continue
        const answer = verdictCode(withHeaders(headers.with(i, [name, changed])))
        expect({ name, at, answer }).not.toEqual({ name, at, answer: 'ok' })
      }
    }
  })

  test('shows what was calculated', () => {
    const { status, elements } = refusal({ ...request, method: 'POST' })
    expect(status).toBe(403)
    expect(elements['AWSAccessKeyId']).toBe(exampleCredential.accessKeyId)
    expect(elements['StringToSign']).toMatch(
      /^AWS4-HMAC-SHA256\n20130524T000000Z\n20130524\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
    )
    expect(elements['CanonicalRequest']).toMatch(/^POST\n\/bucket\/key\n\nhost:localhost:9878\n/)
    expect(elements['StringToSignBytes']?.slice(0, 11)).toBe('41 57 53 34')
    expect(JSON.stringify(elements)).not.toContain(exampleCredential.secret)
  })
})

describe('a presigned URL', () => {
  const presign = (options: PresignOptions = {}, sketch: RequestSketch = {}) =>
    s3Request({
      method: sketch.method ?? 'GET',
      target: presignedTarget({ target: '/bucket/key', ...sketch }, options),
      headers: [host, ...(sketch.headers ?? [])],
    })

  test('is accepted', () => {
    expect(accepted(presign())).toMatchObject({ kind: 'presigned', payload: { kind: 'unsigned' } })
  })

  test('carries in its query what would be headers', () => {
    const hash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    const request = presign({ payloadHash: hash }, { target: `/bucket/key?X-Amz-Content-Sha256=${hash}` })
    expect(accepted(request).payload).toEqual({ kind: 'sha256', hex: hash })
  })

  test('may be sent with an unsigned content type, as browsers do', () => {
    const request = presign({}, { method: 'PUT' })
    const withType = s3Request({
      method: 'PUT',
      target: request.target,
      headers: [host, ['Content-Type', 'text/plain']],
    })
    expect(verdictCode(withType)).toBe('ok')
  })

  test.each(['x-amz-copy-source', 'x-amz-acl', 'x-amz-meta-a', 'x-amz-content-sha256'])(
    'may not be sent with an unsigned %s',
    (name) => {
      const { target } = presign({}, { method: 'PUT' })
      const request = s3Request({ method: 'PUT', target, headers: [host, [name, 'UNSIGNED-PAYLOAD']] })
      expect(verdictCode(request)).toBe('AccessDenied')
    },
  )

  test.each<[string, PresignOptions, number, string]>([
    ['to the second of its end', { expires: '900' }, 900_000, 'ok'],
    ['a second after its end', { expires: '900' }, 901_000, 'AccessDenied'],
    ['for a week', { expires: '604800' }, 604_800_000, 'ok'],
    ['for more than a week', { expires: '604801' }, 0, 'AuthorizationQueryParametersError'],
    ['for no time', { expires: '0' }, 0, 'AuthorizationQueryParametersError'],
    ['for a negative time', { expires: '-1' }, 0, 'AuthorizationQueryParametersError'],
    ['for a time that is no number', { expires: '9e2' }, 0, 'AuthorizationQueryParametersError'],
    ['15 minutes before its start', {}, -15 * minutes, 'ok'],
    ['earlier than that', {}, -15 * minutes - 1000, 'AccessDenied'],
    ['of another region', { region: 'mars-1' }, 0, 'AuthorizationQueryParametersError'],
    ['of another day', { scopeDate: '20130525' }, 0, 'AuthorizationQueryParametersError'],
    ['of no time', { timestamp: '2013-05-24' }, 0, 'AuthorizationQueryParametersError'],
    ['by another secret', { secret: 'wrong' }, 0, 'SignatureDoesNotMatch'],
    ['by nobody', { accessKeyId: 'AKIANOBODY' }, 0, 'InvalidAccessKeyId'],
  ])('%s', (_, options, offsetMs, expected) => {
    expect(verdictCode(presign(options), exampleAuthenticator(exampleTimeMs + offsetMs))).toBe(expected)
  })

  test('says when it expired', () => {
    const answer = refusal(presign(), exampleAuthenticator(exampleTimeMs + 901_000))
    expect(answer).toEqual({
      code: 'AccessDenied',
      status: 403,
      message: 'Request has expired',
      elements: {
        'X-Amz-Expires': '900',
        Expires: '2013-05-24T00:15:00.000Z',
        ServerTime: '2013-05-24T00:15:01.000Z',
      },
    })
  })

  test('with its signature anywhere, and its names in any case or escaped', () => {
    const { target } = presign()
    const [path, query = ''] = target.split('?')
    const parts = query.split('&')
    expect(verdictCode(s3Request({ target: `${path}?${parts.toReversed().join('&')}`, headers: [host] }))).toBe('ok')
    const escaped = target.replace('X-Amz-Signature', '%58-Amz-Signature')
    expect(verdictCode(s3Request({ target: escaped, headers: [host] }))).toBe('ok')
  })

  test('with any part of it missing', () => {
    const [path, query = ''] = presign().target.split('?')
    const parts = query.split('&')
    for (const [i, part] of parts.entries()) {
      const code = verdictCode(s3Request({ target: `${path}?${parts.toSpliced(i, 1).join('&')}`, headers: [host] }))
      expect({ part, code }).toEqual({
        part,
        // Without all of the three that mark it, it is an anonymous request.
        code: 'AuthorizationQueryParametersError',
      })
    }
  })

  test('with a parameter added', () => {
    const { target } = presign()
    expect(verdictCode(s3Request({ target: `${target}&versionId=1`, headers: [host] }))).toBe('SignatureDoesNotMatch')
    expect(verdictCode(s3Request({ target: `${target}&X-Amz-Checksum-Crc32=AAAAAA%3D%3D`, headers: [host] }))).toBe(
      'SignatureDoesNotMatch',
    )
  })

  test('never mixes with a header', () => {
    const target = presignedTarget({ target: '/bucket/key' })
    expect(verdictCode(signed({ target }))).toBe('InvalidArgument')
    for (const part of [
      'X-Amz-Signature=0',
      'X-Amz-Credential=0',
      'x-amz-algorithm=0',
      'AWSAccessKeyId=0',
      'Signature=0',
    ]) {
      expect(verdictCode(signed({ target: `/bucket/key?${part}` }))).toBe('InvalidArgument')
    }
  })

  test.each([
    ['/bucket/key?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620&Signature=NpgCjnDzrM', 'InvalidRequest'],
    ['/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256', 'AuthorizationQueryParametersError'],
    ['/bucket/key', 'AccessDenied'],
  ])('%s', (target, expected) => {
    expect(verdictCode(s3Request({ target }))).toBe(expected)
  })

  test('of another algorithm', () => {
    const { target } = presign()
    const as = (algorithm: string): string =>
      verdictCode(s3Request({ target: target.replace('AWS4-HMAC-SHA256', algorithm), headers: [host] }))
    expect(as('AWS4-ECDSA-P256-SHA256')).toBe('NotImplemented')
    expect(as('AWS4-HMAC-SHA1')).toBe('AuthorizationQueryParametersError')
  })
})

describe('identities', () => {
  test('may take their time', async () => {
    const authenticator = exampleAuthenticator(exampleTimeMs, { lookup: () => Promise.resolve(exampleCredential) })
    expect(await authenticator.authenticate(signed(put))).toMatchObject({ principal: exampleCredential.principal })
    const nobody = exampleAuthenticator(exampleTimeMs, { lookup: () => Promise.resolve(undefined) })
    expect(await nobody.authenticate(signed(put))).toMatchObject({ code: 'InvalidAccessKeyId' })
  })

  test('may change a secret: the old one is worth nothing from then on', () => {
    let current: Credential | undefined = exampleCredential
    const authenticator = exampleAuthenticator(exampleTimeMs, { lookup: () => current })
    const old = signed(put)
    expect(verdictCode(old, authenticator)).toBe('ok')
    current = { ...exampleCredential, secret: 'rotated' }
    expect(verdictCode(old, authenticator)).toBe('SignatureDoesNotMatch')
    expect(verdictCode(signed(put, { secret: 'rotated' }), authenticator)).toBe('ok')
    current = undefined
    expect(verdictCode(signed(put, { secret: 'rotated' }), authenticator)).toBe('InvalidAccessKeyId')
    current = exampleCredential
    expect(verdictCode(old, authenticator)).toBe('ok')
  })

  test('of another region are told which is the right one', () => {
    const elsewhere = createAuthenticator({
      identities: { lookup: () => exampleCredential },
      clock: { wallMs: () => exampleTimeMs },
      region: 'eu-central-1',
    })
    expect(refusal(signed(put), elsewhere)).toMatchObject({
      code: 'AuthorizationHeaderMalformed',
      status: 400,
      message: "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
      elements: { Region: 'eu-central-1' },
    })
    expect(verdictCode(signed(put, { region: 'eu-central-1' }), elsewhere)).toBe('ok')
  })
})

test('no claim makes the verifier throw', () => {
  const words =
    'AWS4-HMAC-SHA256 Credential= SignedHeaders= Signature= , ; / = AKIAIOSFODNN7EXAMPLE 20130524 us-east-1 s3 aws4_request host x-amz-date AWS : \u00e9 \u0161 %'
  const shard = fc.constantFrom(' ', '0'.repeat(64), ...words.split(' '))
  const text = fc.oneof(fc.string({ unit: shard, maxLength: 24 }), fc.string({ unit: 'binary' }))
  const names = [
    'X-Amz-Algorithm',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
  ]
  fc.assert(
    fc.property(
      text,
      fc.array(fc.tuple(fc.constantFrom(...names, 'Signature', 'x'), text), { maxLength: 7 }),
      (value, query) => {
        const unique = [...new Map(query)].map(([name, each]) => `${name}=${encodeURIComponent(each)}`)
        const inHeader = s3Request({ headers: signedHeaders(put).with(-1, ['Authorization', value]) })
        const inQuery = s3Request({ target: `/b/k?${unique.join('&')}` })
        for (const request of [inHeader, inQuery]) expect(verdict(request)).toBeInstanceOf(S3Error)
      },
    ),
    { numRuns: 400 },
  )
})
