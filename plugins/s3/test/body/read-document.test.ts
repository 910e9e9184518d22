import { createHash } from 'node:crypto'
import { StoreError } from '@o3/common/errors'
import { digestOf } from '@o3/common/digest/node'
import type { HttpBody } from '@o3/protocol-bus/api'
import { describe, expect, test } from 'vitest'
import { readDocument } from '../../src/body/read-document.ts'
import type { DocumentOptions } from '../../src/body/read-document.ts'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { accepted } from '../auth/example-account.ts'
import { signed } from '../auth/sign.ts'
import { bodyOf } from '../request/http-request.ts'
import { awsChunked } from './aws-chunked.ts'

const document = Buffer.from('<Delete/>')
const base64 = (algorithm: 'md5' | 'crc32', bytes: Uint8Array = document): string =>
  Buffer.from(digestOf(algorithm, bytes)).toString('base64')
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Case {
  readonly headers?: readonly (readonly [string, string])[]
  readonly payloadHash?: string
  readonly body?: HttpBody
  readonly options?: Partial<DocumentOptions>
}

async function read({
  headers = [],
  payloadHash = sha256(document),
  body = bodyOf([document]),
  options,
}: Case): Promise<string> {
  const request = signed({ method: 'POST', target: '/bucket?delete', headers }, { payloadHash })
  try {
    const bytes = await readDocument(body, request, accepted(request), { limit: 100, digest: 'optional', ...options })
    return Buffer.from(bytes).toString()
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
}

const chunked = (size: number) =>
  ({
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: [
      ['x-amz-decoded-content-length', String(size)],
      ['x-amz-trailer', 'x-amz-checksum-crc32'],
    ],
  }) as const
const trailers = [['x-amz-checksum-crc32', base64('crc32')]] as const

describe('a document', () => {
  test.each<[string, Case, string]>([
    ['is read', {}, '<Delete/>'],
    ['may be empty', { body: bodyOf([]), payloadHash: sha256(Buffer.alloc(0)) }, ''],
    ['may come without a length', { body: bodyOf([document], undefined) }, '<Delete/>'],
    ['is the one that was signed', { payloadHash: sha256(Buffer.from('x')) }, 'XAmzContentSHA256Mismatch'],
    ['is the one of its MD5', { headers: [['Content-MD5', base64('md5', Buffer.from('x'))]] }, 'BadDigest'],
    ['is the one of its checksum', { headers: [['x-amz-checksum-crc32', 'AAAAAA==']] }, 'BadDigest'],
    ['of exactly the limit', { options: { limit: document.length } }, '<Delete/>'],
    ['beyond the limit', { options: { limit: document.length - 1 } }, 'MaxMessageLengthExceeded'],
    ['may come in chunks', { ...chunked(9), body: bodyOf([awsChunked([document], { trailers })]) }, '<Delete/>'],
    ['beyond the limit in chunks', { ...chunked(101), body: bodyOf([]) }, 'MaxMessageLengthExceeded'],
    [
      'whose trailer is wrong',
      { ...chunked(9), body: bodyOf([awsChunked([document], { trailers: [['x-amz-checksum-crc32', 'AAAAAA==']] })]) },
      'BadDigest',
    ],
    ['that needs a digest and has none', { options: { digest: 'required' } }, 'InvalidRequest'],
    [
      'that needs a digest: MD5',
      { options: { digest: 'required' }, headers: [['Content-MD5', base64('md5')]] },
      '<Delete/>',
    ],
    [
      'that needs a digest: a checksum',
      { options: { digest: 'required' }, headers: [['x-amz-checksum-crc32', base64('crc32')]] },
      '<Delete/>',
    ],
    [
      'that needs a digest: a trailer',
      { ...chunked(9), options: { digest: 'required' }, body: bodyOf([awsChunked([document], { trailers })]) },
      '<Delete/>',
    ],
    [
      'with the checksum of something else',
      { options: { digest: 'of-object' }, headers: [['x-amz-checksum-crc32', 'AAAAAA==']] },
      '<Delete/>',
    ],
    [
      'with that and a wrong MD5',
      { options: { digest: 'of-object' }, headers: [['Content-MD5', base64('md5', Buffer.from('x'))]] },
      'BadDigest',
    ],
    [
      'with that and a broken MD5',
      { options: { digest: 'of-object' }, headers: [['Content-MD5', 'x']] },
      'InvalidDigest',
    ],
  ])('%s', async (_, sketch, expected) => {
    expect(await read(sketch)).toBe(expected)
  })

  test('larger than what is read at once comes in pieces', async () => {
    const large = Buffer.alloc(300_000, 'x')
    const sketch = chunked(large.length)
    const encoded = awsChunked([large.subarray(0, 100_000), large.subarray(100_000)], {
      trailers: [['x-amz-checksum-crc32', base64('crc32', large)]],
    })
    const pieces = [encoded.subarray(0, 150_000), encoded.subarray(150_000)]
    const text = await read({ ...sketch, body: bodyOf(pieces), options: { limit: large.length } })
    expect(text).toBe(large.toString())
  })

  test('whose sender goes away is not one', async () => {
    const gone = new StoreError('IncompleteBody', 'the client went away')
    await expect(read({ body: { ...bodyOf([document]), all: () => Promise.reject(gone) } })).rejects.toBe(gone)
  })
})
