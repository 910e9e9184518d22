/** The body of a request that carries a document: all of it, decoded and checked. */

import type { HttpBody } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import type { S3Request } from '../core/request/s3-request.ts'

export interface DocumentOptions {
  /** `MaxMessageLengthExceeded` above. */
  readonly limit: number
  /** The operation insists on Content-MD5 or a checksum (`InvalidRequest`), as DeleteObjects does. */
  readonly digest: 'required' | 'optional'
}

/** Empty for no body. Throws `S3Error`. */
export declare function readDocument(
  body: HttpBody,
  request: S3Request,
  authenticated: Authenticated,
  options: DocumentOptions,
): Promise<Uint8Array>
