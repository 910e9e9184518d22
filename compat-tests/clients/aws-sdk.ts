import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree, patterned, sha256 } from '../harness/tree.ts'

const bucket = 'aws-sdk-bucket'

function clientOf({ server }: Session): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
  })
}

async function listAll(client: S3Client, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  let token: string | undefined
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
    )
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''))
    token = page.NextContinuationToken
  } while (token !== undefined)
  return keys
}

async function bytesOf(client: S3Client, key: string, range?: string): Promise<Uint8Array> {
  const answer = await client.send(
    new GetObjectCommand({ Bucket: bucket, Key: key, ...(range === undefined ? {} : { Range: range }) }),
  )
  return (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
}

/** The name of the error that `send` must end in. */
async function errorOf(send: Promise<unknown>): Promise<string> {
  try {
    await send
    return 'no error'
  } catch (error) {
    return error instanceof S3ServiceException ? error.name : String(error)
  }
}

/** At most `width` at a time. */
async function forEach<T>(items: readonly T[], width: number, action: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await action(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

export const awsSdk: Suite = {
  name: 'aws-sdk',
  steps: [
    {
      name: 'makes a bucket',
      run: async (s) => void (await clientOf(s).send(new CreateBucketCommand({ Bucket: bucket }))),
    },
    {
      name: 'puts 2,000 files as streams with its default checksums, lists and gets them',
      run: async (s) => {
        const client = clientOf(s)
        const files = readdirSync(s.tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
        await forEach(files, 8, async (file) => {
          const path = join(file.parentPath, file.name)
          const body = statSync(path).size % 2 === 0 ? createReadStream(path) : readFileSync(path)
          const command = {
            Bucket: bucket,
            Key: `tree/${relative(s.tree, path)}`,
            Body: body,
            ContentLength: statSync(path).size,
          }
          await client.send(new PutObjectCommand(command))
        })
        const keys = await listAll(client, 'tree/')
        expect(keys.length === 2000, `${keys.length} are listed`)
        const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        expect(keys.join('\n') === sorted.join('\n'), 'the list is not in byte order')
        await forEach(keys, 8, async (key) => {
          const target = join(s.scratch, key)
          mkdirSync(dirname(target), { recursive: true })
          writeFileSync(target, await bytesOf(client, key))
        })
        expectSameTree(join(s.scratch, 'tree'), s.tree)
      },
    },
    {
      name: 'uploads a 200 MB stream by multipart, reads ranges, a part and the attributes',
      run: async (s) => {
        const client = clientOf(s)
        const bytes = patterned(200 * 1024 * 1024, 13)
        const pieces = Array.from({ length: 200 }, (_, n) => bytes.subarray(n * 1_048_576, (n + 1) * 1_048_576))
        const params = { Bucket: bucket, Key: 'large', Body: Readable.from(pieces), Metadata: { note: 'grün' } }
        await new Upload({ client, params, partSize: 16 * 1024 * 1024 }).done()
        const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'large', ChecksumMode: 'ENABLED' }))
        expect(head.ContentLength === bytes.length && head.ETag?.endsWith('-13"') === true, JSON.stringify(head))
        expect(head.ChecksumCRC32 !== undefined, 'the default checksum was not kept')
        expect(sha256(await bytesOf(client, 'large')) === sha256(bytes), 'the copy differs')
        const middle = await bytesOf(client, 'large', 'bytes=16777210-16777230')
        expect(Buffer.from(middle).equals(bytes.subarray(16_777_210, 16_777_231)), 'a range over a part differs')
        const part = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'large', PartNumber: 2 }))
        expect(part.PartsCount === 13 && part.ContentLength === 16_777_216, JSON.stringify(part.ContentRange))
        await part.Body?.transformToByteArray()
        const attributes = await client.send(
          new GetObjectAttributesCommand({
            Bucket: bucket,
            Key: 'large',
            ObjectAttributes: ['ObjectSize', 'ObjectParts'],
          }),
        )
        expect(attributes.ObjectSize === bytes.length, JSON.stringify(attributes))
      },
    },
    {
      name: 'writes and reads under conditions',
      run: async (s) => {
        const client = clientOf(s)
        const target = { Bucket: bucket, Key: 'conditional' }
        const { ETag } = await client.send(new PutObjectCommand({ ...target, Body: 'one', IfNoneMatch: '*' }))
        const again = await errorOf(client.send(new PutObjectCommand({ ...target, Body: 'two', IfNoneMatch: '*' })))
        const wrong = await errorOf(client.send(new PutObjectCommand({ ...target, Body: 'two', IfMatch: '"no"' })))
        expect(again === 'PreconditionFailed' && wrong === 'PreconditionFailed', `${again} ${wrong}`)
        await client.send(new PutObjectCommand({ ...target, Body: 'two', IfMatch: ETag ?? '' }))
        expect(Buffer.from(await bytesOf(client, 'conditional')).toString() === 'two', 'If-Match did not write')
        const same = await errorOf(client.send(new GetObjectCommand({ ...target, IfNoneMatch: ETag ?? '' })))
        expect(same === 'no error', same)
        const refused = await errorOf(client.send(new DeleteObjectCommand({ ...target, IfMatch: '"no"' })))
        expect(refused === 'PreconditionFailed', refused)
      },
    },
    {
      name: 'copies without moving bytes, and presigns',
      run: async (s) => {
        const client = clientOf(s)
        await client.send(new CopyObjectCommand({ Bucket: bucket, Key: 'copy', CopySource: `${bucket}/large` }))
        const copy = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'copy' }))
        expect(
          copy.ContentLength === 200 * 1024 * 1024 && copy.Metadata?.['note'] === '=?UTF-8?B?Z3LDvG4=?=',
          JSON.stringify(copy),
        )
        const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: 'conditional' }))
        expect((await (await fetch(url)).text()) === 'two', 'the presigned GET differs')
      },
    },
    {
      name: 'names its errors',
      run: async (s) => {
        const client = clientOf(s)
        expect((await errorOf(bytesOf(client, 'absent'))) === 'NoSuchKey', 'NoSuchKey')
        const full = await errorOf(client.send(new DeleteBucketCommand({ Bucket: bucket })))
        expect(full === 'BucketNotEmpty', full)
        const stranger = new S3Client({
          endpoint: s.server.endpoint,
          region: 'us-east-1',
          forcePathStyle: true,
          credentials: { accessKeyId: s.server.accessKey, secretAccessKey: 'not the secret' },
        })
        const denied = await errorOf(stranger.send(new ListObjectsV2Command({ Bucket: bucket })))
        expect(denied === 'SignatureDoesNotMatch', denied)
      },
    },
    {
      name: 'deletes a thousand at a time, then the bucket',
      run: async (s) => {
        const client = clientOf(s)
        for (let keys = await listAll(client); keys.length > 0; keys = await listAll(client)) {
          const Objects = keys.slice(0, 1000).map((Key) => ({ Key }))
          const answer = await client.send(
            new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
          )
          expect((answer.Errors ?? []).length === 0, JSON.stringify(answer.Errors?.slice(0, 3)))
        }
        await client.send(new DeleteBucketCommand({ Bucket: bucket }))
      },
    },
  ],
}
