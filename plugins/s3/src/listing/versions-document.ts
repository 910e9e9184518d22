/** The answer of ListObjectVersions. */

import { element, encodeUrl, s3Document, wrap } from '../core/xml/text.ts'
import { formatIsoDate } from '../core/request/http-date.ts'
import type { ObjectRow } from '../core/xml/write-listing.ts'

export interface ListVersionsDocument {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  readonly versionIdMarker: string
  readonly nextKeyMarker?: string
  readonly nextVersionIdMarker?: string
  readonly maxKeys: number
  readonly encoding: 'url' | 'none'
  readonly truncated: boolean
  /** Each the latest and only version of its key. */
  readonly versions: readonly ObjectRow[]
  readonly commonPrefixes: readonly string[]
}

export function listVersionsDocument(list: ListVersionsDocument): string {
  const name = list.encoding === 'url' ? encodeUrl : (text: string): string => text
  let content = element('Name', list.bucket) + element('Prefix', name(list.prefix))
  content += element('KeyMarker', name(list.keyMarker)) + element('VersionIdMarker', list.versionIdMarker)
  if (list.nextKeyMarker !== undefined) content += element('NextKeyMarker', name(list.nextKeyMarker))
  if (list.nextVersionIdMarker !== undefined) content += element('NextVersionIdMarker', list.nextVersionIdMarker)
  content += wrap('MaxKeys', String(list.maxKeys))
  if (list.delimiter !== '') content += element('Delimiter', name(list.delimiter))
  if (list.encoding === 'url') content += wrap('EncodingType', 'url')
  content += wrap('IsTruncated', String(list.truncated))
  for (const version of list.versions) content += versionElement(version, name)
  for (const prefix of list.commonPrefixes) content += wrap('CommonPrefixes', element('Prefix', name(prefix)))
  return s3Document('ListVersionsResult', content)
}

function versionElement(row: ObjectRow, name: (text: string) => string): string {
  let content = `${element('Key', name(row.key))}<VersionId>null</VersionId><IsLatest>true</IsLatest>`
  content += wrap('LastModified', formatIsoDate(row.modifiedMs)) + element('ETag', `"${row.etag}"`)
  if (row.checksumAlgorithm !== undefined) content += wrap('ChecksumAlgorithm', row.checksumAlgorithm)
  if (row.checksumType !== undefined) content += wrap('ChecksumType', row.checksumType)
  content += wrap('Size', String(row.size))
  if (row.owner !== undefined) {
    content += wrap('Owner', element('ID', row.owner.id) + element('DisplayName', row.owner.displayName))
  }
  return wrap('Version', `${content}<StorageClass>STANDARD</StorageClass>`)
}
