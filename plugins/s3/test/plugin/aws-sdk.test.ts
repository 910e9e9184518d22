/** What the AWS SDK for JavaScript sends when nobody configures it must work as it is. */

import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  NoSuchKey,
  paginateListObjectsV2,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { digestOf } from '@o3/common/digest/node'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { credentials, httpServer } from './http-server.ts'
import type { HttpServer } from './http-server.ts'

let server: HttpServer
let s3: S3Client
const Bucket = 'bkt'

beforeAll(async () => {
  server = await httpServer()
  s3 = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
  })
  await s3.send(new CreateBucketCommand({ Bucket }))
})

afterAll(async () => {
  s3.destroy()
  await server.stop()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function bytesOf(Key: string): Promise<Uint8Array> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  return Body!.transformToByteArray()
}

/** What an operation was refused with: `404 NoSuchKey`. */
async function refusal(request: Promise<unknown>): Promise<string> {
  try {
    await request
    return 'nothing'
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    return `${error.$metadata.httpStatusCode} ${error.name}`
  }
}

describe('buckets', () => {
  test('are created, headed, listed', async () => {
    const head = await s3.send(new HeadBucketCommand({ Bucket }))
    expect(head.BucketRegion).toBe('us-east-1')
    const list = await s3.send(new ListBucketsCommand({}))
    expect(list.Buckets?.map(({ Name }) => Name)).toContain(Bucket)
    expect(list.Buckets?.[0]?.CreationDate).toBeInstanceOf(Date)
    expect(await refusal(s3.send(new HeadBucketCommand({ Bucket: 'nowhere' })))).toMatch(/^404 /)
  })
})

describe('objects', () => {
  test('a text: with a CRC32 in a header, verified on the way back', async () => {
    const put = await s3.send(
      new PutObjectCommand({ Bucket, Key: 'text', Body: 'hällo', ContentType: 'text/plain', Metadata: { a: '1' } }),
    )
    expect([put.ChecksumCRC32, put.ChecksumType]).toEqual([expect.stringMatching(/^.{8}$/), 'FULL_OBJECT'])
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'text' }))
    expect([await got.Body!.transformToString(), got.ContentType, got.Metadata, got.ChecksumCRC32]).toEqual([
      'hällo',
      'text/plain',
      { a: '1' },
      put.ChecksumCRC32,
    ])
  })

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'a stream: in chunks with a trailing %s',
    async (ChecksumAlgorithm) => {
      const bytes = randomBytes(300_000)
      const Body = Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)])
      const put = await s3.send(
        new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: bytes.length, ChecksumAlgorithm }),
      )
      expect(put.ETag).toBe(`"${createHash('md5').update(bytes).digest('hex')}"`)
      expect(put[`Checksum${ChecksumAlgorithm}`]).toBeDefined()
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'stream', ChecksumMode: 'ENABLED' }))
      expect([head.ContentLength, head.ContentEncoding]).toEqual([bytes.length, undefined])
      expect(head[`Checksum${ChecksumAlgorithm}`]).toBe(put[`Checksum${ChecksumAlgorithm}`])
      expect(sha256(await bytesOf('stream'))).toBe(sha256(bytes))
    },
  )

  test('an empty one', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: new Uint8Array() }))
    expect((await bytesOf('empty')).length).toBe(0)
  })

  test('ranges and conditions', async () => {
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'r', Body: '0123456789' }))
    const part = await s3.send(new GetObjectCommand({ Bucket, Key: 'r', Range: 'bytes=2-4' }))
    expect([await part.Body!.transformToString(), part.ContentRange]).toEqual(['234', 'bytes 2-4/10'])
    expect(await refusal(s3.send(new GetObjectCommand({ Bucket, Key: 'r', Range: 'bytes=10-' })))).toBe(
      '416 InvalidRange',
    )
    expect(await refusal(s3.send(new GetObjectCommand({ Bucket, Key: 'r', IfNoneMatch: ETag })))).toMatch(/^304 /)
    const again = new PutObjectCommand({ Bucket, Key: 'r', Body: 'x', IfNoneMatch: '*' })
    expect(await refusal(s3.send(again))).toBe('412 PreconditionFailed')
    expect(await refusal(s3.send(new PutObjectCommand({ Bucket, Key: 'r', Body: 'x', IfMatch: ETag })))).toBe('nothing')
  })

  test('what is missing is NoSuchKey, in the SDK’s own class', async () => {
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'missing' }))).rejects.toBeInstanceOf(NoSuchKey)
    expect(await refusal(s3.send(new HeadObjectCommand({ Bucket, Key: 'missing' })))).toBe('404 NotFound')
  })

  test('are copied, tagged, described and deleted', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'src ä', Body: 'x', Tagging: 'a=1' }))
    const CopySource = `${Bucket}/${encodeURIComponent('src ä')}`
    const copy = await s3.send(new CopyObjectCommand({ Bucket, Key: 'dst', CopySource }))
    expect(copy.CopyObjectResult?.ETag).toBe(`"${createHash('md5').update('x').digest('hex')}"`)
    await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'dst', Tagging: { TagSet: [{ Key: 'b', Value: '2' }] } }))
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'dst' }))
    expect(TagSet).toEqual([{ Key: 'b', Value: '2' }])
    const attributes = await s3.send(
      new GetObjectAttributesCommand({ Bucket, Key: 'dst', ObjectAttributes: ['ETag', 'ObjectSize', 'StorageClass'] }),
    )
    expect([attributes.ObjectSize, attributes.StorageClass]).toEqual([1, 'STANDARD'])
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'dst' }))
    expect(await refusal(s3.send(new HeadObjectCommand({ Bucket, Key: 'dst' })))).toBe('404 NotFound')
  })

  test('odd names round-trip through listings and DeleteObjects', async () => {
    const keys = ['odd/a+b c', 'odd/ä<&">\'', 'odd/\r\n', 'odd//x', 'odd/..', 'odd/%2F', 'odd/\u{1F600}']
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    const found: string[] = []
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: 'odd/' })) {
      found.push(...(page.Contents ?? []).map(({ Key }) => Key!))
    }
    expect(found).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    const versions = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'odd/' }))
    const Objects = versions.Versions!.map(({ Key, VersionId }) => ({ Key, VersionId }))
    const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    expect([gone.Deleted?.length, gone.Errors]).toEqual([keys.length, undefined])
    const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'odd/' }))
    expect(KeyCount).toBe(0)
  })
})

describe('multipart', () => {
  test('by lib-storage, from a stream of unknown length', async () => {
    const bytes = randomBytes(11 * 1024 * 1024)
    const pieces = Array.from({ length: 11 }, (_, i) => bytes.subarray(i * 1024 ** 2, (i + 1) * 1024 ** 2))
    const upload = new Upload({ client: s3, params: { Bucket, Key: 'large', Body: Readable.from(pieces) } })
    const done = await upload.done()
    expect([done.ETag, done.ChecksumType]).toEqual([expect.stringMatching(/^"[0-9a-f]{32}-3"$/), 'COMPOSITE'])
    expect(done.Location).toBe(`${server.endpoint}/${Bucket}/large`)
    expect(sha256(await bytesOf('large'))).toBe(sha256(bytes))
    const part = await s3.send(new GetObjectCommand({ Bucket, Key: 'large', PartNumber: 2, ChecksumMode: 'ENABLED' }))
    expect(part.PartsCount).toBe(3)
    const second = await part.Body!.transformToByteArray()
    expect(sha256(second)).toBe(sha256(bytes.subarray(5 * 1024 ** 2, 10 * 1024 ** 2)))
  })

  test('by hand, with a copied part and a checksum of the whole', async () => {
    const first = randomBytes(5 * 1024 * 1024)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'part-source', Body: 'the end' }))
    const created = await s3.send(
      new CreateMultipartUploadCommand({
        Bucket,
        Key: 'joined',
        ChecksumAlgorithm: 'CRC64NVME',
        ChecksumType: 'FULL_OBJECT',
      }),
    )
    const { UploadId } = created
    const at = { Bucket, Key: 'joined', UploadId }
    const one = await s3.send(
      new UploadPartCommand({ ...at, PartNumber: 1, Body: first, ChecksumAlgorithm: 'CRC64NVME' }),
    )
    const two = await s3.send(new UploadPartCopyCommand({ ...at, PartNumber: 2, CopySource: `${Bucket}/part-source` }))
    const listed = await s3.send(new ListPartsCommand(at))
    expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, first.length],
      [2, 7],
    ])
    expect([listed.Initiator?.ID, listed.Owner?.ID, listed.ChecksumAlgorithm]).toEqual(['admin', 'admin', 'CRC64NVME'])
    const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'joined' }))
    expect(uploads.Uploads?.map((upload) => upload.UploadId)).toEqual([UploadId])
    const Parts = [one.ETag, two.CopyPartResult!.ETag].map((ETag, i) => ({ ETag, PartNumber: i + 1 }))
    const done = await s3.send(new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts } }))
    expect([done.ChecksumType, done.ChecksumCRC64NVME]).toEqual(['FULL_OBJECT', expect.stringMatching(/^.{12}$/)])
    expect(sha256(await bytesOf('joined'))).toBe(sha256(Buffer.concat([first, Buffer.from('the end')])))
  })

  test('given up leaves nothing', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'given-up' }))
    await s3.send(new UploadPartCommand({ Bucket, Key: 'given-up', UploadId, PartNumber: 1, Body: 'x' }))
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'given-up', UploadId }))
    const uploads = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'given-up' }))
    expect(uploads.Uploads).toBeUndefined()
  })
})

describe('presigned', () => {
  test('GET, and PUT of what the signer did not know, with an unsigned content-type', async () => {
    const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'signed' }))
    const stored = await fetch(put, { method: 'PUT', body: 'by fetch', headers: { 'content-type': 'text/plain' } })
    expect(stored.status).toBe(200)
    const get = await getSignedUrl(
      s3,
      new GetObjectCommand({ Bucket, Key: 'signed', ResponseContentType: 'text/html' }),
    )
    const got = await fetch(get)
    expect([await got.text(), got.headers.get('content-type')]).toEqual(['by fetch', 'text/html'])
    const ChecksumCRC32 = Buffer.from(digestOf('crc32', Buffer.from('promised'))).toString('base64')
    const promised = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'promised', ChecksumCRC32 }))
    expect((await fetch(promised, { method: 'PUT', body: 'another' })).status).toBe(400)
    expect((await fetch(promised, { method: 'PUT', body: 'promised' })).status).toBe(200)
    const stolen = await fetch(get.replace('/signed?', '/large?'))
    expect(stolen.status).toBe(403)
  })

  test('hoisted headers count: metadata, tags and conditions of the URL', async () => {
    const put = await getSignedUrl(
      s3,
      new PutObjectCommand({ Bucket, Key: 'hoisted', Metadata: { a: '1' }, Tagging: 't=1', StorageClass: 'GLACIER' }),
    )
    expect((await fetch(put, { method: 'PUT', body: 'x' })).status).toBe(400)
    const fine = await getSignedUrl(
      s3,
      new PutObjectCommand({ Bucket, Key: 'hoisted', Metadata: { a: '1' }, Tagging: 't=1' }),
    )
    expect((await fetch(fine, { method: 'PUT', body: 'x' })).status).toBe(200)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'hoisted' }))
    expect(head.Metadata).toEqual({ a: '1' })
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'hoisted' }))
    expect(TagSet).toEqual([{ Key: 't', Value: '1' }])
  })
})
