import { createHash } from 'node:crypto'
import { digestOf } from '@o3/common/digest/node'
import { beforeEach, describe, expect, test } from 'vitest'
import { s3Client } from './s3-client.ts'
import type { Answer, S3Client } from './s3-client.ts'

let s3: S3Client
beforeEach(async () => {
  s3 = await s3Client()
  await s3.ok('PUT', '/bkt')
  for (const key of ['a', 'b', 'c']) await s3.ok('PUT', `/bkt/${key}`, { body: key })
})

const md5 = (text: string): string => createHash('md5').update(text).digest('base64')
const document = (objects: readonly string[], quiet = ''): string =>
  `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${quiet}${objects.map((inside) => `<Object>${inside}</Object>`).join('')}</Delete>`
const send = (body: string): Promise<Answer> =>
  s3.send('POST', '/bkt?delete', { body, headers: { 'content-md5': md5(body) } })
const left = async (): Promise<string[]> => (await s3.ok('GET', '/bkt?list-type=2')).all('Key')

describe('DeleteObjects', () => {
  test('deletes, and says so also of what was not there', async () => {
    const answer = await send(document(['<Key>a</Key>', '<Key>zz</Key>', '<Key>b</Key><VersionId>null</VersionId>']))
    expect(answer.outcome).toBe('200')
    expect([answer.all('Key'), answer.all('VersionId')]).toEqual([['a', 'zz', 'b'], ['null']])
    expect(await left()).toEqual(['c'])
  })

  test('says nothing of successes when it is quiet', async () => {
    const answer = await send(document(['<Key>a</Key>', '<Key>b</Key><ETag>"x"</ETag>'], '<Quiet>true</Quiet>'))
    expect(answer.text).not.toContain('<Deleted>')
    expect([answer.all('Key'), answer.all('Code')]).toEqual([['b'], ['PreconditionFailed']])
    expect(await left()).toEqual(['b', 'c'])
  })

  test('judges each object alone', async () => {
    const etag = createHash('md5').update('a').digest('hex')
    const answer = await send(
      document([
        `<Key>a</Key><ETag>${etag}</ETag>`,
        '<Key>b</Key><ETag>"other"</ETag>',
        '<Key>missing</Key><ETag>"x"</ETag>',
        '<Key>c</Key><VersionId>other</VersionId>',
        '<Key>c</Key><Size>1</Size>',
        `<Key>${'k'.repeat(1025)}</Key>`,
      ]),
    )
    expect(answer.all('Code')).toEqual([
      'PreconditionFailed',
      'NoSuchKey',
      'NoSuchVersion',
      'NotImplemented',
      'KeyTooLongError',
    ])
    expect(await left()).toEqual(['b', 'c'])
  })

  test('wants Content-MD5 or any one checksum', async () => {
    const body = document(['<Key>a</Key>'])
    expect((await s3.send('POST', '/bkt?delete', { body })).outcome).toBe('400 InvalidRequest')
    for (const algorithm of ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const) {
      const value = Buffer.from(digestOf(algorithm, Buffer.from(body))).toString('base64')
      const headers = { [`x-amz-checksum-${algorithm}`]: value }
      expect((await s3.send('POST', '/bkt?delete', { body, headers })).outcome).toBe('200')
      expect((await s3.send('POST', '/bkt?delete', { body: `${body} `, headers })).outcome).toBe('400 BadDigest')
    }
    const wrong = { 'content-md5': md5('something else') }
    expect((await s3.send('POST', '/bkt?delete', { body, headers: wrong })).outcome).toBe('400 BadDigest')
  })

  test('takes 1,000 objects and no more', async () => {
    const keys = (count: number) => Array.from({ length: count }, (_, i) => `<Key>k${i}</Key>`)
    expect((await send(document(keys(1000)))).all('Key')).toHaveLength(1000)
    expect((await send(document(keys(1001)))).outcome).toBe('400 MalformedXML')
    expect((await send(document([]))).outcome).toBe('400 MalformedXML')
    expect((await send('rubbish')).outcome).toBe('400 MalformedXML')
    expect((await send('')).outcome).toBe('400 MissingRequestBodyError')
  })

  test('is not for strangers', async () => {
    const body = document(['<Key>a</Key>'])
    const headers = { 'content-md5': md5(body) }
    expect((await s3.send('POST', '/bkt?delete', { body, headers, as: 'bob' })).outcome).toBe('403 AccessDenied')
    expect(await left()).toEqual(['a', 'b', 'c'])
  })

  test('may say that it bypasses a retention that nothing has', async () => {
    const body = document(['<Key>a</Key>'])
    const headers = { 'content-md5': md5(body), 'x-amz-bypass-governance-retention': 'true' }
    expect((await s3.send('POST', '/bkt?delete', { body, headers })).outcome).toBe('200')
  })
})
