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
  readonly parameters: readonly QueryParameter[]
  readonly values: ReadonlyMap<string, string>
}

/**
 * A parameter that comes twice is refused, known or not: two readers of such a query (a proxy and we, the signature and
 * the operation) could each take another one.
 */
export function parseQuery(raw: string): Query | S3Error {
  if (raw === '') return emptyQuery
  const parameters: QueryParameter[] = []
  const values = new Map<string, string>()
  let start = 0
  while (start < raw.length) {
    const ampersand = raw.indexOf('&', start)
    const end = ampersand < 0 ? raw.length : ampersand
    if (end > start) {
      const parameter = parseParameter(raw, start, end)
      if (parameter === undefined) return new S3Error('InvalidURI')
      if (values.has(parameter.name)) {
        return invalidArgument('This query parameter may be given only once', parameter.name, parameter.value)
      }
      parameters.push(parameter)
      values.set(parameter.name, parameter.value)
    }
    start = end + 1
  }
  return { parameters, values }
}

const emptyQuery: Query = { parameters: [], values: new Map() }

function parseParameter(raw: string, start: number, end: number): QueryParameter | undefined {
  const equals = raw.indexOf('=', start)
  const nameEnd = equals < 0 || equals > end ? end : equals
  const name = decodeQueryPart(raw.slice(start, nameEnd))
  const value = nameEnd === end ? '' : decodeQueryPart(raw.slice(nameEnd + 1, end))
  if (name === undefined || value === undefined) return undefined
  return { name: isAmzName(name) ? name.toLowerCase() : name, value }
}

/** `X-Amz-…` in any case: parameters that are headers by nature. */
function isAmzName(name: string): boolean {
  const first = name.charCodeAt(0)
  return (first === 0x58 || first === 0x78) && name.length > 6 && name.slice(0, 6).toLowerCase() === 'x-amz-'
}
