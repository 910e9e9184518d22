/** Puts a response on the wire: one with all its bytes at hand in one write, a stream piece by piece. */

import type { ServerResponse } from 'node:http'
import { assert, StoreError } from '@o3/common/errors'
import type { HttpResponse } from '../api/api.ts'

export interface WriteOptions {
  /** A HEAD request: the head says what a GET would, and no body follows. */
  readonly headOnly: boolean
  /** No further request on this connection. */
  readonly close: boolean
}

/** The head and, where there are any, all bytes; nothing is ended yet. */
export interface WholeResponse {
  readonly headers: readonly string[]
  readonly body: Uint8Array | string | undefined
}

/** Statuses that never have a body (RFC 9110 §6.4.1). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304
}

/**
 * What is written when the bytes are at hand; undefined for a stream. Content-Length is added where it is missing: else
 * Node would send a small body in chunks. A stated one that is not true is a bug.
 */
export function wholeResponse(response: HttpResponse, { headOnly, close }: WriteOptions): WholeResponse | undefined {
  const { body, status } = response
  if (isStream(body) && !headOnly) return undefined
  const headers = close ? [...response.headers, 'Connection', 'close'] : response.headers
  if (isBodiless(status) || isStream(body)) return { headers, body: undefined }
  const sent = headOnly ? undefined : body
  const stated = contentLengthOf(headers)
  // Of what a GET would answer, a HEAD need not know the length.
  if (headOnly && (body === undefined || stated !== undefined)) return { headers, body: sent }
  const length = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length
  if (stated === undefined) return { headers: [...headers, 'Content-Length', String(length)], body: sent }
  assert(stated === String(length), `a response states ${stated} bytes and has ${length}`)
  return { headers, body: sent }
}

export function isStream(body: HttpResponse['body']): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && !(body instanceof Uint8Array)
}

/**
 * Writes head and pieces; resolves with the bytes written after the last was handed to the connection. A piece is taken
 * only when the one before has left this process, since its memory may be used again. Rejects when the stream does, when
 * its length is not the stated one, and with `Aborted` when the client goes away: the connection must then be cut.
 */
export async function writeStream(target: ServerResponse, response: HttpResponse, close: boolean): Promise<number> {
  const pieces = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const stated = contentLengthOf(response.headers)
  let written = 0
  try {
    target.writeHead(response.status, headersOf(response.headers, close))
    for (let result = await pieces.next(); result.done !== true; result = await pieces.next()) {
      written += result.value.length
      if (stated !== undefined && written > Number(stated)) break
      await writePiece(target, result.value)
    }
  } catch (error) {
    await release(pieces)
    throw error
  }
  if (stated !== undefined && written !== Number(stated)) {
    await release(pieces)
    throw new StoreError('Internal', `a stream had ${written} bytes where ${stated} were stated`)
  }
  return written
}

/** The writer is done with the pieces; a source that fails to let go has already failed the response. */
async function release(pieces: AsyncIterator<Uint8Array>): Promise<void> {
  await pieces.return?.().catch(() => undefined)
}

function headersOf(headers: readonly string[], close: boolean): string[] {
  return close ? [...headers, 'Connection', 'close'] : [...headers]
}

function contentLengthOf(headers: readonly string[]): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 14 && name.toLowerCase() === 'content-length') return headers[i + 1]
  }
  return undefined
}

/** Resolves when the operating system has the bytes. */
function writePiece(target: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (target.destroyed || target.closed) {
      reject(gone())
      return
    }
    const onClose = (): void => reject(gone())
    target.once('close', onClose)
    target.write(piece, (error) => {
      target.removeListener('close', onClose)
      if (error === undefined || error === null) resolve()
      else reject(gone(error))
    })
  })
}

function gone(cause?: unknown): StoreError {
  return new StoreError('Aborted', 'the client went away', cause === undefined ? {} : { cause })
}
