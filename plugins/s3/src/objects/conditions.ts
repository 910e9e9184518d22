/** The conditions that requests carry (RFC 9110 §13), as the native interface judges them. */

import type { Preconditions, ReadConditions } from '@o3/protocol-bus/api'
import { S3Error } from '../core/errors/s3-error.ts'
import { parseEntityTags } from '../core/request/entity-tags.ts'
import { parseHttpDate } from '../core/request/http-date.ts'
import type { S3Request } from '../core/request/s3-request.ts'

/** The headers of reads, and those that CopyObject and UploadPartCopy have for their source. */
export const readConditionHeaders = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']
export const sourceConditionHeaders = readConditionHeaders.map((name) => `x-amz-copy-source-${name}`)
export const writeConditionHeaders = ['if-match', 'if-none-match']

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Undefined when there is none. A date that cannot be read is no condition (RFC 9110 §13.1.3). */
export function readConditions({ headers }: S3Request, prefix: '' | 'x-amz-copy-source-'): ReadConditions | undefined {
  const match = headers.get(`${prefix}if-match`)
  const noneMatch = headers.get(`${prefix}if-none-match`)
  const modifiedSince = dateOf(headers.get(`${prefix}if-modified-since`))
  const unmodifiedSince = dateOf(headers.get(`${prefix}if-unmodified-since`))
  const conditions: Mutable<ReadConditions> = {}
  if (match !== undefined) conditions.ifMatch = parseEntityTags(match)
  if (noneMatch !== undefined) conditions.ifNoneMatch = parseEntityTags(noneMatch)
  if (modifiedSince !== undefined) conditions.ifModifiedSinceMs = modifiedSince
  if (unmodifiedSince !== undefined) conditions.ifUnmodifiedSinceMs = unmodifiedSince
  for (const _ in conditions) return conditions
  return undefined
}

const unconditional: Preconditions = {}

/**
 * Of a write. S3 knows `If-Match: "etag"` (or `*`: it exists) and `If-None-Match: *` (it does not); another
 * If-None-Match is `NotImplemented`, as there.
 */
export function writeConditions({ headers }: S3Request): Preconditions {
  const match = headers.get('if-match')
  const noneMatch = headers.get('if-none-match')
  if (match === undefined && noneMatch === undefined) return unconditional
  if (noneMatch !== undefined && noneMatch !== '*') {
    throw new S3Error('NotImplemented', { elements: { Header: 'If-None-Match' } })
  }
  const conditions: Mutable<Preconditions> = {}
  if (match !== undefined) conditions.ifMatch = parseEntityTags(match)
  if (noneMatch !== undefined) conditions.ifNoneMatch = '*'
  return conditions
}

/** Of DeleteObject, which has only the one. */
export function deleteConditions({ headers }: S3Request): Preconditions {
  const match = headers.get('if-match')
  return match === undefined ? unconditional : { ifMatch: parseEntityTags(match) }
}

function dateOf(value: string | undefined): number | undefined {
  return value === undefined ? undefined : parseHttpDate(value)
}
