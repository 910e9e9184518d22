import { StoreError, storeErrorCodes } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'
import { XMLParser } from 'fast-xml-parser'
import { describe, expect, test } from 'vitest'
import { s3ErrorCodes, s3ErrorTable } from '../../src/core/errors/codes.ts'
import { errorDocument, errorResponse } from '../../src/core/errors/error-document.ts'
import { invalidArgument, S3Error } from '../../src/core/errors/s3-error.ts'
import { s3ErrorFrom, s3ErrorOf } from '../../src/core/errors/store-errors.ts'

const address = { requestId: 'R1', hostId: 'H1', resource: '/bucket/a&b' }
const read = (document: string): Record<string, unknown> =>
  new XMLParser({ parseTagValue: false }).parse(document).Error as Record<string, unknown>

describe('every S3 error', () => {
  test.each(s3ErrorCodes)('%s has a status, a sentence and a document', (code) => {
    const error = new S3Error(code)
    expect(error.status).toBe(s3ErrorTable[code][0])
    expect(error.status === 304 || (error.status >= 400 && error.status < 600)).toBe(true)
    expect(read(errorDocument(error, address))).toEqual({
      Code: code,
      Message: error.message,
      Resource: '/bucket/a&b',
      RequestId: 'R1',
      HostId: 'H1',
    })
  })
})

describe('every store error', () => {
  /** What a client sees of each, without details. */
  const table: Readonly<Record<StoreErrorCode, readonly [number, string]>> = {
    InvalidArgument: [400, 'InvalidArgument'],
    InvalidName: [400, 'InvalidBucketName'],
    KeyTooLong: [400, 'KeyTooLongError'],
    InvalidRange: [416, 'InvalidRange'],
    InvalidPart: [400, 'InvalidPart'],
    InvalidPartOrder: [400, 'InvalidPartOrder'],
    PartTooSmall: [400, 'EntityTooSmall'],
    TooLarge: [400, 'EntityTooLarge'],
    DigestMismatch: [400, 'BadDigest'],
    IncompleteBody: [400, 'IncompleteBody'],
    Aborted: [400, 'RequestTimeout'],
    Unauthenticated: [403, 'AccessDenied'],
    AccessDenied: [403, 'AccessDenied'],
    VolumeNotFound: [404, 'NoSuchBucket'],
    BucketNotFound: [404, 'NoSuchBucket'],
    KeyNotFound: [404, 'NoSuchKey'],
    UploadNotFound: [404, 'NoSuchUpload'],
    UserNotFound: [403, 'InvalidAccessKeyId'],
    AccessKeyNotFound: [403, 'InvalidAccessKeyId'],
    ContainerNotFound: [500, 'InternalError'],
    BlockNotFound: [500, 'InternalError'],
    VolumeAlreadyExists: [409, 'BucketAlreadyExists'],
    BucketAlreadyExists: [409, 'BucketAlreadyExists'],
    KeyAlreadyExists: [412, 'PreconditionFailed'],
    UserAlreadyExists: [409, 'OperationAborted'],
    VolumeNotEmpty: [409, 'BucketNotEmpty'],
    BucketNotEmpty: [409, 'BucketNotEmpty'],
    DirectoryNotEmpty: [409, 'OperationAborted'],
    UserInUse: [409, 'OperationAborted'],
    PreconditionFailed: [412, 'PreconditionFailed'],
    NotModified: [304, 'NotModified'],
    ConcurrentChange: [409, 'ConditionalRequestConflict'],
    LeaseExpired: [503, 'ServiceUnavailable'],
    QuotaExceeded: [403, 'QuotaExceeded'],
    TooManyEntries: [400, 'InvalidRequest'],
    OutOfSpace: [507, 'InsufficientStorage'],
    Busy: [503, 'SlowDown'],
    NotLeader: [503, 'ServiceUnavailable'],
    Unavailable: [503, 'ServiceUnavailable'],
    DeadlineExceeded: [503, 'ServiceUnavailable'],
    OutcomeUnknown: [503, 'ServiceUnavailable'],
    Closed: [503, 'ServiceUnavailable'],
    VolumeFailed: [503, 'ServiceUnavailable'],
    Damaged: [500, 'InternalError'],
    Incompatible: [500, 'InternalError'],
    NotImplemented: [501, 'NotImplemented'],
    Internal: [500, 'InternalError'],
  }

  test.each(storeErrorCodes)('%s', (code) => {
    const thrown = new StoreError(code, 'the sentence of the store')
    const error = s3ErrorOf(thrown, {})
    expect([error.status, error.code]).toEqual(table[code])
    expect(error.cause).toBe(thrown)
    // Who is told to come back is told when.
    expect(error.headers['retry-after']).toBe(error.status === 503 ? '1' : undefined)
  })

  test.each<[StoreErrorCode, Record<string, string | number>, Record<string, string>]>([
    ['BucketNotFound', {}, { BucketName: 'photos' }],
    ['KeyNotFound', { key: 'other' }, { Key: 'a/b' }],
    ['UploadNotFound', {}, { UploadId: 'u1' }],
    ['InvalidPart', { number: 7, etag: 'e' }, { UploadId: 'u1', PartNumber: '7', ETag: 'e' }],
    [
      'PartTooSmall',
      { size: 1, minPartBytes: 5_242_880, number: 1, etag: 'e' },
      { ProposedSize: '1', MinSizeAllowed: '5242880', PartNumber: '1', ETag: 'e' },
    ],
    ['InvalidRange', { size: 10 }, { ActualObjectSize: '10' }],
    ['PreconditionFailed', { condition: 'If-Match', etag: 'e' }, { Condition: 'If-Match' }],
  ])('%s says which', (code, details, elements) => {
    const error = s3ErrorOf(new StoreError(code, '', { details }), { bucket: 'photos', key: 'a/b', uploadId: 'u1' })
    expect(error.elements).toEqual(elements)
  })

  test('a bad name of a key is not one of a bucket', () => {
    expect(s3ErrorOf(new StoreError('InvalidName', ''), { bucket: 'b', key: 'k' }).code).toBe('InvalidURI')
  })

  test('a part that is not there is told from a range that is not', () => {
    const error = s3ErrorOf(new StoreError('InvalidRange', '', { details: { size: 1, parts: 2 } }), {})
    expect([error.status, error.code, error.elements['ActualPartCount']]).toEqual([416, 'InvalidPartNumber', '2'])
  })

  test('which quota is used up is said', () => {
    expect(s3ErrorOf(new StoreError('QuotaExceeded', 'the bucket may hold 5 keys'), {}).message).toBe(
      'the bucket may hold 5 keys',
    )
  })

  test('what an internal error says stays inside', () => {
    const error = s3ErrorOf(new StoreError('Damaged', 'disk /srv/a, container 7', { details: { path: '/srv/a' } }), {})
    expect(errorDocument(error, address)).not.toContain('/srv')
  })
})

describe('whatever was thrown', () => {
  const inner = new S3Error('BadDigest')

  test.each([
    ['an S3 error', inner, 'BadDigest'],
    ['one that a store wrapped', new StoreError('Internal', '', { cause: inner }), 'BadDigest'],
    ['one wrapped twice', new Error('x', { cause: new StoreError('Aborted', '', { cause: inner }) }), 'BadDigest'],
    ['a store error', new StoreError('KeyNotFound', ''), 'NoSuchKey'],
    ['a stranger', new TypeError('x is not a function'), 'InternalError'],
    ['no error at all', 'oops', 'InternalError'],
    ['nothing', undefined, 'InternalError'],
  ])('%s', (_, thrown, code) => {
    expect(s3ErrorFrom(thrown, {}).code).toBe(code)
  })

  test('also an error that is its own cause', () => {
    const loop = new Error('loop')
    loop.cause = loop
    expect(s3ErrorFrom(loop, {}).code).toBe('InternalError')
  })
})

describe('the response', () => {
  test('carries the same request id twice, and the elements in order', () => {
    const error = invalidArgument('Not that', 'prefix', '<&>\r\0')
    const response = errorResponse(error, 'GET', address)
    expect(response).toEqual({
      status: 400,
      headers: ['x-amz-request-id', 'R1', 'x-amz-id-2', 'H1', 'content-type', 'application/xml'],
      body:
        '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<Error><Code>InvalidArgument</Code><Message>Not that</Message><ArgumentName>prefix</ArgumentName>' +
        '<ArgumentValue>&lt;&amp;&gt;&#xD;&#x0;</ArgumentValue><Resource>/bucket/a&amp;b</Resource>' +
        '<RequestId>R1</RequestId><HostId>H1</HostId></Error>',
    })
  })

  test('has no body for HEAD, but its headers', () => {
    const response = errorResponse(s3ErrorOf(new StoreError('Busy', ''), {}), 'HEAD', address)
    expect(response).toEqual({
      status: 503,
      headers: ['x-amz-request-id', 'R1', 'x-amz-id-2', 'H1', 'retry-after', '1', 'content-type', 'application/xml'],
    })
  })

  test('as 304 has no body and says what has not changed', () => {
    const details = { etag: 'abc', modifiedMs: Date.UTC(2013, 4, 24) }
    const response = errorResponse(s3ErrorOf(new StoreError('NotModified', '', { details }), {}), 'GET', address)
    expect(response).toEqual({
      status: 304,
      headers: [
        'x-amz-request-id',
        'R1',
        'x-amz-id-2',
        'H1',
        'etag',
        '"abc"',
        'last-modified',
        'Fri, 24 May 2013 00:00:00 GMT',
      ],
    })
  })
})
