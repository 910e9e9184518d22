/** What a request says of the object that it stores, besides its bytes. */

import { utf8Length } from '@o3/common/codec'
import type { KeyAttributes } from '@o3/protocol-bus/api'
import { storedContentEncoding } from '../body/content-encoding.ts'
import { S3Error } from '../core/errors/s3-error.ts'
import { textOfHeader, userMetadata } from '../core/request/header-text.ts'
import type { S3Request } from '../core/request/s3-request.ts'
import { accepted } from '../operations/operation.ts'
import { parseTaggingHeader } from '../xml/read-tagging.ts'
import type { Tags } from '../xml/read-tagging.ts'
import { decodeWords } from './encoded-words.ts'

export interface DescribedAttributes {
  readonly contentType: string
  readonly headers: KeyAttributes['headers']
  readonly metadata: KeyAttributes['metadata']
}

/** What S3 says of an object whose writer did not say what it is. */
export const defaultContentType = 'binary/octet-stream'
/** Names and values together, in UTF-8. */
export const maxMetadataBytes = 2048

/** The headers that are kept with an object and answered with it, besides content-type. */
export const keptHeaders = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires']

const nothing: Readonly<Record<string, string>> = {}

/** Content type, kept headers and user metadata. Throws `MetadataTooLarge`. */
export function describedAttributes({ headers }: S3Request): DescribedAttributes {
  const type = headers.get('content-type')
  return {
    contentType: type === undefined || type === '' ? defaultContentType : textOfHeader(type),
    headers: keptOf(headers),
    metadata: metadataOf(headers),
  }
}

/** Of `x-amz-tagging`; none where it is absent. Throws `InvalidTag`. */
export function requestedTags({ headers }: S3Request): Tags {
  const value = headers.get('x-amz-tagging')
  return value === undefined ? nothing : accepted(parseTaggingHeader(value))
}

function keptOf(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  let kept: Record<string, string> | undefined
  for (const name of keptHeaders) {
    const value = name === 'content-encoding' ? storedContentEncoding(headers.get(name)) : headers.get(name)
    if (value === undefined || value === '') continue
    kept ??= {}
    kept[name] = textOfHeader(value)
  }
  return kept ?? nothing
}

function metadataOf(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const sent = userMetadata(headers)
  let bytes = 0
  let decoded: Record<string, string> | undefined
  for (const name in sent) {
    const value = sent[name] as string
    const text = decodeWords(value)
    if (text !== value) decoded = { ...(decoded ?? sent), [name]: text }
    bytes += name.length + utf8Length(text)
  }
  if (bytes > maxMetadataBytes) {
    throw new S3Error('MetadataTooLarge', {
      elements: { Size: String(bytes), MaxSizeAllowed: String(maxMetadataBytes) },
    })
  }
  return decoded ?? sent
}
