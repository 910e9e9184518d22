/** Concurrent S3 clients that write, overwrite, copy, upload in parts and delete, and tell the oracle what was answered. */

import type { Agent } from 'node:http'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Server } from '../harness/server.ts'
import { bytesOf } from './oracle.ts'
import type { Oracle, Version } from './oracle.ts'

export const crashBucket = 'crash'
const keysPerWorker = 12
const partBytes = 5 * 1024 * 1024

/** What the workers ask for. */
export interface Mix {
  readonly sizes: readonly number[]
  /** Of the requests, those that upload in parts. */
  readonly multiparts: number
}

/** Inline, at the inline limit and just over it, one message, several chunks. */
const wholeMix: Mix = {
  sizes: [0, 1, 200, 4096, 4097, 20_000, 300_000, 1_048_576, 1_048_577, 3_000_000],
  multiparts: 0.05,
}

/** Where moving bytes is slow, and many small requests say more than a few large ones. */
export const lightMix: Mix = { sizes: [0, 1, 200, 200, 4096, 4097, 4097, 20_000, 20_000, 300_000], multiparts: 0.002 }

export interface ConnectOptions {
  /** Default 1: a retry would hide what became of the first try. A reader that waits for what comes back may have some. */
  readonly attempts?: number
  /** Where the server may go without a word, the connections are the caller's to end. */
  readonly agent?: Agent
}

export function connect(
  server: Pick<Server, 'endpoint' | 'accessKey' | 'secretKey'>,
  { attempts = 1, agent }: ConnectOptions = {},
): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: attempts,
    ...(agent === undefined ? {} : { requestHandler: { httpAgent: agent } }),
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
  })
}

/** Works until `stopped` says so or the server is gone. */
export async function worker(
  client: S3Client,
  oracle: Oracle,
  id: number,
  stopped: () => boolean,
  { sizes, multiparts }: Mix = wholeMix,
): Promise<void> {
  while (!stopped()) {
    const key = keyOf(id, Math.floor(Math.random() * keysPerWorker))
    const size = sizes[Math.floor(Math.random() * sizes.length)] ?? 0
    const chance = Math.random()
    const alive =
      chance < 0.7
        ? await put(client, oracle, key, size)
        : chance < 0.85
          ? await remove(client, oracle, key)
          : chance < 1 - multiparts
            ? await copy(client, oracle, key, keyOf(id, keysPerWorker))
            : await multipart(client, oracle, key)
    if (!alive) return
  }
}

function keyOf(worker: number, index: number): string {
  // A few directories deep, so that directory rows come and go.
  return `w${worker}/${index % 3}/${index % 2 === 0 ? 'deep/er/' : ''}key-${index}`
}

/** False when the server did not answer: what became of the request is unknown. */
async function judged(oracle: Oracle, key: string, version: Version, request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    oracle.acknowledge(key, version)
    return true
  } catch (error) {
    // 5xx is an answer, but not one that says what was done.
    const refused = error instanceof S3ServiceException && (error.$metadata.httpStatusCode ?? 500) < 500
    if (refused) oracle.refuse(key)
    return refused
  }
}

function put(client: S3Client, oracle: Oracle, Key: string, size: number): Promise<boolean> {
  const version = oracle.nextVersion(size)
  oracle.attempt(Key, version)
  return judged(
    oracle,
    Key,
    version,
    client.send(new PutObjectCommand({ Bucket: crashBucket, Key, Body: bytesOf(version) })),
  )
}

function remove(client: S3Client, oracle: Oracle, Key: string): Promise<boolean> {
  oracle.attempt(Key, undefined)
  return judged(oracle, Key, undefined, client.send(new DeleteObjectCommand({ Bucket: crashBucket, Key })))
}

/** A put of the source and a copy of it: both share blocks from then on, and either may be deleted first. */
async function copy(client: S3Client, oracle: Oracle, Key: string, source: string): Promise<boolean> {
  const version = oracle.nextVersion(200_000)
  oracle.attempt(source, version)
  const body = { Bucket: crashBucket, Key: source, Body: bytesOf(version) }
  if (!(await judged(oracle, source, version, client.send(new PutObjectCommand(body))))) return false
  oracle.attempt(Key, version)
  const command = new CopyObjectCommand({ Bucket: crashBucket, Key, CopySource: `${crashBucket}/${source}` })
  return judged(oracle, Key, version, client.send(command))
}

async function multipart(client: S3Client, oracle: Oracle, Key: string): Promise<boolean> {
  const version = oracle.nextVersion(partBytes + 1234)
  const bytes = bytesOf(version)
  const target = { Bucket: crashBucket, Key }
  let completing: Promise<unknown>
  try {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target))
    const pieces = [bytes.subarray(0, partBytes), bytes.subarray(partBytes)]
    const Parts = await Promise.all(
      pieces.map(async (Body, index) => {
        const PartNumber = index + 1
        const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }))
        return { PartNumber, ETag }
      }),
    )
    oracle.attempt(Key, version)
    completing = client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }))
  } catch {
    // Nothing was asked to become visible yet.
    return false
  }
  return judged(oracle, Key, version, completing)
}

/** Reads every key that was ever written and compares the listing. */
export async function verify(client: S3Client, oracle: Oracle): Promise<void> {
  const keys = [...oracle.keys]
  const reader = async (): Promise<void> => {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) oracle.observe(key, await read(client, key))
  }
  await Promise.all(Array.from({ length: 8 }, reader))
  const listed = await list(client)
  const present = oracle.present()
  const missing = present.filter((key) => !listed.has(key))
  const surplus = [...listed].filter((key) => !present.includes(key))
  for (const key of missing) oracle.findings.push({ key, problem: 'can be read and is not listed' })
  for (const key of surplus) oracle.findings.push({ key, problem: 'is listed and should be absent' })
}

async function read(client: S3Client, Key: string): Promise<Uint8Array | undefined> {
  try {
    const answer = await client.send(new GetObjectCommand({ Bucket: crashBucket, Key }))
    return await answer.Body?.transformToByteArray()
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return undefined
    throw error
  }
}

async function list(client: S3Client): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  let token: string | undefined
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: crashBucket, ...(token === undefined ? {} : { ContinuationToken: token }) }),
    )
    for (const { Key } of page.Contents ?? []) keys.add(Key ?? '')
    token = page.NextContinuationToken
  } while (token !== undefined)
  return keys
}
