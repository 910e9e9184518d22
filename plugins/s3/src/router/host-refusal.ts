/** What never becomes a request (unparsable HTTP, too many headers, a stall, overload), answered in S3's words. */

import type { HttpResponse } from '@o3/protocol-bus/api'
import { errorResponse } from '../core/errors/error-document.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import type { S3ErrorCode } from '../core/errors/codes.ts'

export interface HostRefusal {
  /** What the host would answer. */
  readonly status: number
  readonly reason: string
  readonly requestId: string
  readonly hostId: string
}

/** With S3's status, which is not always the host's: S3 knows no 408 and no 431. */
export function hostRefusal({ status, reason, requestId, hostId }: HostRefusal): HttpResponse {
  const code = codeOf(status)
  // S3 has one sentence for most; what is wrong with a request's framing only the host knows.
  const error = code === 'InvalidRequest' ? new S3Error(code, { message: reason }) : new S3Error(code)
  return errorResponse(error, 'GET', { requestId, hostId, resource: '/' })
}

function codeOf(status: number): S3ErrorCode {
  switch (status) {
    case 408:
      return 'RequestTimeout'
    case 411:
      return 'MissingContentLength'
    case 413:
      return 'EntityTooLarge'
    case 414:
    case 431:
      return 'RequestHeaderSectionTooLarge'
    case 429:
      return 'SlowDown'
    case 501:
      return 'NotImplemented'
    case 503:
      return 'ServiceUnavailable'
    default:
      return status >= 500 ? 'InternalError' : 'InvalidRequest'
  }
}
