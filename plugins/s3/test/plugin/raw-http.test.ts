/** What only shows on a socket: who is told to go on, and what is left behind by those who do not. */

import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentials, httpServer } from './http-server.ts'
import type { HttpServer } from './http-server.ts'

let server: HttpServer
let s3: S3Client

beforeAll(async () => {
  server = await httpServer()
  s3 = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
  })
  await s3.send(new CreateBucketCommand({ Bucket: 'bkt' }))
})

afterAll(async () => {
  s3.destroy()
  await server.stop()
})

const size = 1024 * 1024

/** The head of a signed PUT of 1 MiB that waits for `100 Continue`. */
async function head(Bucket: string, Key: string): Promise<string> {
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key })))
  return `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${size}\r\nExpect: 100-continue\r\n\r\n`
}

interface Conversation {
  readonly socket: Socket
  /** Resolves with all that was received once it holds `text`; rejects when the server hangs up before. */
  receives(text: string): Promise<string>
}

function converse(): Conversation {
  const socket = connect(server.port, server.host)
  let received = ''
  let wake = (): void => undefined
  let ended = false
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1')
    wake()
  })
  socket.on('close', () => {
    ended = true
    wake()
  })
  return {
    socket,
    receives: (text) =>
      new Promise((resolve, reject) => {
        wake = () => {
          if (received.includes(text)) resolve(received)
          else if (ended) reject(new Error(`closed after ${JSON.stringify(received)}`))
        }
        wake()
      }),
  }
}

test('who may write is told to go on', async () => {
  const { socket, receives } = converse()
  socket.write(await head('bkt', 'k'))
  await receives('HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(Buffer.alloc(size))
  expect(await receives('\r\n\r\nHTTP/1.1 200 OK')).toContain('HTTP/1.1 100')
  socket.destroy()
})

test('who writes into nowhere is told so at once, and sends nothing', async () => {
  const { socket, receives } = converse()
  socket.write(await head('nowhere', 'k'))
  const answer = await receives('</Error>')
  expect(answer).toMatch(/^HTTP\/1\.1 404 /)
  expect(answer).toContain('<Code>NoSuchBucket</Code>')
  socket.destroy()
})

test('who breaks off leaves nothing behind', async () => {
  const { socket, receives } = converse()
  socket.write(await head('bkt', 'broken'))
  await receives('HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(Buffer.alloc(size / 2))
  socket.destroy()
  // The next whole upload is stored behind it.
  await s3.send(new PutObjectCommand({ Bucket: 'bkt', Key: 'whole', Body: 'x' }))
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'bkt' }))
  expect(Contents?.map(({ Key }) => Key)).not.toContain('broken')
})

test('what is no HTTP is refused in XML, with a request id', async () => {
  const { socket, receives } = converse()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n')
  const answer = await receives('</Error>')
  expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*x-amz-request-id: \w+[^]*<Code>InvalidRequest<\/Code>/)
})

test('a chunk that is none is refused at once, also when it comes in one piece with the head', async () => {
  const { socket, receives } = converse()
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'bkt', Key: 'malformed' })))
  socket.write(
    `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n`,
  )
  expect(await receives('</Error>')).toMatch(/^HTTP\/1\.1 400 [^]*<Code>IncompleteBody<\/Code>/)
  socket.destroy()
})
