/** Requests as the host hands them over, for tests. */

import { StoreError } from '@o3/common/errors'
import type { HttpBody, HttpRequest } from '@o3/protocol-bus/api'
import { S3Error } from '../../src/core/errors/s3-error.ts'
import { parseRequest } from '../../src/core/request/s3-request.ts'
import type { S3Request } from '../../src/core/request/s3-request.ts'

export interface RequestSketch {
  readonly method?: string
  readonly target?: string
  /** Pairs, so that a name may come twice. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: HttpBody
}

export function httpRequest({
  method = 'GET',
  target = '/',
  headers = [],
  body = bodyOf([]),
}: RequestSketch): HttpRequest {
  return {
    id: 'request-1',
    method,
    target,
    rawHeaders: headers.flat(),
    remoteAddress: '127.0.0.1',
    body,
    signal: new AbortController().signal,
  }
}

/** Parsed, where the sketch is of a good one. A host is added where there is none. */
export function s3Request(sketch: RequestSketch, virtualHostDomains: readonly string[] = []): S3Request {
  const headers = sketch.headers ?? []
  const hasHost = headers.some(([name]) => name.toLowerCase() === 'host')
  const request = parseRequest(
    httpRequest({ ...sketch, headers: hasHost ? headers : [['Host', 'localhost:9878'], ...headers] }),
    { virtualHostDomains },
  )
  if (request instanceof S3Error) throw request
  return request
}

/**
 * A body in these pieces. `length` is what Content-Length says. The memory of a piece is used again once the next one
 * is asked for, as the contract allows.
 */
export function bodyOf(pieces: readonly Uint8Array[], length: number | undefined = sizeOf(pieces)): HttpBody {
  return {
    length,
    all(limit) {
      if (sizeOf(pieces) > limit) return Promise.reject(new StoreError('TooLarge', 'the body is too large'))
      return Promise.resolve(Buffer.concat(pieces))
    },
    async *stream() {
      for (const piece of pieces) {
        const lent = new Uint8Array(piece)
        yield lent
        lent.fill(0xee)
      }
    },
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
