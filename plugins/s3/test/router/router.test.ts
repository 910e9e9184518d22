import { describe, expect, test } from 'vitest'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { parseRequest } from '../../src/core/request/s3-request.ts'
import { operations } from '../../src/operations/all-operations.ts'
import { absentOperations } from '../../src/router/aws-operations.ts'
import { createRouter } from '../../src/router/router.ts'

const router = createRouter(operations, absentOperations)

/** `PutObject`, or `501 NotImplemented: …`. */
function routed(line: string, headers: Readonly<Record<string, string>> = {}): string {
  const [method = '', target = ''] = line.split(' ')
  const request = parseRequest(
    {
      id: 'r',
      method,
      target,
      rawHeaders: Object.entries({ host: 's3.test', ...headers }).flat(),
      remoteAddress: '',
      body: { length: 0, all: async () => new Uint8Array(), stream: () => (async function* () {})() },
      signal: new AbortController().signal,
    },
    { virtualHostDomains: ['s3.example.org'] },
  )
  if (request instanceof S3Error) throw request
  const route = router.route(request)
  return route instanceof S3Error ? `${route.status} ${route.code}: ${route.message}` : route.operation.name
}

describe('a request means', () => {
  test.each([
    ['GET /', 'ListBuckets'],
    ['GET /?x-id=ListBuckets', 'ListBuckets'],
    ['PUT /b', 'CreateBucket'],
    ['PUT /b/', 'CreateBucket'],
    ['HEAD /b', 'HeadBucket'],
    ['DELETE /b', 'DeleteBucket'],
    ['GET /b', 'ListObjects'],
    ['GET /b?prefix=acl&delimiter=/', 'ListObjects'],
    ['GET /b?list-type=2', 'ListObjectsV2'],
    ['GET /b?versions', 'ListObjectVersions'],
    ['GET /b?uploads', 'ListMultipartUploads'],
    ['GET /b?location=', 'GetBucketLocation'],
    ['POST /b?delete', 'DeleteObjects'],
    ['PUT /b/k', 'PutObject'],
    ['PUT /b/k?x-id=PutObject', 'PutObject'],
    ['GET /b/k', 'GetObject'],
    ['GET /b/k?partNumber=1', 'GetObject'],
    ['GET /b/k?attributes', 'GetObjectAttributes'],
    ['GET /b/k?uploadId=u', 'ListParts'],
    ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['POST /b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['POST /b/k?uploads', 'CreateMultipartUpload'],
    ['DELETE /b/k?uploadId=u', 'AbortMultipartUpload'],
    ['DELETE /b/k?tagging', 'DeleteObjectTagging'],
    ['GET /b//', 'GetObject'],
    // Not of S3: what a proxy or a browser adds means nothing.
    ['GET /b/k?utm_source=x&_=1', 'GetObject'],
    ['GET /b/k?id=7', 'GetObject'],
  ])('%s: %s', (line, name) => expect(routed(line)).toBe(name))

  test('PUT with a copy source: a copy', () => {
    const copy = { 'x-amz-copy-source': 'b/k' }
    expect(routed('PUT /b/k', copy)).toBe('CopyObject')
    expect(routed('PUT /b/k?partNumber=1&uploadId=u', copy)).toBe('UploadPartCopy')
  })

  test('in virtual-host style, the same', () => {
    const host = { host: 'b.s3.example.org:80' }
    expect([routed('GET /', host), routed('GET /k', host)]).toEqual(['ListObjects', 'GetObject'])
  })
})

describe('never the operation without the sub-resource', () => {
  const subResources =
    'abac accelerate acl analytics annotation append cors encryption intelligent-tiering inventory legal-hold lifecycle logging metadataConfiguration metadataTable metadataInventoryTable metadataJournalTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject replication requestPayment restore retention select session torrent versioning website'.split(
      ' ',
    )
  const base = new Map([
    ['GET /b', 'ListObjects'],
    ['PUT /b', 'CreateBucket'],
    ['DELETE /b', 'DeleteBucket'],
    ['HEAD /b', 'HeadBucket'],
    ['POST /b', 'PostObject'],
    ['GET /b/k', 'GetObject'],
    ['PUT /b/k', 'PutObject'],
    ['DELETE /b/k', 'DeleteObject'],
    ['HEAD /b/k', 'HeadObject'],
    ['POST /b/k', ''],
    ['GET /', 'ListBuckets'],
    ['PUT /', ''],
    ['DELETE /', ''],
  ])

  test.each(subResources)('?%s', (name) => {
    for (const line of base.keys()) {
      const answer = routed(`${line}?${name}`)
      if (answer === 'GetBucketVersioning' && line === 'GET /b') continue
      expect(answer, line).toMatch(/^(501 NotImplemented|405 MethodNotAllowed): /)
    }
  })

  test('says what Amazon S3 says: 405 where another method has it, 501 where nobody here has', () => {
    expect(routed('GET /b?policy')).toBe('501 NotImplemented: The operation GetBucketPolicy is not implemented')
    expect(routed('PUT /b/k?renameObject')).toBe('501 NotImplemented: The operation RenameObject is not implemented')
    expect(routed('DELETE /b?versioning')).toMatch(/^405 /)
    expect(routed('POST /b/k')).toMatch(/^405 /)
    expect(routed('PUT /')).toMatch(/^405 /)
    expect(routed('PATCH /b/k')).toMatch(/^405 /)
    expect(routed('POST /b')).toBe('501 NotImplemented: The operation PostObject is not implemented')
  })

  test('nor half an operation', () => {
    expect(routed('PUT /b/k?partNumber=1')).toMatch(/^400 InvalidRequest/)
    expect(routed('PUT /b/k?uploadId=u')).toMatch(/^400 InvalidRequest/)
    expect(routed('PUT /b/k?versionId=v')).toMatch(/^400 InvalidRequest/)
    expect(routed('HEAD /b/k?uploadId=u')).toMatch(/^400 InvalidRequest/)
    expect(routed('DELETE /b?versionId=v')).toMatch(/^400 InvalidRequest/)
  })

  test('nor one of two', () => {
    expect(routed('GET /b?tagging&location')).toMatch(/^400 InvalidRequest: Conflicting query string parameters: /)
    expect(routed('DELETE /b/k?tagging&uploadId=u')).toMatch(/^400 InvalidRequest/)
    expect(routed('PUT /b/k?tagging&acl')).not.toBe('PutObject')
  })

  test('nor one that an SDK did not mean', () => {
    expect(routed('GET /?x-id=ListDirectoryBuckets')).toMatch(/^501 /)
    expect(routed('GET /?x-id=ListDirectoryBuckets&max-directory-buckets=10')).toMatch(/^501 /)
  })
})

describe('the records', () => {
  test('have a name each, and no two mean the same request', () => {
    const names = [...operations, ...absentOperations].map(({ name, method }) => `${method} ${name}`)
    expect(new Set(names).size).toBe(names.length)
    const addresses = [...operations, ...absentOperations].map(({ method, level, query, header }) =>
      JSON.stringify([method, level, [...query].toSorted(), header]),
    )
    expect(new Set(addresses).size).toBe(addresses.length)
  })

  test('write headers in lower case', () => {
    for (const { headers } of operations) expect(headers).toEqual(headers.map((name) => name.toLowerCase()))
  })
})
