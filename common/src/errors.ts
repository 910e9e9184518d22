/**
 * The one error vocabulary of O3. A refusal in pure code is a value (`Refusal`); at a service edge, and for operating
 * failures, it is a `StoreError`. A bug is `assert`.
 *
 * Category and retry follow from the code, in the table below, so that no throw site decides them. Errors cross the
 * wire as `ErrorRecord`, never as text to parse.
 */

export type ErrorCategory =
  | 'invalid' // the caller's request is wrong; the same request will always fail
  | 'denied'
  | 'not-found'
  | 'conflict' // the state of the namespace forbids it now
  | 'limit' // a quota or a bound
  | 'unavailable' // try again, perhaps elsewhere
  | 'unknown-outcome' // it may or may not have happened; retry with the same request id
  | 'damaged' // stored bytes failed verification
  | 'unsupported'
  | 'internal'

export type RetryAdvice = 'never' | 'same-request' | 'after-delay'

const table = {
  InvalidArgument: ['invalid', 'never'],
  InvalidName: ['invalid', 'never'],
  KeyTooLong: ['invalid', 'never'],
  InvalidRange: ['invalid', 'never'],
  InvalidPart: ['invalid', 'never'],
  InvalidPartOrder: ['invalid', 'never'],
  PartTooSmall: ['invalid', 'never'],
  TooLarge: ['invalid', 'never'],
  DigestMismatch: ['invalid', 'never'],
  IncompleteBody: ['invalid', 'never'],
  Aborted: ['invalid', 'never'],
  Unauthenticated: ['denied', 'never'],
  AccessDenied: ['denied', 'never'],
  VolumeNotFound: ['not-found', 'never'],
  BucketNotFound: ['not-found', 'never'],
  KeyNotFound: ['not-found', 'never'],
  UploadNotFound: ['not-found', 'never'],
  UserNotFound: ['not-found', 'never'],
  AccessKeyNotFound: ['not-found', 'never'],
  ContainerNotFound: ['not-found', 'never'],
  BlockNotFound: ['not-found', 'never'],
  VolumeAlreadyExists: ['conflict', 'never'],
  BucketAlreadyExists: ['conflict', 'never'],
  KeyAlreadyExists: ['conflict', 'never'],
  UserAlreadyExists: ['conflict', 'never'],
  VolumeNotEmpty: ['conflict', 'never'],
  BucketNotEmpty: ['conflict', 'never'],
  DirectoryNotEmpty: ['conflict', 'never'],
  UserInUse: ['conflict', 'never'],
  PreconditionFailed: ['conflict', 'never'],
  NotModified: ['conflict', 'never'],
  ConcurrentChange: ['conflict', 'same-request'],
  LeaseExpired: ['conflict', 'never'],
  QuotaExceeded: ['limit', 'never'],
  TooManyEntries: ['limit', 'never'],
  OutOfSpace: ['limit', 'after-delay'],
  Busy: ['unavailable', 'after-delay'],
  NotLeader: ['unavailable', 'same-request'],
  Unavailable: ['unavailable', 'after-delay'],
  DeadlineExceeded: ['unknown-outcome', 'same-request'],
  OutcomeUnknown: ['unknown-outcome', 'same-request'],
  Closed: ['unavailable', 'after-delay'],
  VolumeFailed: ['unavailable', 'after-delay'],
  Damaged: ['damaged', 'never'],
  Incompatible: ['damaged', 'never'],
  NotImplemented: ['unsupported', 'never'],
  Internal: ['internal', 'never'],
} as const satisfies Record<string, readonly [ErrorCategory, RetryAdvice]>

/** Every condition that O3 reports, in every protocol. Each plugin maps all of them (`satisfies Record<StoreErrorCode, …>`). */
export type StoreErrorCode = keyof typeof table

/** All codes, for generated references and for tests that must cover each. */
export const storeErrorCodes = Object.keys(table) as readonly StoreErrorCode[]

/** JSON-safe facts about an error: names, sizes, offsets. Never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>

/** An error as data: what crosses a wire or comes back from pure code. */
export interface ErrorRecord {
  readonly code: StoreErrorCode
  /** One sentence for the person who caused it; no secret, no internal path. */
  readonly message: string
  readonly details?: ErrorDetails
}

/** What a pure function returns when it says no. */
export interface Refusal extends ErrorRecord {
  readonly kind: 'refusal'
}

/** Builds the value that a plan returns to say no. */
export function refuse(code: StoreErrorCode, message: string, details?: ErrorDetails): Refusal {
  return details === undefined ? { kind: 'refusal', code, message } : { kind: 'refusal', code, message, details }
}

export function categoryOf(code: StoreErrorCode): ErrorCategory {
  return table[code][0]
}

export function retryOf(code: StoreErrorCode): RetryAdvice {
  return table[code][1]
}

/** The exception of service edges. Its identity is `code`; there are no subclasses. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  readonly details: ErrorDetails

  constructor(
    code: StoreErrorCode,
    publicMessage: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StoreError'
    this.code = code
    this.details = options.details ?? {}
  }

  get category(): ErrorCategory {
    return categoryOf(this.code)
  }

  get retry(): RetryAdvice {
    return retryOf(this.code)
  }

  /** Safe to show to the caller. */
  get publicMessage(): string {
    return this.message
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, details: this.details }
  }

  static fromRecord(record: ErrorRecord): StoreError {
    return new StoreError(record.code, record.message, record.details === undefined ? {} : { details: record.details })
  }

  /** At edges only: whatever was thrown, as a `StoreError`; a stranger becomes `Internal` with the original as cause. */
  static from(thrown: unknown): StoreError {
    if (thrown instanceof StoreError) return thrown
    return new StoreError('Internal', 'internal error', { cause: thrown })
  }
}

/** True for a `StoreError` with one of these codes. */
export function isStoreError(thrown: unknown, ...codes: readonly StoreErrorCode[]): thrown is StoreError {
  return thrown instanceof StoreError && (codes.length === 0 || codes.includes(thrown.code))
}

/** A failed assertion is a bug: it is never caught and turned into an answer; the process stops. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(`assertion failed: ${message}`)
    this.name = 'AssertionError'
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (condition !== true && !condition) throw new AssertionError(message)
}

/** For the `default` of an exhaustive switch: the compiler refuses a call that can be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}
