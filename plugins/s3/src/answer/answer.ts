/** Answers that say yes. Headers are flat, as the host writes them: name, value, name, value. */

import type { HttpResponse } from '@o3/protocol-bus/api'
import type { Call } from '../operations/operation.ts'

/** What every answer starts with. The caller goes on pushing. */
export function baseHeaders(call: Call): string[] {
  return ['x-amz-request-id', call.request.id, 'x-amz-id-2', call.gateway.hostId]
}

/** 204: done, and nothing to say. */
export function noContent(call: Call): HttpResponse {
  return { status: 204, headers: baseHeaders(call) }
}

/** 200 without a body. `headers` start with `baseHeaders`. */
export function emptyAnswer(headers: string[]): HttpResponse {
  headers.push('content-length', '0')
  return { status: 200, headers }
}

/** 200 with a document. */
export function documentAnswer(call: Call, document: string, headers = baseHeaders(call)): HttpResponse {
  headers.push('content-type', 'application/xml', 'content-length', String(Buffer.byteLength(document)))
  return { status: 200, headers, body: document }
}
