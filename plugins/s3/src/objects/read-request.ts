/** What GetObject and HeadObject read of a request. */

import type { GetOptions, RangeRequest } from '@o3/protocol-bus/api'
import { isStoreError } from '@o3/common/errors'
import { invalidArgument, invalidRequest } from '../core/errors/s3-error.ts'
import { headerOfText } from '../core/request/header-text.ts'
import { parseRange } from '../core/request/range.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import type { Call } from '../operations/operation.ts'
import { readConditions } from './conditions.ts'
import type { Reading } from './object-headers.ts'
import { partNumberOf } from './part-number.ts'
import { checkVersionId } from './version-id.ts'

const overrideParameters: Readonly<Record<string, string>> = {
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
  'response-content-language': 'content-language',
  'response-content-type': 'content-type',
  'response-expires': 'expires',
}

export const readingParameters = ['partNumber', 'versionId', ...Object.keys(overrideParameters)]

/** What most requests ask: the whole object, as it is. One of these is shared by all of them. */
const whole: Reading = { checksums: false, partNumber: undefined, partial: false, overrides: undefined }
const wholeWithChecksums: Reading = { ...whole, checksums: true }

interface ReadRequest {
  readonly options: GetOptions
  readonly reading: Reading
}

/**
 * Reads as the request asks. Throws `InvalidArgument`, and `InvalidRequest` for a range of a part, besides what `read`
 * throws.
 *
 * With If-Range (RFC 9110 §13.1.5) the range is of one state of the object, and where that is no more, the whole object
 * is the answer: a browser that resumes a download would else join the halves of two.
 */
export async function readObject<T>(
  call: Call,
  read: (options: GetOptions) => Promise<T>,
): Promise<{ readonly result: T; readonly reading: Reading }> {
  const asked = readRequest(call)
  const etag = ifRange(call.request, asked)
  if (etag === undefined) return { result: await read(asked.options), reading: asked.reading }
  try {
    const conditions = { ...asked.options.conditions, ifMatch: [etag] }
    return { result: await read({ ...asked.options, conditions }), reading: asked.reading }
  } catch (error) {
    if (!isStoreError(error, 'PreconditionFailed')) throw error
    const { range: _, ...options } = asked.options
    return { result: await read(options), reading: { ...asked.reading, partial: false } }
  }
}

function readRequest(call: Call): ReadRequest {
  const { request } = call
  const plain = request.headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? wholeWithChecksums : whole
  const asked = request.parameters.length === 0 ? undefined : askedInQuery(request)
  const range = rangeOf(request, asked?.partNumber)
  const conditions = readConditions(request, '')
  const options: { -readonly [K in keyof GetOptions]: GetOptions[K] } = {
    get signal() {
      return call.signal
    },
  }
  if (range !== undefined) options.range = range
  if (conditions !== undefined) options.conditions = conditions
  if (asked === undefined && range === undefined) return { options, reading: plain }
  return { options, reading: { ...plain, ...asked, partial: range !== undefined } }
}

/** The ETag that a range is bound to. None where the request has a condition that binds it more tightly. */
function ifRange({ headers }: S3Request, { options }: ReadRequest): string | undefined {
  const value = headers.get('if-range')
  if (value === undefined || options.range === undefined || options.range.kind === 'part') return undefined
  if (options.conditions?.ifMatch !== undefined || options.conditions?.ifUnmodifiedSinceMs !== undefined)
    return undefined
  // A date or a weak tag cannot say that the bytes are the same; as it stands it is no object's ETag.
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

function rangeOf({ headers }: S3Request, partNumber: number | undefined): RangeRequest | undefined {
  const bytes = parseRange(headers.get('range'))
  if (partNumber === undefined) return bytes
  if (bytes !== undefined) throw invalidRequest('Cannot specify both Range header and partNumber query parameter')
  return { kind: 'part', number: partNumber }
}

function askedInQuery({ query, parameters }: S3Request): Pick<Reading, 'partNumber' | 'overrides'> {
  checkVersionId(query.get('versionId'))
  const part = query.get('partNumber')
  let overrides: Map<string, string> | undefined
  for (const { name, value } of parameters) {
    const header = Object.hasOwn(overrideParameters, name) ? overrideParameters[name] : undefined
    if (header === undefined) continue
    const bytes = headerOfText(value)
    if (bytes === undefined) throw invalidArgument('This value cannot stand in a header', name, value)
    overrides ??= new Map()
    overrides.set(header, bytes)
  }
  return { partNumber: part === undefined ? undefined : partNumberOf(part), overrides }
}
