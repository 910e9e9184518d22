import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { parseRequest } from '../../src/core/request/s3-request.ts'
import { httpRequest, s3Request } from './http-request.ts'
import type { RequestSketch } from './http-request.ts'

const domains = ['s3.example.org', 's3.eu.example.org']
const host = (name: string): readonly [string, string] => ['Host', name]

/** The refusal's code, `ok` for none. */
function code(sketch: RequestSketch): string {
  const request = parseRequest(httpRequest({ headers: [host('localhost')], ...sketch }), {
    virtualHostDomains: domains,
  })
  return request instanceof S3Error ? request.code : 'ok'
}

describe('the address', () => {
  test.each([
    // path style
    ['localhost', '/', undefined, undefined],
    ['localhost', '/?x', undefined, undefined],
    ['localhost', '/bucket', 'bucket', undefined],
    ['localhost', '/bucket/', 'bucket', undefined],
    ['localhost', '/bucket/key', 'bucket', 'key'],
    ['localhost', '/bucket/a/b/c/', 'bucket', 'a/b/c/'],
    ['localhost', '/bucket//', 'bucket', '/'],
    ['localhost', '/bucket//a', 'bucket', '/a'],
    ['localhost', '/bucket/a//b', 'bucket', 'a//b'],
    ['localhost', '/bucket/../other/key', 'bucket', '../other/key'],
    ['localhost', '/bucket/%2e%2e/x', 'bucket', '../x'],
    ['localhost', '/bucket/a%2Fb', 'bucket', 'a/b'],
    ['localhost', '/bucket/a%252Fb', 'bucket', 'a%2Fb'],
    ['localhost', '/bucket/a+b%20c', 'bucket', 'a+b c'],
    ['localhost', '/bucket/%e6%97%A5', 'bucket', '日'],
    ['localhost', '/bucket/%F0%9F%98%80', 'bucket', '😀'],
    ['localhost', '/bucket/%00', 'bucket', '\0'],
    ['localhost', '/bucket/a;b:c@d', 'bucket', 'a;b:c@d'],
    ['localhost', '/b%75cket/key', 'bucket', 'key'],
    ['localhost', '/..', '..', undefined],
    ['127.0.0.1:9878', '/bucket/key', 'bucket', 'key'],
    ['[::1]:9878', '/bucket/key', 'bucket', 'key'],
    ['s3.example.org', '/bucket/key', 'bucket', 'key'],
    ['xs3.example.org', '/bucket/key', 'bucket', 'key'],
    ['.s3.example.org', '/bucket/key', 'bucket', 'key'],
    // virtual host style
    ['photos.s3.example.org', '/', 'photos', undefined],
    ['photos.s3.example.org:9878', '/key', 'photos', 'key'],
    ['Photos.S3.Example.ORG', '/a/b', 'photos', 'a/b'],
    ['my.photos.s3.example.org', '/a/b', 'my.photos', 'a/b'],
    ['photos.s3.example.org', '//a', 'photos', '/a'],
    ['photos.s3.eu.example.org', '/%2F', 'photos', '/'],
  ])('%s %s', (name, target, bucket, key) => {
    const request = s3Request({ target, headers: [host(name)] }, domains)
    expect({ bucket: request.bucket, key: request.key }).toEqual({ bucket, key })
  })

  test.each([
    ['*', 'InvalidURI'],
    ['', 'InvalidURI'],
    ['bucket/key', 'InvalidURI'],
    ['http://localhost/bucket/key', 'InvalidURI'],
    ['/bucket/%', 'InvalidURI'],
    ['/bucket/%2', 'InvalidURI'],
    ['/bucket/%zz', 'InvalidURI'],
    ['/bucket/%ff', 'InvalidURI'],
    ['/bucket/%c0%af', 'InvalidURI'],
    ['/bucket/%ed%a0%80', 'InvalidURI'],
    ['/bucket/a b', 'InvalidURI'],
    ['/bucket/a#b', 'InvalidURI'],
    ['/bucket/\u00e9', 'InvalidURI'],
    ['/bucket/a\tb', 'InvalidURI'],
    ['/bucket?prefix=%zz', 'InvalidURI'],
    ['/bucket?%ff', 'InvalidURI'],
    ['//', 'InvalidBucketName'],
    ['//key', 'InvalidBucketName'],
  ])('%j is %s', (target, expected) => {
    expect(code({ target })).toBe(expected)
  })

  test('is that of the key, whatever the key is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (key) => {
        expect(s3Request({ target: `/bucket/${encodeURIComponent(key)}` }).key).toBe(key)
      }),
    )
  })
})

describe('the query', () => {
  test.each([
    ['', []],
    ['acl', [['acl', '']]],
    ['acl=', [['acl', '']]],
    ['&&a=1&', [['a', '1']]],
    ['a=b=c', [['a', 'b=c']]],
    ['=x', [['', 'x']]],
    ['prefix=a+b%2Bc%20d', [['prefix', 'a b+c d']]],
    [
      'Prefix=1&prefix=2',
      [
        ['Prefix', '1'],
        ['prefix', '2'],
      ],
    ],
    [
      'X-Amz-Meta-A=B&x-id=PutObject',
      [
        ['x-amz-meta-a', 'B'],
        ['x-id', 'PutObject'],
      ],
    ],
    ['%58-amz-date=1', [['x-amz-date', '1']]],
    [
      '__proto__=1&constructor=2',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    ],
  ])('%j', (query, expected) => {
    const request = s3Request({ target: `/bucket?${query}` })
    expect(request.parameters.map(({ name, value }) => [name, value])).toEqual(expected)
    expect([...request.query]).toEqual(expected)
  })

  test.each([
    'a=1&a=1',
    'a&b&a',
    'X-Amz-Date=1&x-amz-date=1',
    'x-amz-date=1&%78-Amz-Date=2',
    'uploadId=1&upload%49d=2',
  ])('%s is refused', (query) => {
    expect(code({ target: `/bucket?${query}` })).toBe('InvalidArgument')
  })
})

describe('the headers', () => {
  test('are by lower-case name and trimmed, names of objects too', () => {
    const request = s3Request({
      headers: [
        ['X-Amz-Meta-A', ' \tb '],
        ['__proto__', 'x'],
        ['Accept', ''],
      ],
    })
    expect([...request.headers]).toEqual([
      ['host', 'localhost:9878'],
      ['x-amz-meta-a', 'b'],
      ['__proto__', 'x'],
      ['accept', ''],
    ])
  })

  test.each([
    'Host',
    'Authorization',
    'X-Amz-Date',
    'x-amz-anything',
    'Content-Length',
    'Content-Type',
    'Content-MD5',
    'Date',
    'Range',
    'If-Match',
    'If-None-Match',
    'If-Modified-Since',
    'Expect',
    'Content-Encoding',
  ])('%s comes once', (name) => {
    const headers = [...(name === 'Host' ? [] : [host('localhost')]), [name, '1'], [name.toUpperCase(), '1']] as const
    expect(code({ headers })).toBe('InvalidRequest')
  })

  test('others may be repeated', () => {
    const request = s3Request({
      headers: [
        ['Accept', 'a'],
        ['accept', 'b'],
        ['Via', 'c'],
      ],
    })
    expect(request.headers.get('accept')).toBe('a,b')
    expect([...request.repeated]).toEqual(['accept'])
  })

  test.each([
    [[['Transfer-Encoding', 'chunked']], 'ok'],
    [[['Transfer-Encoding', 'Chunked']], 'ok'],
    [[['Transfer-Encoding', 'gzip, chunked']], 'NotImplemented'],
    [[['Transfer-Encoding', 'identity']], 'NotImplemented'],
    [[['Transfer-Encoding', '']], 'NotImplemented'],
    [
      [
        ['Transfer-Encoding', 'chunked'],
        ['Content-Length', '1'],
      ],
      'InvalidRequest',
    ],
    [
      [
        ['Transfer-Encoding', 'chunked'],
        ['Transfer-Encoding', 'chunked'],
      ],
      'InvalidRequest',
    ],
  ] as const)('%j', (headers, expected) => {
    expect(code({ headers: [host('localhost'), ...headers] })).toBe(expected)
  })

  test('must name a host', () => {
    expect(code({ headers: [] })).toBe('InvalidRequest')
  })
})

describe('hoisted headers', () => {
  const presigned = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x&X-Amz-Signature=y'

  test('of a presigned URL count as headers, those of the signature do not', () => {
    const request = s3Request({
      target: `/b/k?${presigned}&X-Amz-Checksum-Crc32=AAAAAQ%3D%3D&x-amz-meta-a=%C3%A9&prefix=p`,
    })
    expect(request.headers.get('x-amz-checksum-crc32')).toBe('AAAAAQ==')
    // As bytes, like any header.
    expect(request.headers.get('x-amz-meta-a')).toBe('\u00c3\u00a9')
    expect([...request.headers.keys()]).toEqual(['host', 'x-amz-checksum-crc32', 'x-amz-meta-a'])
    expect([...request.wireHeaders.keys()]).toEqual(['host'])
  })

  test('of a body that nobody has seen do not: the checksum of no bytes', () => {
    const sdk = 'x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32'
    const request = s3Request({ method: 'PUT', target: `/b/k?${presigned}&${sdk}` })
    expect([...request.headers.keys()]).toEqual(['host'])
  })

  test('of any other URL do not', () => {
    const request = s3Request({ target: '/b/k?x-amz-acl=public-read' })
    expect(request.headers.has('x-amz-acl')).toBe(false)
  })

  test('may be sent again, but not with another value', () => {
    const target = `/b/k?${presigned}&x-amz-acl=private`
    const sent = (value: string): RequestSketch => ({ target, headers: [host('localhost'), ['X-Amz-Acl', value]] })
    expect(code(sent('private'))).toBe('ok')
    expect(code(sent('public-read'))).toBe('InvalidArgument')
  })

  test('hold nothing that a header cannot', () => {
    expect(code({ target: `/b/k?${presigned}&x-amz-meta-a=1%0d%0aSet-Cookie:x` })).toBe('InvalidArgument')
  })
})

test('nothing else comes out of rubbish but a request or an S3 error', () => {
  const byte = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
  const headerName = fc.oneof(byte, fc.constantFrom('Host', 'Transfer-Encoding', 'X-Amz-Date', 'Content-Length'))
  fc.assert(
    fc.property(
      fc.oneof(
        byte,
        byte.map((text) => `/${text}`),
        fc.webPath({ size: 'medium' }),
        fc.webUrl(),
      ),
      fc.array(fc.tuple(headerName, byte), { maxLength: 6 }),
      (target, headers) => {
        const request = parseRequest(httpRequest({ target, headers }), { virtualHostDomains: domains })
        expect(request instanceof S3Error || request.host !== undefined).toBe(true)
      },
    ),
    { numRuns: 800 },
  )
})
