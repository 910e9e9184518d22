/** The query of a target: its parameters, in order, each once. */

import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { decodeQueryPart } from './percent.ts'

export interface QueryParameter {
  /** Decoded. Names that start with `x-amz-` are lower-case, whatever the client wrote. */
  readonly name: string
  /** Decoded; empty for `?acl` and for `?acl=`. */
  readonly value: string
}

export interface Query {
  /** In order. */
  readonly parameters: readonly QueryParameter[]
  readonly values: ReadonlyMap<string, string>
}

/**
 * A parameter that comes twice is refused, known or not: two readers of such a query (a proxy and we, the signature and
 * the operation) could each take another one.
 */
export function parseQuery(raw: string): Query | S3Error {
  if (raw === '') return emptyQuery
  const pairs = parsePairs(raw)
  if (pairs === undefined) return new S3Error('InvalidURI')
  const values = new Map<string, string>()
  const parameters: QueryParameter[] = []
  for (const pair of pairs) {
    const parameter = isAmzName(pair.name) ? { name: pair.name.toLowerCase(), value: pair.value } : pair
    if (values.has(parameter.name)) {
      return invalidArgument('This query parameter may be given only once', parameter.name, parameter.value)
    }
    parameters.push(parameter)
    values.set(parameter.name, parameter.value)
  }
  return { parameters, values }
}

/** `a=1&b=2` taken apart and decoded, in order. Undefined where an escape is broken or is not UTF-8. */
export function parsePairs(raw: string): QueryParameter[] | undefined {
  const pairs: QueryParameter[] = []
  let start = 0
  while (start < raw.length) {
    const ampersand = raw.indexOf('&', start)
    const end = ampersand < 0 ? raw.length : ampersand
    if (end > start) {
      const pair = parsePair(raw, start, end)
      if (pair === undefined) return undefined
      pairs.push(pair)
    }
    start = end + 1
  }
  return pairs
}

const emptyQuery: Query = { parameters: [], values: new Map() }

function parsePair(raw: string, start: number, end: number): QueryParameter | undefined {
  const equals = raw.indexOf('=', start)
  const nameEnd = equals < 0 || equals > end ? end : equals
  const name = decodeQueryPart(raw.slice(start, nameEnd))
  const value = nameEnd === end ? '' : decodeQueryPart(raw.slice(nameEnd + 1, end))
  if (name === undefined || value === undefined) return undefined
  return { name, value }
}

/** `X-Amz-…` in any case: parameters that are headers by nature. */
function isAmzName(name: string): boolean {
  const first = name.charCodeAt(0)
  return (first === 0x58 || first === 0x78) && name.length > 6 && name.slice(0, 6).toLowerCase() === 'x-amz-'
}
