/** The headers of a request, from what came over the wire. */

import { invalidArgument, invalidRequest, S3Error } from '../errors/s3-error.ts'
import { headerOfText } from './header-text.ts'
import type { Query } from './query.ts'

export interface Headers {
  /** By lower-case name, trimmed; characters 0–255, as bytes. */
  readonly values: ReadonlyMap<string, string>
  /** Names that came more than once; their values are joined with a comma. */
  readonly repeated: ReadonlySet<string>
}

/**
 * Node keeps the first of some repeated headers, joins others, and drops a few names, so all of it is done here. A
 * header that means something to S3, or that a signature usually covers, is refused when it comes twice: what was
 * signed and what is obeyed would be two things.
 */
export function parseHeaders(raw: readonly string[]): Headers | S3Error {
  const values = new Map<string, string>()
  let repeated: Set<string> | undefined
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    const value = trim(raw[i + 1] as string)
    const earlier = values.get(name)
    if (earlier === undefined) {
      values.set(name, value)
    } else {
      if (isSingle(name)) return invalidRequest(`The header ${name} was given more than once.`)
      values.set(name, `${earlier},${value}`)
      repeated ??= new Set()
      repeated.add(name)
    }
  }
  return checkFraming(values) ?? { values, repeated: repeated ?? noNames }
}

/**
 * The headers as handlers see them: a presigned URL carries in its query what the signer would have sent as headers
 * (all but the parameters of the signature itself).
 */
export function withHoisted(headers: ReadonlyMap<string, string>, query: Query): ReadonlyMap<string, string> | S3Error {
  if (!query.values.has('x-amz-algorithm')) return headers
  let merged: Map<string, string> | undefined
  for (const { name, value } of query.parameters) {
    if (!name.startsWith('x-amz-') || signatureParameters.has(name) || isOfNoBody(name, value)) continue
    const bytes = headerOfText(value)
    const sent = headers.get(name)
    if (bytes === undefined || (sent !== undefined && sent !== bytes)) {
      return invalidArgument('This query parameter is not a value for the header of its name', name, value)
    }
    merged ??= new Map(headers)
    merged.set(name, bytes)
  }
  return merged ?? headers
}

/** The parameters that make a URL presigned; the only `x-amz-` ones that are no headers. */
const signatureParameters: ReadonlySet<string> = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-signedheaders',
  'x-amz-signature',
])

/**
 * The AWS SDK for JavaScript puts a checksum into every presigned PUT, and since it cannot know the body, it is that of no
 * bytes. S3 does not judge the body by it. A checksum of some bytes is a promise of the signer's and counts.
 */
function isOfNoBody(name: string, value: string): boolean {
  return name === 'x-amz-sdk-checksum-algorithm' || checksumsOfNothing.get(name) === value
}

const checksumsOfNothing: ReadonlyMap<string, string> = new Map([
  ['x-amz-checksum-crc32', 'AAAAAA=='],
  ['x-amz-checksum-crc32c', 'AAAAAA=='],
  ['x-amz-checksum-crc64nvme', 'AAAAAAAAAAA='],
  ['x-amz-checksum-sha1', '2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
  ['x-amz-checksum-sha256', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
])

const noNames: ReadonlySet<string> = new Set()

const singleHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'expect',
  'host',
  'range',
  'transfer-encoding',
])

function isSingle(name: string): boolean {
  return singleHeaders.has(name) || name.startsWith('x-amz-') || name.startsWith('if-')
}

/** What frames the body must leave no choice (RFC 9112 §6.3). */
function checkFraming(values: ReadonlyMap<string, string>): S3Error | undefined {
  const coding = values.get('transfer-encoding')
  if (coding === undefined) return undefined
  if (values.has('content-length')) {
    return invalidRequest('A request has a Content-Length or a Transfer-Encoding, not both.')
  }
  if (coding.toLowerCase() !== 'chunked') {
    return new S3Error('NotImplemented', { elements: { Header: 'Transfer-Encoding' } })
  }
  return undefined
}

/** Optional white space (RFC 9110 §5.6.3) is no part of a value. */
function trim(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start++
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--
  return end - start === value.length ? value : value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
