/** The document and the response that tell a client of an error. */

import type { HttpResponse } from '@o3/protocol-bus/api'
import { element, xmlDeclaration } from '../xml/text.ts'
import type { S3Error } from './s3-error.ts'

export interface ErrorAddress {
  /** The same in the document and in the header `x-amz-request-id`: clients report it, and suites compare the two. */
  readonly requestId: string
  readonly hostId: string
  /** The path as the client sent it. */
  readonly resource: string
}

/** `<Error><Code/><Message/>…<Resource/><RequestId/><HostId/></Error>`, no namespace. */
export function errorDocument(error: S3Error, address: ErrorAddress): string {
  let text = `${xmlDeclaration}<Error>${element('Code', error.code)}${element('Message', error.message)}`
  for (const name in error.elements) text += element(name, error.elements[name] as string)
  return `${text}${element('Resource', address.resource)}${element('RequestId', address.requestId)}${element('HostId', address.hostId)}</Error>`
}

/** With `x-amz-request-id` and `x-amz-id-2`; to HEAD, and as a 304, without a body. */
export function errorResponse(error: S3Error, method: string, address: ErrorAddress): HttpResponse {
  const headers = ['x-amz-request-id', address.requestId, 'x-amz-id-2', address.hostId]
  for (const name in error.headers) headers.push(name, error.headers[name] as string)
  if (error.status === 304) return { status: error.status, headers }
  headers.push('content-type', 'application/xml')
  if (method === 'HEAD') return { status: error.status, headers }
  return { status: error.status, headers, body: errorDocument(error, address) }
}
