/** The query parameters that listings share. */

import { invalidArgument } from '../core/errors/s3-error.ts'
import { parseDecimal } from '../core/request/decimal.ts'
import type { S3Request } from '../core/request/s3-request.ts'

export interface ListParameters {
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  readonly encoding: 'url' | 'none'
}

/** Rows of a page at most, whatever a client asks for. */
export const maxRows = 1000

/** Throws `InvalidArgument`. */
export function listParameters({ query }: S3Request): ListParameters {
  return { prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '', encoding: encodingOf(query) }
}

function encodingOf(query: ReadonlyMap<string, string>): 'url' | 'none' {
  const encoding = query.get('encoding-type')
  if (encoding === undefined || encoding === '') return 'none'
  if (encoding.toLowerCase() === 'url') return 'url'
  throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', encoding)
}

/** `max-keys` and its like: `max` where it is absent or larger. Throws `InvalidArgument` for what is no count. */
export function countOf(request: S3Request, name: string, max = maxRows): number {
  return parseCount(request.query.get(name), name, max)
}

/** The same for a count that comes as a header. */
export function parseCount(value: string | undefined, name: string, max: number): number {
  if (value === undefined || value === '') return max
  const count = parseDecimal(value, 2 ** 31 - 1)
  if (count === undefined) throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, value)
  return Math.min(count, max)
}
