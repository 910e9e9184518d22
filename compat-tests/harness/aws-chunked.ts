/**
 * Bodies in the `aws-chunked` coding, in all its kinds, right or wrong.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */

import { crc32Of } from './digests.ts'
import { head } from './requests.ts'
import type { Server } from './server.ts'
import type { Header } from './sigv4.ts'

export interface ChunkedKind {
  readonly name: string
  readonly payload: string
  readonly signed: boolean
  readonly trailer: boolean
}

export const chunkedKinds: readonly ChunkedKind[] = [
  { name: 'signed', payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', signed: true, trailer: false },
  { name: 'signed, trailer', payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', signed: true, trailer: true },
  { name: 'unsigned, trailer', payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', signed: false, trailer: true },
]

export interface ChunkedUpload {
  readonly kind: ChunkedKind
  readonly target: string
  readonly body: Uint8Array
  readonly chunkBytes: number
  /** What is announced; default: the truth. */
  readonly decodedLength?: number | string
  /** Rearranges what was right: the framed chunks, then the last, empty one with the trailers. */
  readonly arrange?: (pieces: readonly Buffer[]) => readonly Buffer[]
}

export interface EncodedUpload {
  readonly head: Buffer
  readonly body: Buffer
}

export function encodeChunked(server: Server, upload: ChunkedUpload): EncodedUpload {
  const { kind, target, body, arrange = (pieces) => pieces } = upload
  const headers: readonly Header[] = [
    ['content-encoding', 'aws-chunked'],
    ['x-amz-decoded-content-length', String(upload.decodedLength ?? body.length)],
    ...(kind.trailer ? [['x-amz-trailer', 'x-amz-checksum-crc32'] as const] : []),
  ]
  const request = { method: 'PUT', target, headers, payload: kind.payload }
  // The length is not signed: the same head once more, at the same time, with the length that its own chain led to.
  const now = new Date()
  const { chain } = head(server, { ...request, now }).signed
  const frame = (bytes: Uint8Array): Buffer => {
    const signature = kind.signed ? `;chunk-signature=${chain.chunk(bytes)}` : ''
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}${signature}\r\n`), bytes])
  }
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; at += upload.chunkBytes) {
    pieces.push(Buffer.concat([frame(body.subarray(at, at + upload.chunkBytes)), crlf]))
  }
  const end = [frame(new Uint8Array(0))]
  if (kind.trailer) {
    const field = `x-amz-checksum-crc32:${crc32Of(body)}`
    end.push(Buffer.from(`${field}\r\n`))
    if (kind.signed) end.push(Buffer.from(`x-amz-trailer-signature:${chain.trailer(`${field}\n`)}\r\n`))
  }
  const framed = Buffer.concat(arrange([...pieces, Buffer.concat([...end, crlf])]))
  const { text } = head(server, { ...request, now, length: framed.length })
  return { head: Buffer.from(text, 'latin1'), body: framed }
}

const crlf = Buffer.from('\r\n')
