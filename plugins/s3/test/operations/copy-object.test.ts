import { createHash } from 'node:crypto'
import { digestOf } from '@o3/common/digest/node'
import { beforeEach, describe, expect, test } from 'vitest'
import { s3Client } from './s3-client.ts'
import type { Answer, S3Client } from './s3-client.ts'

let s3: S3Client
beforeEach(async () => {
  s3 = await s3Client()
  await s3.ok('PUT', '/bkt')
  await s3.ok('PUT', '/other')
  await s3.ok('PUT', '/bkt/src', {
    body: 'hello',
    headers: { 'content-type': 'text/plain', 'x-amz-meta-a': '1', 'cache-control': 'no-cache', 'x-amz-tagging': 't=1' },
  })
})

const etag = `"${createHash('md5').update('hello').digest('hex')}"`

const copy = (target: string, source: string, headers: Record<string, string> = {}): Promise<Answer> =>
  s3.send('PUT', target, { headers: { 'x-amz-copy-source': source, ...headers } })

describe('CopyObject', () => {
  test('keeps bytes, ETag, metadata and tags', async () => {
    const answer = await copy('/other/dst', '/bkt/src')
    expect([answer.status, answer.first('ETag')]).toEqual([200, etag])
    expect(answer.first('LastModified')).toBe('2026-11-22T12:00:00.000Z')
    const got = await s3.ok('GET', '/other/dst')
    expect([got.text, got.header('content-type'), got.header('x-amz-meta-a')]).toEqual(['hello', 'text/plain', '1'])
    expect([got.header('cache-control'), got.header('x-amz-tagging-count')]).toEqual(['no-cache', '1'])
  })

  test('replaces metadata, all of it, when it is told to', async () => {
    await copy('/bkt/dst', 'bkt/src', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' })
    const got = await s3.ok('GET', '/bkt/dst')
    expect([got.header('x-amz-meta-a'), got.header('x-amz-meta-b'), got.header('content-type')]).toEqual([
      undefined,
      '2',
      'binary/octet-stream',
    ])
    expect([got.header('cache-control'), got.header('x-amz-tagging-count')]).toEqual([undefined, '1'])
  })

  test('replaces tags when it is told to', async () => {
    await copy('/bkt/dst', 'bkt/src', { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'u=2' })
    expect((await s3.ok('GET', '/bkt/dst?tagging')).all('Key')).toEqual(['u'])
    expect((await s3.ok('GET', '/bkt/dst')).header('x-amz-meta-a')).toBe('1')
    await copy('/bkt/dst', 'bkt/src', { 'x-amz-tagging-directive': 'REPLACE' })
    expect((await s3.ok('GET', '/bkt/dst?tagging')).all('Key')).toEqual([])
  })

  test.each(['x-amz-metadata-directive', 'x-amz-tagging-directive'])('%s is COPY or REPLACE', async (name) => {
    expect((await copy('/bkt/dst', 'bkt/src', { [name]: 'MERGE' })).outcome).toBe('400 InvalidArgument')
  })

  test('onto itself must change something', async () => {
    expect((await copy('/bkt/src', 'bkt/src')).outcome).toBe('400 InvalidRequest')
    expect((await copy('/bkt/src', '/bkt/s%72c', { 'x-amz-metadata-directive': 'COPY' })).outcome).toBe(
      '400 InvalidRequest',
    )
    const replaced = await copy('/bkt/src', 'bkt/src', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' })
    expect(replaced.outcome).toBe('200')
    const got = await s3.ok('GET', '/bkt/src')
    expect([got.text, got.header('x-amz-meta-a'), got.header('x-amz-meta-b')]).toEqual(['hello', undefined, '2'])
  })

  test('computes the checksum that is asked for', async () => {
    const answer = await copy('/bkt/dst', 'bkt/src', { 'x-amz-checksum-algorithm': 'SHA256' })
    const value = Buffer.from(digestOf('sha256', Buffer.from('hello'))).toString('base64')
    expect([answer.first('ChecksumSHA256'), answer.first('ChecksumType')]).toEqual([value, 'FULL_OBJECT'])
    const head = await s3.ok('HEAD', '/bkt/dst', { headers: { 'x-amz-checksum-mode': 'enabled' } })
    expect(head.header('x-amz-checksum-sha256')).toBe(value)
    expect((await copy('/bkt/dst', 'bkt/src', { 'x-amz-checksum-algorithm': 'MD4' })).outcome).toBe(
      '400 InvalidRequest',
    )
  })

  test('reads names as a path has them', async () => {
    await s3.ok('PUT', '/bkt/a%2Bb%20%C3%A4%3Fc', { body: 'odd' })
    expect((await copy('/bkt/dst', 'bkt/a%2Bb%20%C3%A4%3Fc')).outcome).toBe('200')
    expect((await s3.ok('GET', '/bkt/dst')).text).toBe('odd')
    expect((await copy('/bkt/dst', 'bkt/src?versionId=null')).outcome).toBe('200')
    expect((await copy('/bkt/dst', 'bkt/src?versionId=abc')).outcome).toBe('400 InvalidArgument')
    for (const source of ['bkt', '/bkt/', '', '/', 'bkt/%zz']) {
      expect((await copy('/bkt/dst', source)).outcome).toBe('400 InvalidArgument')
    }
  })

  test.each<[Record<string, string>, string]>([
    [{ 'x-amz-copy-source-if-match': etag }, '200'],
    [{ 'x-amz-copy-source-if-match': '"other"' }, '412 PreconditionFailed'],
    [{ 'x-amz-copy-source-if-none-match': etag }, '412 PreconditionFailed'],
    [{ 'x-amz-copy-source-if-none-match': '"other"' }, '200'],
    [{ 'x-amz-copy-source-if-modified-since': 'Sun, 22 Nov 2026 12:00:00 GMT' }, '412 PreconditionFailed'],
    [{ 'x-amz-copy-source-if-unmodified-since': 'Sun, 22 Nov 2026 11:00:00 GMT' }, '412 PreconditionFailed'],
    [{ 'if-none-match': '*' }, '412 PreconditionFailed'],
    [{ 'if-match': '"other"' }, '412 PreconditionFailed'],
    [{ 'if-match': etag }, '200'],
  ])('under %j is %s', async (headers, outcome) => {
    await copy('/bkt/dst', 'bkt/src')
    expect((await copy('/bkt/dst', 'bkt/src', headers)).outcome).toBe(outcome)
  })

  test('needs both the right to read and the right to write', async () => {
    const session = s3.store.session({ user: 'admin', admin: true })
    const right = (bucket: string, bob: 'read' | 'write') =>
      session.buckets.update({ volume: 's3v', bucket }, { members: { bob } })
    const asBob = () => s3.send('PUT', '/other/dst', { headers: { 'x-amz-copy-source': 'bkt/src' }, as: 'bob' })
    expect((await asBob()).outcome).toBe('403 AccessDenied')
    await right('bkt', 'read')
    expect((await asBob()).outcome).toBe('403 AccessDenied')
    await right('other', 'write')
    expect((await asBob()).outcome).toBe('200')
  })

  test('of what is not there is 404, and changes nothing', async () => {
    expect((await copy('/bkt/dst', 'bkt/missing')).outcome).toBe('404 NoSuchKey')
    expect((await copy('/bkt/dst', 'nowhere/src')).outcome).toBe('404 NoSuchBucket')
    expect((await copy('/nowhere/dst', 'bkt/src')).outcome).toBe('404 NoSuchBucket')
    expect((await s3.send('GET', '/bkt/dst')).outcome).toBe('404 NoSuchKey')
  })

  test('checks the owners that the client expects', async () => {
    const source = 'x-amz-source-expected-bucket-owner'
    const target = 'x-amz-expected-bucket-owner'
    expect((await copy('/bkt/dst', 'bkt/src', { [source]: 'admin', [target]: 'admin' })).outcome).toBe('200')
    expect((await copy('/bkt/dst', 'bkt/src', { [source]: 'alice' })).outcome).toBe('403 AccessDenied')
    expect((await copy('/bkt/dst', 'bkt/src', { [target]: 'alice' })).outcome).toBe('403 AccessDenied')
  })

  test('does not take a range, which only a part can be copied from', async () => {
    const answer = await copy('/bkt/dst', 'bkt/src', { 'x-amz-copy-source-range': 'bytes=0-1' })
    expect([answer.outcome, answer.first('Header')]).toEqual(['501 NotImplemented', 'x-amz-copy-source-range'])
  })
})
