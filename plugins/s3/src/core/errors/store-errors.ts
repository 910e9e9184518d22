/** From O3's errors to S3's: total, and the compiler holds it so. */

import { StoreError } from '@o3/common/errors'
import type { StoreErrorCode } from '@o3/common/errors'
import { formatHttpDate } from '../request/http-date.ts'
import type { S3ErrorCode } from './codes.ts'
import { S3Error } from './s3-error.ts'
import type { S3ErrorOptions } from './s3-error.ts'

/** What the request named: fills `BucketName`, `Key` and `UploadId` of the documents that carry them. */
export interface ErrorContext {
  readonly bucket?: string
  readonly key?: string
  readonly uploadId?: string
}

type Build = (error: StoreError, context: ErrorContext) => S3Error

/** The S3 error for a store's. */
export function s3ErrorOf(error: StoreError, context: ErrorContext): S3Error {
  return map[error.code](error, context)
}

/**
 * At the edge of a request: whatever was thrown. An `S3Error` comes back as it is, also as the cause of what a store
 * wrapped around it (a body that failed its check while the store was reading it); a stranger is `InternalError`.
 */
export function s3ErrorFrom(thrown: unknown, context: ErrorContext): S3Error {
  let inner = thrown
  for (let depth = 0; depth < maxCauseDepth && inner instanceof Error; depth++) {
    if (inner instanceof S3Error) return inner
    inner = inner.cause
  }
  return s3ErrorOf(StoreError.from(thrown), context)
}

const maxCauseDepth = 8

const retryAfterSeconds = '1'

/** The table's own text. */
const plain =
  (code: S3ErrorCode, elements?: (error: StoreError, context: ErrorContext) => Elements): Build =>
  (error, context) =>
    new S3Error(code, withElements({ cause: error }, elements?.(error, context)))

/** The store's sentence: it names what S3's text cannot know, such as which quota. */
const told =
  (code: S3ErrorCode): Build =>
  (error) =>
    new S3Error(code, { message: error.publicMessage, cause: error })

/** The client should come back: SDKs retry a 503 by themselves, and wait as long as they are told. */
const later =
  (code: S3ErrorCode): Build =>
  (error) =>
    new S3Error(code, { cause: error, headers: { 'retry-after': retryAfterSeconds } })

type Elements = Readonly<Record<string, string>>

const bucketName = (error: StoreError, context: ErrorContext): Elements =>
  named({ BucketName: context.bucket ?? error.details['bucket'] })
const keyName = (error: StoreError, context: ErrorContext): Elements =>
  named({ Key: context.key ?? error.details['key'] })

const map = {
  InvalidArgument: told('InvalidArgument'),
  InvalidName: (error, context) =>
    context.key === undefined
      ? plain('InvalidBucketName', bucketName)(error, context)
      : told('InvalidURI')(error, context),
  KeyTooLong: plain('KeyTooLongError', () => ({ MaxSizeAllowed: '1024' })),
  InvalidRange: (error, context) => plain(rangeCode(error), rangeElements)(error, context),
  InvalidPart: plain('InvalidPart', (error, context) =>
    named({ UploadId: context.uploadId, PartNumber: error.details['number'], ETag: error.details['etag'] }),
  ),
  InvalidPartOrder: plain('InvalidPartOrder', (_, context) => named({ UploadId: context.uploadId })),
  PartTooSmall: plain('EntityTooSmall', (error) =>
    named({
      ProposedSize: error.details['size'],
      MinSizeAllowed: error.details['minPartBytes'],
      PartNumber: error.details['number'],
      ETag: error.details['etag'],
    }),
  ),
  TooLarge: plain('EntityTooLarge'),
  DigestMismatch: plain('BadDigest'),
  IncompleteBody: plain('IncompleteBody'),
  // The client is gone, or the server stops: nobody reads this, and a proxy in between may try again.
  Aborted: plain('RequestTimeout'),
  Unauthenticated: plain('AccessDenied'),
  AccessDenied: plain('AccessDenied'),
  // A bucket of S3 lives in a volume that its user does not know of.
  VolumeNotFound: plain('NoSuchBucket', bucketName),
  BucketNotFound: plain('NoSuchBucket', bucketName),
  KeyNotFound: plain('NoSuchKey', keyName),
  UploadNotFound: plain('NoSuchUpload', (_, context) => named({ UploadId: context.uploadId })),
  UserNotFound: plain('InvalidAccessKeyId'),
  AccessKeyNotFound: plain('InvalidAccessKeyId'),
  // These two are never the caller's doing: a name led to bytes that are not there.
  ContainerNotFound: plain('InternalError'),
  BlockNotFound: plain('InternalError'),
  VolumeAlreadyExists: plain('BucketAlreadyExists', bucketName),
  BucketAlreadyExists: plain('BucketAlreadyExists', bucketName),
  KeyAlreadyExists: plain('PreconditionFailed'),
  UserAlreadyExists: told('OperationAborted'),
  VolumeNotEmpty: plain('BucketNotEmpty', bucketName),
  BucketNotEmpty: plain('BucketNotEmpty', bucketName),
  DirectoryNotEmpty: told('OperationAborted'),
  UserInUse: told('OperationAborted'),
  PreconditionFailed: plain('PreconditionFailed', (error) => named({ Condition: error.details['condition'] })),
  NotModified: (error) => new S3Error('NotModified', { cause: error, headers: validators(error) }),
  ConcurrentChange: plain('ConditionalRequestConflict', keyName),
  // The blocks of the body were given back before the commit came; sending the body again gets new ones.
  LeaseExpired: later('ServiceUnavailable'),
  QuotaExceeded: told('QuotaExceeded'),
  TooManyEntries: told('InvalidRequest'),
  // S3 has no such answer, because it never fills up. 507 is WebDAV's (RFC 4918 §11.5); clients do not retry it, and
  // an administrator who reads it knows what to do.
  OutOfSpace: plain('InsufficientStorage'),
  Busy: later('SlowDown'),
  NotLeader: later('ServiceUnavailable'),
  Unavailable: later('ServiceUnavailable'),
  // It may have happened. Everything that S3 writes may be sent twice, so the client is told to.
  DeadlineExceeded: later('ServiceUnavailable'),
  OutcomeUnknown: later('ServiceUnavailable'),
  Closed: later('ServiceUnavailable'),
  VolumeFailed: later('ServiceUnavailable'),
  Damaged: plain('InternalError'),
  Incompatible: plain('InternalError'),
  NotImplemented: told('NotImplemented'),
  Internal: plain('InternalError'),
} as const satisfies Record<StoreErrorCode, Build>

/** A part that is not there is a range that is not there, with another name. */
function rangeCode(error: StoreError): S3ErrorCode {
  return error.details['parts'] === undefined ? 'InvalidRange' : 'InvalidPartNumber'
}

function rangeElements(error: StoreError): Elements {
  return named({ ActualObjectSize: error.details['size'], ActualPartCount: error.details['parts'] })
}

/** RFC 9110 §15.4.5: a 304 carries what a 200 would say of the representation. */
function validators({ details }: StoreError): Elements {
  const { etag, modifiedMs } = details as { readonly etag?: unknown; readonly modifiedMs?: unknown }
  return named({
    etag: typeof etag === 'string' ? `"${etag}"` : undefined,
    'last-modified': typeof modifiedMs === 'number' ? formatHttpDate(modifiedMs) : undefined,
  })
}

function named(elements: Readonly<Record<string, string | number | boolean | undefined>>): Elements {
  const present: Record<string, string> = {}
  for (const name in elements) {
    const value = elements[name]
    if (value !== undefined) present[name] = String(value)
  }
  return present
}

function withElements(options: S3ErrorOptions, elements: Elements | undefined): S3ErrorOptions {
  return elements === undefined ? options : { ...options, elements }
}
