/** Mistakes that were measured in other servers, each by name; and headers that must not be dropped. */

import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { headerRules } from '../../src/router/header-rules.ts'
import { s3Client } from '../operations/s3-client.ts'
import type { S3Client } from '../operations/s3-client.ts'

let s3: S3Client
beforeEach(async () => {
  s3 = await s3Client()
  await s3.ok('PUT', '/bkt')
  await s3.ok('PUT', '/bkt/k', { body: 'precious' })
})

describe('traps', () => {
  test('an unknown sub-resource does not fall through', async () => {
    for (const [method, target] of [
      ['GET', '/bkt?ownershipControls'],
      ['GET', '/bkt?metadataTable'],
      ['DELETE', '/bkt?ownershipControls'],
      ['PUT', '/bkt?policy'],
      ['GET', '/bkt/k?acl'],
      ['PUT', '/bkt/k?renameObject'],
      ['PUT', '/bkt/k?retention'],
      ['DELETE', '/bkt/k?legal-hold'],
    ] as const) {
      const answer = await s3.send(method, target, { body: method === 'PUT' ? '<x/>' : '' })
      expect(['501 NotImplemented', '405 MethodNotAllowed'], `${method} ${target}`).toContain(answer.outcome)
    }
    expect((await s3.ok('GET', '/bkt/k')).text).toBe('precious')
  })

  test('content-type need not be signed', async () => {
    // The client of these tests signs `host` and `x-amz-*` alone.
    await s3.ok('PUT', '/bkt/k', { body: 'x', headers: { 'content-type': 'text/plain' } })
    expect((await s3.ok('GET', '/bkt/k')).header('content-type')).toBe('text/plain')
  })

  test('a hoisted header parameter counts as the header', async () => {
    // Only of presigned requests: in any other it is a parameter that means nothing.
    const answer = await s3.ok('PUT', '/bkt/plain?x-amz-meta-a=1', { body: 'x' })
    expect(answer.status).toBe(200)
    expect((await s3.ok('HEAD', '/bkt/plain')).header('x-amz-meta-a')).toBeUndefined()
  })

  test('aws-chunked is not stored, other encodings are', async () => {
    await s3.ok('PUT', '/bkt/k', { body: 'x', headers: { 'content-encoding': 'aws-chunked, gzip' } })
    expect((await s3.ok('GET', '/bkt/k')).header('content-encoding')).toBe('gzip')
  })

  test('who may not list is told 403 and not 404', async () => {
    expect((await s3.send('GET', '/bkt/missing', { as: 'bob' })).outcome).toBe('403 AccessDenied')
    expect((await s3.send('HEAD', '/bkt/missing', { as: 'bob' })).status).toBe(403)
    expect((await s3.send('GET', '/bkt/missing')).outcome).toBe('404 NoSuchKey')
  })

  test('a copy onto itself without a change is InvalidRequest', async () => {
    const answer = await s3.send('PUT', '/bkt/k', { headers: { 'x-amz-copy-source': 'bkt/k' } })
    expect(answer.outcome).toBe('400 InvalidRequest')
  })

  test('the error document has the request id of the header, and no namespace', async () => {
    const answer = await s3.send('GET', '/bkt/missing')
    expect(answer.first('RequestId')).toBe(answer.header('x-amz-request-id'))
    expect(answer.first('HostId')).toBe(answer.header('x-amz-id-2'))
    expect(answer.text).not.toContain('xmlns')
    expect(answer.header('content-type')).toBe('application/xml')
  })

  test('an unsigned request gets no further than its head', async () => {
    for (const [method, target] of [
      ['GET', '/'],
      ['GET', '/bkt/k'],
      ['PUT', '/bkt/k'],
      ['PUT', '/bkt?policy'],
      ['OPTIONS', '/bkt/k'],
      ['POST', '/bkt'],
    ] as const) {
      expect((await s3.send(method, target, { as: 'nobody' })).outcome).toBe('403 AccessDenied')
    }
  })

  test('the same path as another spelling is another key', async () => {
    for (const path of ['/bkt//k', '/bkt/./k', '/bkt/../bkt/k', '/bkt/k/', '/bkt/%2Fk']) {
      expect((await s3.send('GET', path)).outcome, path).toBe('404 NoSuchKey')
    }
    await s3.ok('PUT', '/bkt/a//b/../c', { body: 'odd' })
    expect((await s3.ok('GET', '/bkt?list-type=2&prefix=a')).all('Key')).toEqual(['a//b/../c'])
  })
})

describe('a header with meaning is honoured or refused', () => {
  const put = (headers: Record<string, string>) => s3.send('PUT', '/bkt/new', { body: 'x', headers })

  test.each([
    ['x-amz-server-side-encryption', 'AES256', '501 NotImplemented'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256', '501 NotImplemented'],
    ['x-amz-object-lock-mode', 'GOVERNANCE', '501 NotImplemented'],
    ['x-amz-object-lock-legal-hold', 'ON', '501 NotImplemented'],
    ['x-amz-website-redirect-location', '/there', '501 NotImplemented'],
    ['x-amz-write-offset-bytes', '3', '501 NotImplemented'],
    ['x-amz-mfa', '20899872 301749', '501 NotImplemented'],
    ['x-amz-acl', 'public-read', '400 AccessControlListNotSupported'],
    ['x-amz-grant-read', 'id="x"', '400 AccessControlListNotSupported'],
    ['x-amz-storage-class', 'GLACIER', '400 InvalidStorageClass'],
    ['x-amz-object-ownership', 'ObjectWriter', '501 NotImplemented'],
    ['content-range', 'bytes 0-0/1', '501 NotImplemented'],
    ['if-unmodified-since', 'Sun, 22 Nov 2026 12:00:00 GMT', '501 NotImplemented'],
  ])('%s: %s is %s', async (name, value, outcome) => {
    const answer = await put({ [name]: value })
    expect(answer.outcome).toBe(outcome)
    if (outcome.startsWith('501')) expect(answer.first('Header')).toBe(name)
    expect((await s3.send('GET', '/bkt/new')).outcome).toBe('404 NoSuchKey')
  })

  test.each([
    ['x-amz-acl', 'private'],
    ['x-amz-acl', 'bucket-owner-full-control'],
    ['x-amz-storage-class', 'STANDARD'],
    ['x-amz-request-payer', 'requester'],
    ['x-amz-object-ownership', 'BucketOwnerEnforced'],
    ['x-amz-bucket-object-lock-enabled', 'false'],
    ['x-amz-user-agent', 'aws-sdk-js/3'],
    ['x-amz-te', 'append-md5'],
    ['amz-sdk-invocation-id', '1'],
  ])('%s: %s asks for what is so', async (name, value) => {
    expect((await put({ [name]: value })).outcome).toBe('200')
  })

  test('reads refuse encryption too, and ignore conditions that are for writes', async () => {
    const customer = { 'x-amz-server-side-encryption-customer-key': 'a2V5' }
    expect((await s3.send('GET', '/bkt/k', { headers: customer })).outcome).toBe('501 NotImplemented')
    expect((await s3.send('GET', '/bkt', { headers: { 'if-none-match': '"x"' } })).outcome).toBe('200')
    const locked = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await s3.send('PUT', '/locked', { headers: locked })).outcome).toBe('501 NotImplemented')
  })

  test('tags and conditions only where they are read', async () => {
    const id = (await s3.ok('POST', '/bkt/up?uploads')).first('UploadId')!
    const part = (headers: Record<string, string>) =>
      s3.send('PUT', `/bkt/up?partNumber=1&uploadId=${id}`, { body: 'x', headers })
    expect((await part({ 'x-amz-tagging': 'a=b' })).outcome).toBe('501 NotImplemented')
    expect((await part({ 'if-match': '"x"' })).outcome).toBe('501 NotImplemented')
    expect((await part({})).outcome).toBe('200')
  })

  test('the expected owner is compared with the owner', async () => {
    const md5 = createHash('md5').update('precious').digest('hex')
    const get = (owner: string) => s3.send('GET', '/bkt/k', { headers: { 'x-amz-expected-bucket-owner': owner } })
    expect((await get('admin')).header('etag')).toBe(`"${md5}"`)
    expect((await get('111122223333')).outcome).toBe('403 AccessDenied')
    const wrong = { 'x-amz-expected-bucket-owner': 'alice' }
    expect((await s3.send('DELETE', '/bkt/k', { headers: wrong })).outcome).toBe('403 AccessDenied')
    expect((await s3.send('PUT', '/mine', { headers: wrong })).outcome).toBe('200')
    expect((await s3.send('GET', '/nowhere/k', { headers: wrong })).outcome).toBe('404 NoSuchBucket')
  })

  test('every rule is in force', async () => {
    for (const { name } of headerRules.filter(({ harmless }) => harmless !== 'any')) {
      const header = name.replace('*', name.endsWith('-*') ? 'x' : '')
      // A copy source makes the request a copy.
      if (header.startsWith('x-amz-copy-source') && !header.includes('encryption')) continue
      if (['x-amz-tagging', 'if-match', 'if-none-match'].includes(header)) continue
      const answer = await put({ [header]: 'something' })
      expect([400, 501], name).toContain(answer.status)
    }
  })
})
