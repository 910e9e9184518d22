/** An answer of S3 that says no. Pure code returns it, code at the edges throws it: it is the same value. */

import { s3ErrorTable } from './codes.ts'
import type { S3ErrorCode } from './codes.ts'

export interface S3ErrorOptions {
  /** Instead of the table's text. Safe to show to the caller. */
  readonly message?: string
  /** Further elements of the document by name, such as `BucketName`, in order. */
  readonly elements?: Readonly<Record<string, string>>
  /** Further response headers, lower-case, such as `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

export class S3Error extends Error {
  readonly code: S3ErrorCode
  readonly status: number
  readonly elements: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>

  constructor(code: S3ErrorCode, options: S3ErrorOptions = {}) {
    const [status, message] = s3ErrorTable[code]
    super(options.message ?? message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'S3Error'
    this.code = code
    this.status = status
    this.elements = options.elements ?? {}
    this.headers = options.headers ?? {}
  }
}

/** `InvalidArgument` in S3's shape: which argument, and what was given. */
export function invalidArgument(message: string, name: string, value: string): S3Error {
  return new S3Error('InvalidArgument', { message, elements: { ArgumentName: name, ArgumentValue: value } })
}

/** `InvalidRequest` with one of its many texts. */
export function invalidRequest(message: string): S3Error {
  return new S3Error('InvalidRequest', { message })
}
