/**
 * What an operation of S3 is: a record that says which requests are its own, what it reads of them, and what answers.
 * The router and the compatibility page are made from the records; nothing else knows which operations there are.
 */

import type { Clock } from '@o3/common/env'
import type { Action, BucketRef, HttpBody, HttpResponse, KeyRef, O3Session } from '@o3/protocol-bus/api'
import type { Authenticated } from '../auth/authenticate.ts'
import type { S3Config } from '../config.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import type { S3Request } from '../core/request/s3-request.ts'

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
/** What the path names: nothing, a bucket, or an object in one. */
export type Level = 'service' | 'bucket' | 'object'

/** Which requests mean the operation. Of two that fit, the one that asks for more wins. */
export interface OperationAddress {
  /** As in the API reference of Amazon S3. */
  readonly name: string
  readonly method: Method
  readonly level: Level
  /** The query parameters that must be there. */
  readonly query: readonly string[]
  /** A header that must be there too: what tells CopyObject from PutObject. */
  readonly header?: string
}

export interface Operation extends OperationAddress {
  /** Further query parameters that it reads. One that means something to S3 and is not named is refused. */
  readonly parameters: readonly string[]
  /** The headers that it honours among those that mean something (`router/header-rules.ts`); the others are refused. */
  readonly headers: readonly string[]
  /** What the session demands a grant for. Written here for the reader: it is the session that asks. */
  readonly action: Action | readonly Action[]
  /** How it differs from Amazon S3, a sentence each. They stand on the compatibility page. */
  readonly notes?: readonly string[]
  /** Answers, or throws `S3Error` or `StoreError`. */
  readonly handle: (call: Call) => Promise<HttpResponse>
}

/** What all calls share. */
export interface Gateway {
  readonly config: S3Config
  readonly clock: Clock
  /** `x-amz-id-2`: which gateway answered. */
  readonly hostId: string
  /** The error that a request is answered with for what was thrown; what is the server's own fault is logged. */
  refusal(request: S3Request, thrown: unknown): S3Error
}

/** One authenticated request on its way through one operation. */
export interface Call {
  readonly gateway: Gateway
  readonly request: S3Request
  readonly body: HttpBody
  readonly signal: AbortSignal
  readonly authenticated: Authenticated
  readonly session: O3Session
}

/** The bucket that the request names. Only for operations whose level is not `service`. */
export function bucketOf(call: Call): BucketRef {
  return { volume: call.gateway.config.volume, bucket: call.request.bucket as string }
}

/** The object that the request names. Only for operations whose level is `object`. */
export function keyOf(call: Call): KeyRef {
  const { bucket, key } = call.request
  return { volume: call.gateway.config.volume, bucket: bucket as string, key: key as string }
}

/** The value, or throws the error that pure code answered instead. */
export function accepted<T>(outcome: T): Exclude<T, S3Error> {
  if (outcome instanceof S3Error) throw outcome
  return outcome as Exclude<T, S3Error>
}
