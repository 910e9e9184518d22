/** The headers of GetObject and HeadObject: all that is said of an object. */

import type { GetResult, KeyInfo } from '@o3/protocol-bus/api'
import { checksumHeader, checksumTypeName } from '../checksum/algorithms.ts'
import { headerOfText } from '../core/request/header-text.ts'
import { formatHttpDate } from '../core/request/http-date.ts'
import { encodeWords } from './encoded-words.ts'
import { defaultContentType, keptHeaders } from './requested-attributes.ts'
import { pushChecksum } from './shown-checksums.ts'

export interface Reading {
  /** `x-amz-checksum-mode: ENABLED`. */
  readonly checksums: boolean
  readonly partNumber: number | undefined
  /** The answer is 206. */
  readonly partial: boolean
  /** `response-*` parameters by the header that they replace; bytes already. */
  readonly overrides: ReadonlyMap<string, string> | undefined
}

/** Pushes them onto `headers`, which start with `baseHeaders`. */
export function pushObjectHeaders(headers: string[], result: Omit<GetResult, 'body'>, reading: Reading): void {
  const { info, start, end } = result
  pushText(headers, 'etag', `"${info.etag}"`)
  headers.push(
    'last-modified',
    formatHttpDate(info.modifiedMs),
    'accept-ranges',
    'bytes',
    'content-length',
    String(end - start),
  )
  // An empty object has no first byte to name; its only part is all of it.
  if (reading.partial && end > start) headers.push('content-range', `bytes ${start}-${end - 1}/${info.size}`)
  pushKept(headers, info, reading.overrides)
  if (reading.checksums) pushChecksums(headers, result, reading)
  if (reading.partNumber !== undefined && info.parts !== undefined) {
    headers.push('x-amz-mp-parts-count', String(info.parts.length))
  }
  pushMetadata(headers, info.metadata)
  const tags = countOf(info.tags)
  if (tags > 0) headers.push('x-amz-tagging-count', String(tags))
}

function pushKept(headers: string[], info: KeyInfo, overrides: ReadonlyMap<string, string> | undefined): void {
  if (overrides?.has('content-type') !== true) pushText(headers, 'content-type', info.contentType ?? defaultContentType)
  // By our own list: another front end may have kept headers that would mean something else in this answer.
  for (const name of keptHeaders) {
    const text = info.headers[name]
    if (text !== undefined && overrides?.has(name) !== true) pushText(headers, name, text)
  }
  if (overrides === undefined) return
  for (const [name, value] of overrides) headers.push(name, value)
}

/** A value that no header can hold came through another front end; there is nothing right to say in its place. */
function pushText(headers: string[], name: string, text: string): void {
  const bytes = headerOfText(text)
  if (bytes !== undefined) headers.push(name, bytes)
}

/** Of the whole object where all of it is answered; of the part where one was asked for. Of a range there is none. */
function pushChecksums(headers: string[], { info, start, end }: Omit<GetResult, 'body'>, reading: Reading): void {
  const { checksum, parts } = info
  if (checksum === undefined) return
  if (end - start === info.size) {
    pushChecksum(headers, checksum, parts?.length ?? 0)
    return
  }
  const part = reading.partNumber === undefined ? undefined : parts?.find(({ number }) => number === reading.partNumber)
  if (part?.checksum === undefined) return
  headers.push(
    checksumHeader[checksum.algorithm],
    part.checksum,
    'x-amz-checksum-type',
    checksumTypeName[checksum.type],
  )
}

/** Names that are no header names came through another front end. S3 counts what it cannot show. */
function pushMetadata(headers: string[], metadata: KeyInfo['metadata']): void {
  let missing = 0
  for (const name in metadata) {
    if (token.test(name)) headers.push(`x-amz-meta-${name}`, encodeWords(metadata[name] as string))
    else missing++
  }
  if (missing > 0) headers.push('x-amz-missing-meta', String(missing))
}

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function countOf(record: Readonly<Record<string, string>>): number {
  let count = 0
  for (const _ in record) count++
  return count
}
