/** A request in S3's terms, from the raw target and the raw headers: each byte of them is read once, here. */

import type { HttpRequest } from '@o3/protocol-bus/api'
import { invalidRequest, S3Error } from '../errors/s3-error.ts'
import { parseAddress } from './address.ts'
import type { Address } from './address.ts'
import { parseHeaders, withHoisted } from './headers.ts'
import { parseQuery } from './query.ts'
import type { QueryParameter } from './query.ts'

export interface S3Request extends Address {
  readonly id: string
  readonly method: string
  /** The raw target, and its two halves; `rawQuery` is without the `?`. */
  readonly target: string
  readonly rawPath: string
  readonly rawQuery: string
  /** As the client wrote it, with the port. */
  readonly host: string
  /** In the order of the target. No name occurs twice. */
  readonly parameters: readonly QueryParameter[]
  readonly query: ReadonlyMap<string, string>
  /** By lower-case name, trimmed, characters 0–255 as bytes. What handlers read: with the hoisted parameters. */
  readonly headers: ReadonlyMap<string, string>
  /** The headers alone, as they came: what a signature covers. */
  readonly wireHeaders: ReadonlyMap<string, string>
  /** Names that came more than once (their values are joined with a comma); none of them may be signed. */
  readonly repeated: ReadonlySet<string>
}

export interface ParseOptions {
  /** Domains whose sub-domains are buckets, lower-case, without a port: `s3.example.org`. */
  readonly virtualHostDomains: readonly string[]
}

/** `InvalidURI`, `InvalidRequest`, `InvalidArgument`, `InvalidBucketName` (an empty one), `NotImplemented`. */
export function parseRequest(http: HttpRequest, options: ParseOptions): S3Request | S3Error {
  const { target } = http
  // Only the origin form (RFC 9112 §3.2.1): an absolute one brings a second host.
  if (!target.startsWith('/') || notInTarget.test(target)) return new S3Error('InvalidURI')
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const rawQuery = mark < 0 ? '' : target.slice(mark + 1)

  const wire = parseHeaders(http.rawHeaders)
  if (wire instanceof S3Error) return wire
  const host = wire.values.get('host')
  if (host === undefined) return invalidRequest('Missing required header for this request: host')
  const query = parseQuery(rawQuery)
  if (query instanceof S3Error) return query
  const headers = withHoisted(wire.values, query)
  if (headers instanceof S3Error) return headers
  const address = parseAddress(host, rawPath, options.virtualHostDomains)
  if (address instanceof S3Error) return address

  return {
    id: http.id,
    method: http.method,
    target,
    rawPath,
    rawQuery,
    host,
    style: address.style,
    bucket: address.bucket,
    key: address.key,
    parameters: query.parameters,
    query: query.values,
    headers,
    wireHeaders: wire.values,
    repeated: wire.repeated,
  }
}

/** A target is visible ASCII without a fragment; whatever else a client means, it escapes. */
const notInTarget = /[^\x21-\x7e]|#/
