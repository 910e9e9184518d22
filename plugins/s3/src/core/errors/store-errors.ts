/** From O3's errors to S3's: total, and the compiler holds it so. */

import type { StoreError, StoreErrorCode } from '@o3/common/errors'
import type { S3ErrorCode } from './codes.ts'
import { S3Error } from './s3-error.ts'

/** What the request named: fills `BucketName`, `Key` and `UploadId` of the documents that carry them. */
export interface ErrorContext {
  readonly bucket?: string
  readonly key?: string
  readonly uploadId?: string
}

/** The S3 error for a store's. */
export declare function s3ErrorOf(error: StoreError, context: ErrorContext): S3Error
/**
 * At the edge of a request: whatever was thrown. An `S3Error` comes back as it is, also as the cause of what a store
 * wrapped around it (a body that failed its check while the store was reading it); a stranger is `InternalError`.
 */
export declare function s3ErrorFrom(thrown: unknown, context: ErrorContext): S3Error

export type StoreErrorMap = Readonly<Record<StoreErrorCode, S3ErrorCode>>
