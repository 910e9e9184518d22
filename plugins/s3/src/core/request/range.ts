/** `Range` and `x-amz-copy-source-range`. */

import type { RangeRequest } from '@o3/protocol-bus/api'
import { invalidArgument } from '../errors/s3-error.ts'
import type { S3Error } from '../errors/s3-error.ts'

/**
 * One range of bytes. Undefined asks for the whole object: no header, several ranges, another unit, or rubbish, which
 * RFC 9110 §14.2 lets a server ignore and S3 does. Whether it fits the object is judged where the object's size is known.
 */
export function parseRange(value: string | undefined): RangeRequest | undefined {
  if (value === undefined) return undefined
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(value)
  if (match === null) return undefined
  const first = match[1] as string
  const last = match[2] as string
  if (first === '') return last === '' ? undefined : { kind: 'suffix', length: clamped(last) }
  const start = clamped(first)
  if (last === '') return { kind: 'from-to', start }
  const inclusiveEnd = clamped(last)
  // RFC 9110 §14.1.1: a last byte before the first makes the range invalid, which is not unsatisfiable.
  return inclusiveEnd < start ? undefined : { kind: 'from-to', start, end: inclusiveEnd + 1 }
}

/** Strict: `bytes=first-last`, both given, else `InvalidArgument`. End is exclusive in the result. */
export function parseCopyRange(value: string): { readonly start: number; readonly end: number } | S3Error {
  const match = /^bytes=(\d+)-(\d+)$/.exec(value)
  const start = clamped(match?.[1] ?? '1')
  const inclusiveEnd = clamped(match?.[2] ?? '0')
  if (inclusiveEnd < start) {
    return invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      'x-amz-copy-source-range',
      value,
    )
  }
  return { start, end: inclusiveEnd + 1 }
}

/** No object is that large: a greater number means the same. */
const farEnd = Number.MAX_SAFE_INTEGER - 1

function clamped(digits: string): number {
  return Math.min(Number(digits), farEnd)
}
