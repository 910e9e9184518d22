import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { digestOf } from '@o3/common/digest/node'
import { describe, expect, test } from 'vitest'
import { decodeBody, maxBodyBytes } from '../../src/body/decode-body.ts'
import { smallBodyBytes } from '../../src/body/body-source.ts'
import { checksumAlgorithms, checksumHeader } from '../../src/checksum/algorithms.ts'
import { accepted } from '../auth/example-account.ts'
import { signed } from '../auth/sign.ts'
import { bodyOf } from '../request/http-request.ts'
import { awsChunked } from './aws-chunked.ts'
import { receive, receiveCode } from './receive.ts'

const content = Buffer.from('The quick brown fox jumps over the lazy dog')
const base64 = (algorithm: Parameters<typeof digestOf>[0], bytes: Uint8Array = content): string =>
  Buffer.from(digestOf(algorithm, bytes)).toString('base64')
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

type Headers = readonly (readonly [string, string])[]

function put(headers: Headers, payloadHash?: string) {
  const request = signed(
    { method: 'PUT', target: '/bucket/key', headers },
    payloadHash === undefined ? {} : { payloadHash },
  )
  return { request, authenticated: accepted(request) }
}

const length = (bytes: Uint8Array): readonly [string, string] => ['Content-Length', String(bytes.length)]

describe('a plain body', () => {
  const codeOf = (headers: Headers, payloadHash?: string, bytes: Uint8Array = content): Promise<string> => {
    const { request, authenticated } = put([length(bytes), ...headers], payloadHash)
    return receiveCode(bodyOf([bytes]), request, authenticated)
  }

  test('arrives, small ones at once and large ones as a stream', async () => {
    for (const size of [0, 1, smallBodyBytes, smallBodyBytes + 1]) {
      const bytes = Buffer.alloc(size, 'x')
      const { request, authenticated } = put([length(bytes)], sha256(bytes))
      const decoded = await decodeBody(bodyOf([bytes]), request, authenticated)
      expect(decoded.source instanceof Uint8Array).toBe(size <= smallBodyBytes)
      expect(decoded.size).toBe(size)
      const received = await receive(bodyOf([bytes]), request, authenticated)
      expect(received.content.equals(bytes)).toBe(true)
      expect(received.etag).toBe(md5(bytes))
    }
  })

  test('may come without a length, in HTTP chunks', async () => {
    const { request, authenticated } = put([['Transfer-Encoding', 'chunked']])
    const body = bodyOf([content.subarray(0, 5), content.subarray(5)], undefined)
    expect((await receive(body, request, authenticated)).content).toEqual(content)
  })

  test('must say how it is framed', async () => {
    const { request, authenticated } = put([])
    expect(await receiveCode(bodyOf([], 0), request, authenticated)).toBe('MissingContentLength')
  })

  test('is bounded before anything of it is read', async () => {
    const { request, authenticated } = put([['Content-Length', String(maxBodyBytes + 1)]])
    const unread = {
      length: maxBodyBytes + 1,
      all: () => Promise.reject(new Error('read')),
      stream: () => ({}) as never,
    }
    expect(await receiveCode(unread, request, authenticated)).toBe('EntityTooLarge')
  })

  test.each([
    ['the right SHA-256', [], sha256(content), 'ok'],
    ['a SHA-256 of something else', [], sha256(Buffer.from('x')), 'XAmzContentSHA256Mismatch'],
    ['the right Content-MD5', [['Content-MD5', base64('md5')]], undefined, 'ok'],
    ['a Content-MD5 of something else', [['Content-MD5', 'rL0Y20xxjrlXMcW8SASCfQ==']], undefined, 'BadDigest'],
    ['a short Content-MD5', [['Content-MD5', 'YWJyYWNhZGFicmE=']], undefined, 'InvalidDigest'],
    ['an empty Content-MD5', [['Content-MD5', '']], undefined, 'InvalidDigest'],
    [
      'a Content-MD5 with a space in it',
      [['Content-MD5', base64('md5').replace(/^(.{5})./, '$1 ')]],
      undefined,
      'InvalidDigest',
    ],
    [
      'a Content-MD5 in another alphabet',
      [['Content-MD5', '__________________________'.slice(0, 22) + '==']],
      undefined,
      'InvalidDigest',
    ],
    [
      'everything at once',
      [
        ['Content-MD5', base64('md5')],
        ['x-amz-checksum-crc32c', base64('crc32c')],
        ['x-amz-sdk-checksum-algorithm', 'CRC32C'],
      ],
      sha256(content),
      'ok',
    ],
    [
      'everything at once, the last of it wrong',
      [
        ['Content-MD5', base64('md5')],
        ['x-amz-checksum-crc32c', base64('crc32c', Buffer.from('x'))],
      ],
      sha256(content),
      'BadDigest',
    ],
    [
      'everything at once, the first of it wrong',
      [
        ['Content-MD5', base64('md5')],
        ['x-amz-checksum-crc32c', base64('crc32c')],
      ],
      sha256(Buffer.from('x')),
      'XAmzContentSHA256Mismatch',
    ],
    [
      'two checksums',
      [
        ['x-amz-checksum-crc32', base64('crc32')],
        ['x-amz-checksum-sha1', base64('sha1')],
      ],
      undefined,
      'InvalidRequest',
    ],
    ['a checksum that is too short', [['x-amz-checksum-sha256', base64('sha1')]], undefined, 'InvalidRequest'],
    ['a checksum that is no base64', [['x-amz-checksum-crc32', 'abc!ef==']], undefined, 'InvalidRequest'],
    ['a checksum of a later kind', [['x-amz-checksum-xxhash64', 'AAAAAAAAAAA=']], undefined, 'NotImplemented'],
    ['an algorithm without a value', [['x-amz-sdk-checksum-algorithm', 'CRC32']], undefined, 'InvalidRequest'],
    [
      'an algorithm that is not the one used',
      [
        ['x-amz-sdk-checksum-algorithm', 'SHA1'],
        ['x-amz-checksum-crc32', base64('crc32')],
      ],
      undefined,
      'InvalidRequest',
    ],
    [
      'a trailer announced where there can be none',
      [['x-amz-trailer', 'x-amz-checksum-crc32']],
      undefined,
      'InvalidRequest',
    ],
  ] as const)('%s', async (_, headers, payloadHash, expected) => {
    expect(await codeOf(headers, payloadHash)).toBe(expected)
  })

  test.each(checksumAlgorithms)('%s is checked and stored', async (algorithm) => {
    const { request, authenticated } = put([length(content), [checksumHeader[algorithm], base64(algorithm)]])
    const received = await receive(bodyOf([content]), request, authenticated)
    expect(received.checksum).toEqual({ algorithm, type: 'full-object', value: base64(algorithm) })
    expect(await codeOf([[checksumHeader[algorithm], base64(algorithm, Buffer.from('x'))]])).toBe('BadDigest')
  })

  test('that ends early or late is found out', async () => {
    const { request, authenticated } = put([['Content-Length', '10']])
    for (const bytes of [Buffer.alloc(9), Buffer.alloc(11)]) {
      const decoded = await decodeBody(bodyOf([Buffer.alloc(10)]), request, authenticated)
      expect(() => decoded.check({ md5: digestOf('md5', bytes) }, bytes.length)).toThrow(
        expect.objectContaining({ code: 'IncompleteBody' }),
      )
    }
  })
})

describe('a part', () => {
  test('carries the checksum of its upload, promised or not', async () => {
    const { request, authenticated } = put([length(content)])
    const received = await receive(bodyOf([content]), request, authenticated, { checksum: 'crc64nvme' })
    expect(received.checksum?.value).toBe(base64('crc64nvme'))
  })

  test('may not carry another', async () => {
    const { request, authenticated } = put([length(content), ['x-amz-checksum-sha1', base64('sha1')]])
    expect(await receiveCode(bodyOf([content]), request, authenticated, { checksum: 'crc32' })).toBe('InvalidRequest')
  })
})

describe('an unsigned body with a trailer', () => {
  const announce = (size: number, trailer?: string): Headers => [
    ['x-amz-decoded-content-length', String(size)],
    ...(trailer === undefined ? [] : [['x-amz-trailer', trailer] as const]),
  ]
  const mode = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
  const codeOf = (headers: Headers, encoded: Uint8Array): Promise<string> => {
    const { request, authenticated } = put(headers, mode)
    return receiveCode(bodyOf([encoded]), request, authenticated)
  }
  const crc32Trailer = [['x-amz-checksum-crc32', base64('crc32')]] as const

  test.each(checksumAlgorithms)('with %s', async (algorithm) => {
    const { request, authenticated } = put(announce(content.length, checksumHeader[algorithm]), mode)
    const encoded = awsChunked([content], { trailers: [[checksumHeader[algorithm], base64(algorithm)]] })
    const received = await receive(bodyOf([encoded]), request, authenticated)
    expect(received).toMatchObject({ content, checksum: { algorithm, value: base64(algorithm) } })
  })

  test('may be one chunk as large as the object, as some SDKs send it', async () => {
    const large = Buffer.alloc(20 * 1024 * 1024, 'large')
    const { request, authenticated } = put(announce(large.length, 'x-amz-checksum-crc32'), mode)
    const encoded = awsChunked([large], { trailers: [['x-amz-checksum-crc32', base64('crc32', large)]] })
    const pieces = [encoded.subarray(0, 70_000), encoded.subarray(70_000)]
    const received = await receive(bodyOf(pieces, encoded.length), request, authenticated)
    expect(received.content.equals(large)).toBe(true)
  })

  test.each([
    ['as announced', announce(43, 'x-amz-checksum-crc32'), awsChunked([content], { trailers: crc32Trailer }), 'ok'],
    [
      'announced in another case',
      announce(43, 'X-Amz-Checksum-CRC32'),
      awsChunked([content], { trailers: crc32Trailer }),
      'ok',
    ],
    ['none at all', announce(43), awsChunked([content], {}), 'ok'],
    ['empty', announce(0), awsChunked([], {}), 'ok'],
    [
      'of another value',
      announce(43, 'x-amz-checksum-crc32'),
      awsChunked([content], { trailers: [['x-amz-checksum-crc32', 'AAAAAA==']] }),
      'BadDigest',
    ],
    [
      'of no value',
      announce(43, 'x-amz-checksum-crc32'),
      awsChunked([content], { trailers: [['x-amz-checksum-crc32', 'abc']] }),
      'InvalidRequest',
    ],
    [
      'announced, and not there',
      announce(43, 'x-amz-checksum-crc32'),
      awsChunked([content], {}),
      'MalformedTrailerError',
    ],
    [
      'there, and not announced',
      announce(43),
      awsChunked([content], { trailers: crc32Trailer }),
      'MalformedTrailerError',
    ],
    [
      'another one',
      announce(43, 'x-amz-checksum-sha1'),
      awsChunked([content], { trailers: crc32Trailer }),
      'MalformedTrailerError',
    ],
    [
      'twice',
      announce(43, 'x-amz-checksum-crc32'),
      awsChunked([content], { trailers: [...crc32Trailer, ...crc32Trailer] }),
      'MalformedTrailerError',
    ],
    [
      'without a colon',
      announce(43),
      Buffer.from(`2b\r\n${content.toString()}\r\n0\r\nrubbish\r\n\r\n`),
      'MalformedTrailerError',
    ],
    ['of another kind', announce(43, 'x-amz-meta-late'), awsChunked([content], {}), 'InvalidRequest'],
    [
      'and a header',
      [...announce(43, 'x-amz-checksum-crc32'), ['x-amz-checksum-sha1', base64('sha1')]],
      awsChunked([content], { trailers: crc32Trailer }),
      'InvalidRequest',
    ],
    [
      'with signed chunks',
      announce(43),
      Buffer.from(`2b;chunk-signature=${'0'.repeat(64)}\r\n${content.toString()}\r\n0\r\n\r\n`),
      'IncompleteBody',
    ],
    ['more bytes than announced', announce(42), awsChunked([content], {}), 'IncompleteBody'],
    ['fewer bytes than announced', announce(44), awsChunked([content], {}), 'IncompleteBody'],
    ['no decoded length', [], awsChunked([content], {}), 'MissingContentLength'],
    [
      'a decoded length that is no number',
      [['x-amz-decoded-content-length', '1e1']],
      awsChunked([content], {}),
      'InvalidRequest',
    ],
    ['a decoded length beyond all bounds', announce(maxBodyBytes + 1), awsChunked([content], {}), 'EntityTooLarge'],
  ] as const)('%s', async (_, headers, encoded, expected) => {
    expect(await codeOf(headers as Headers, encoded)).toBe(expected)
  })
})

test('any chunks, signed or not, cut anywhere, are the bytes again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.constantFrom('unsigned', 'signed', 'signed-trailer'),
      fc.array(fc.nat(4000), { maxLength: 10 }),
      fc.boolean(),
      async (chunks, kind, cuts, isLarge) => {
        const all = isLarge ? [Buffer.alloc(smallBodyBytes, 'l'), ...chunks] : chunks
        const whole = Buffer.concat(all)
        const mode = {
          unsigned: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          signed: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          'signed-trailer': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
        }[kind]
        const trailers = kind === 'signed' ? undefined : ([['x-amz-checksum-sha1', base64('sha1', whole)]] as const)
        const { request, authenticated } = put(
          [
            ['x-amz-decoded-content-length', String(whole.length)],
            ...(trailers === undefined ? [] : [['x-amz-trailer', 'x-amz-checksum-sha1'] as const]),
          ],
          mode,
        )
        const encoded = awsChunked(all, {
          ...(kind !== 'unsigned' && { signing: authenticated.signing }),
          ...(trailers !== undefined && { trailers }),
        })
        const edges = [0, ...cuts.map((cut) => cut % encoded.length).toSorted((a, b) => a - b), encoded.length]
        const pieces = edges.slice(1).map((end, i) => encoded.subarray(edges[i], end))
        const received = await receive(bodyOf(pieces, undefined), request, authenticated)
        expect(received.content.equals(whole)).toBe(true)
        expect(received.etag).toBe(md5(whole))
      },
    ),
    { numRuns: 100 },
  )
})
