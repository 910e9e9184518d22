/**
 * The requests and signatures that Amazon publishes.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, sigv4-query-string-auth.html
 */

import { expect, test } from 'vitest'
import { s3Request } from '../request/http-request.ts'
import { accepted, exampleCredential } from './example-account.ts'

const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const welcomeHash = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'

function authorization(signedHeaders: string, signature: string): readonly [string, string] {
  return ['Authorization', `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${signedHeaders},Signature=${signature}`]
}

const host = ['Host', 'examplebucket.s3.amazonaws.com'] as const
const date = ['x-amz-date', '20130524T000000Z'] as const

test.each([
  {
    name: 'GET object',
    target: '/test.txt',
    headers: [
      host,
      ['Range', 'bytes=0-9'],
      ['x-amz-content-sha256', emptyHash],
      date,
      authorization(
        'host;range;x-amz-content-sha256;x-amz-date',
        'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
      ),
    ],
  },
  {
    name: 'PUT object, with a character that only the canonical form escapes',
    method: 'PUT',
    target: '/test$file.text',
    headers: [
      host,
      ['Date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['x-amz-content-sha256', welcomeHash],
      date,
      authorization(
        'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
      ),
    ],
  },
  {
    name: 'GET bucket lifecycle, a parameter without a value',
    target: '/?lifecycle',
    headers: [
      host,
      ['x-amz-content-sha256', emptyHash],
      date,
      authorization(
        'host;x-amz-content-sha256;x-amz-date',
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
    ],
  },
  {
    name: 'list objects',
    target: '/?max-keys=2&prefix=J',
    headers: [
      host,
      ['x-amz-content-sha256', emptyHash],
      date,
      authorization(
        'host;x-amz-content-sha256;x-amz-date',
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
    ],
  },
  {
    name: 'the same, parameters in another order',
    target: '/?prefix=J&max-keys=2',
    headers: [
      host,
      ['x-amz-content-sha256', emptyHash],
      date,
      authorization(
        'host;x-amz-content-sha256;x-amz-date',
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
    ],
  },
] as const)('$name', ({ name: _, ...sketch }) => {
  const answer = accepted(s3Request(sketch))
  expect(answer.principal).toBe(exampleCredential.principal)
  expect(answer.kind).toBe('header')
})

test('presigned GET', () => {
  const target =
    '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'
  const answer = accepted(s3Request({ target, headers: [host] }))
  expect(answer).toMatchObject({ kind: 'presigned', payload: { kind: 'unsigned' } })
})
