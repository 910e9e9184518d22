/**
 * Conditional requests: RFC 9110 §13.2.2, in its order, and S3's reading of it. Both the store and the reference use
 * this file: it is a pure table of cases, tested as one, and what the random programs compare is how the two *keep* keys.
 */

import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { Preconditions, ReadConditions } from '../api/api.ts'

/** What conditions look at. */
export interface Validators {
  readonly etag: string
  readonly modifiedMs: number
}

/**
 * Judges a read. Steps as in the RFC: If-Match, else If-Unmodified-Since; then If-None-Match, else If-Modified-Since.
 * `PreconditionFailed` or `NotModified`, both with the key's etag and modifiedMs in the details.
 */
export function judgeRead(conditions: ReadConditions, key: Validators): Refusal | undefined {
  if (!passesMatch(conditions, key)) return failed(key)
  if (conditions.ifNoneMatch !== undefined) {
    return names(conditions.ifNoneMatch, key.etag) ? notModified(key) : undefined
  }
  const since = conditions.ifModifiedSinceMs
  if (since !== undefined && wholeSeconds(key.modifiedMs) <= since) return notModified(key)
  return undefined
}

/** Judges the source of a copy: as a read, but what would be *not modified* has failed, since there is nothing to reuse. */
export function judgeCopySource(conditions: ReadConditions, key: Validators): Refusal | undefined {
  return judgeRead(conditions, key) === undefined ? undefined : failed(key)
}

/**
 * Judges a write or a delete against the key that is there. `KeyNotFound` where If-Match names a key that is not (S3
 * answers 404 and not 412), else `PreconditionFailed`.
 */
export function judgeWrite(conditions: Preconditions, key: Validators | undefined): Refusal | undefined {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifMatch !== undefined) {
    if (key === undefined) return refuse('KeyNotFound', 'no such key')
    if (!names(ifMatch, key.etag)) return failed(key)
  }
  if (ifNoneMatch !== undefined && key !== undefined && names(ifNoneMatch, key.etag)) return failed(key)
  return undefined
}

function passesMatch(conditions: ReadConditions, key: Validators): boolean {
  if (conditions.ifMatch !== undefined) return names(conditions.ifMatch, key.etag)
  const since = conditions.ifUnmodifiedSinceMs
  return since === undefined || wholeSeconds(key.modifiedMs) <= since
}

function names(etags: readonly string[] | '*', etag: string): boolean {
  return etags === '*' || etags.includes(etag)
}

/** HTTP dates have no fractions: a key changed at 12:00:00.700 is shown as 12:00:00 and must match that date. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

function failed(key: Validators): Refusal {
  return refuse('PreconditionFailed', 'a precondition did not hold', { etag: key.etag, modifiedMs: key.modifiedMs })
}

function notModified(key: Validators): Refusal {
  return refuse('NotModified', 'the key has not changed', { etag: key.etag, modifiedMs: key.modifiedMs })
}
