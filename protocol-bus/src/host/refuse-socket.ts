/** Answers on a connection whose request Node could not parse: there is no response object, so the bytes are written here. */

import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpResponse } from '../api/api.ts'

/** What Node's parser meets, and the status that says so. Everything else that it refuses is a bad request. */
const statusOfError: Readonly<Partial<Record<string, number>>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

export function statusOfParseError(error: NodeJS.ErrnoException): { readonly status: number; readonly reason: string } {
  const status = statusOfError[error.code ?? ''] ?? 400
  const reasons: Readonly<Record<number, string>> = {
    431: 'the header fields are too large',
    413: 'the chunk extensions are too large',
    408: 'the request did not come in time',
  }
  return { status, reason: reasons[status] ?? 'the request is not well-formed HTTP' }
}

/**
 * One whole answer, after which the connection is closed: at once by us, and, since what the client is still sending would
 * turn a close into a reset that may overtake the answer, for good only when `later` runs.
 */
export function refuseSocket(socket: Socket, response: HttpResponse, later: (close: () => void) => void): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = typeof response.body === 'string' ? response.body : ''
  let head = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? 'Error'}\r\n`
  for (let i = 0; i < response.headers.length; i += 2) {
    const name = response.headers[i] as string
    if (name.toLowerCase() !== 'content-length') head += `${name}: ${response.headers[i + 1]}\r\n`
  }
  head += `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`
  socket.end(head + body)
  later(() => socket.destroy())
}
