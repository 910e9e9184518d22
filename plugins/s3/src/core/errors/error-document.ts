/** The document and the response that tell a client of an error. */

import type { HttpResponse } from '@o3/protocol-bus/api'
import type { S3Error } from './s3-error.ts'

export interface ErrorAddress {
  readonly requestId: string
  readonly hostId: string
  /** The path as the client sent it. */
  readonly resource: string
}

/** `<Error><Code/><Message/>…<Resource/><RequestId/><HostId/></Error>`, no namespace. */
export declare function errorDocument(error: S3Error, address: ErrorAddress): string
/** With `x-amz-request-id` and `x-amz-id-2`; to HEAD, and as a 304, without a body. */
export declare function errorResponse(error: S3Error, method: string, address: ErrorAddress): HttpResponse
