/** The listings: of buckets, objects, uploads and parts. Built as text: 1,000 rows in well under a millisecond. */

import { formatIsoDate } from '../request/http-date.ts'
import { element, encodeUrl, escapeText, s3Document, wrap } from './text.ts'
import type { XmlText } from './text.ts'

export interface OwnerRow {
  readonly id: string
  readonly displayName: string
}

/** How keys, prefixes, markers and delimiters are written: `url` where the client asked with `encoding-type=url`. */
export type ListEncoding = 'url' | 'none'

export interface BucketRow {
  readonly name: string
  readonly createdMs: number
  readonly region?: string
}

export interface ListBucketsDocument {
  readonly owner: OwnerRow
  readonly buckets: readonly BucketRow[]
  readonly prefix?: string
  readonly continuationToken?: string
}

export interface ObjectRow {
  readonly key: string
  readonly modifiedMs: number
  /** Without quotes. */
  readonly etag: string
  readonly size: number
  /** `CRC32` …, and `FULL_OBJECT` or `COMPOSITE`. */
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
  readonly owner?: OwnerRow
}

interface ListObjectsCommon {
  readonly bucket: string
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  readonly maxKeys: number
  readonly encoding: ListEncoding
  readonly truncated: boolean
  readonly objects: readonly ObjectRow[]
  readonly commonPrefixes: readonly string[]
}

export interface ListObjectsDocument extends ListObjectsCommon {
  readonly marker: string
  readonly nextMarker?: string
}

export interface ListObjectsV2Document extends ListObjectsCommon {
  readonly startAfter?: string
  readonly continuationToken?: string
  readonly nextContinuationToken?: string
}

export interface UploadRow {
  readonly key: string
  readonly uploadId: string
  readonly initiatedMs: number
  readonly owner: OwnerRow
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
}

export interface ListUploadsDocument {
  readonly bucket: string
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  readonly keyMarker: string
  readonly uploadIdMarker: string
  readonly nextKeyMarker?: string
  readonly nextUploadIdMarker?: string
  readonly maxUploads: number
  readonly encoding: ListEncoding
  readonly truncated: boolean
  readonly uploads: readonly UploadRow[]
  readonly commonPrefixes: readonly string[]
}

export interface PartRow {
  readonly number: number
  readonly modifiedMs: number
  /** Without quotes. */
  readonly etag: string
  readonly size: number
  /** `ChecksumCRC32` … and its value. */
  readonly checksum?: { readonly element: string; readonly value: string }
}

export interface ListPartsDocument {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  readonly owner: OwnerRow
  readonly partNumberMarker: number
  readonly nextPartNumberMarker?: number
  readonly maxParts: number
  readonly encoding: ListEncoding
  readonly truncated: boolean
  readonly parts: readonly PartRow[]
  readonly checksumAlgorithm?: string
  readonly checksumType?: string
}

export function listBucketsDocument(list: ListBucketsDocument): string {
  let buckets = ''
  for (const { name, createdMs, region } of list.buckets) {
    buckets += `<Bucket>${element('Name', name)}${dateElement('CreationDate', createdMs)}${optional('BucketRegion', region)}</Bucket>`
  }
  return s3Document(
    'ListAllMyBucketsResult',
    ownerElement('Owner', list.owner) +
      wrap('Buckets', buckets) +
      optional('ContinuationToken', list.continuationToken) +
      optional('Prefix', list.prefix),
  )
}

export function listObjectsDocument(list: ListObjectsDocument): string {
  const name = nameWriter(list.encoding)
  return s3Document(
    'ListBucketResult',
    element('Name', list.bucket) +
      wrap('Prefix', name(list.prefix)) +
      wrap('Marker', name(list.marker)) +
      optionalWrap('NextMarker', list.nextMarker === undefined ? '' : name(list.nextMarker)) +
      listObjectsCommon(list),
  )
}

export function listObjectsV2Document(list: ListObjectsV2Document): string {
  const name = nameWriter(list.encoding)
  return s3Document(
    'ListBucketResult',
    element('Name', list.bucket) +
      wrap('Prefix', name(list.prefix)) +
      wrap('KeyCount', String(list.objects.length + list.commonPrefixes.length)) +
      optional('ContinuationToken', list.continuationToken) +
      optional('NextContinuationToken', list.nextContinuationToken) +
      optionalWrap('StartAfter', list.startAfter === undefined ? '' : name(list.startAfter)) +
      listObjectsCommon(list),
  )
}

export function listUploadsDocument(list: ListUploadsDocument): string {
  const name = nameWriter(list.encoding)
  let uploads = ''
  for (const row of list.uploads) {
    uploads += `<Upload><Key>${name(row.key)}</Key>${element('UploadId', row.uploadId)}${ownerElement('Initiator', row.owner)}${ownerElement('Owner', row.owner)}<StorageClass>STANDARD</StorageClass>${dateElement('Initiated', row.initiatedMs)}${optional('ChecksumAlgorithm', row.checksumAlgorithm)}${optional('ChecksumType', row.checksumType)}</Upload>`
  }
  return s3Document(
    'ListMultipartUploadsResult',
    element('Bucket', list.bucket) +
      wrap('KeyMarker', name(list.keyMarker)) +
      element('UploadIdMarker', list.uploadIdMarker) +
      optionalWrap('NextKeyMarker', list.nextKeyMarker === undefined ? '' : name(list.nextKeyMarker)) +
      optional('NextUploadIdMarker', list.nextUploadIdMarker) +
      wrap('Prefix', name(list.prefix)) +
      optionalWrap('Delimiter', name(list.delimiter)) +
      wrap('MaxUploads', String(list.maxUploads)) +
      encodingElement(list.encoding) +
      wrap('IsTruncated', String(list.truncated)) +
      uploads +
      commonPrefixes(list.commonPrefixes, name),
  )
}

export function listPartsDocument(list: ListPartsDocument): string {
  const name = nameWriter(list.encoding)
  let parts = ''
  for (const { number, modifiedMs, etag, size, checksum } of list.parts) {
    parts += `<Part><PartNumber>${number}</PartNumber>${dateElement('LastModified', modifiedMs)}${etagElement(etag)}<Size>${size}</Size>${optional(checksum?.element ?? '', checksum?.value)}</Part>`
  }
  return s3Document(
    'ListPartsResult',
    element('Bucket', list.bucket) +
      wrap('Key', name(list.key)) +
      element('UploadId', list.uploadId) +
      wrap('PartNumberMarker', String(list.partNumberMarker)) +
      optional('NextPartNumberMarker', list.nextPartNumberMarker?.toString()) +
      wrap('MaxParts', String(list.maxParts)) +
      encodingElement(list.encoding) +
      wrap('IsTruncated', String(list.truncated)) +
      parts +
      ownerElement('Initiator', list.owner) +
      ownerElement('Owner', list.owner) +
      wrap('StorageClass', 'STANDARD') +
      optional('ChecksumAlgorithm', list.checksumAlgorithm) +
      optional('ChecksumType', list.checksumType),
  )
}

type NameWriter = (name: string) => XmlText

function nameWriter(encoding: ListEncoding): NameWriter {
  return encoding === 'url' ? encodeUrl : escapeText
}

function listObjectsCommon(list: ListObjectsCommon): XmlText {
  const name = nameWriter(list.encoding)
  let rows = ''
  for (const row of list.objects) rows += objectElement(row, name)
  return (
    wrap('MaxKeys', String(list.maxKeys)) +
    optionalWrap('Delimiter', name(list.delimiter)) +
    encodingElement(list.encoding) +
    wrap('IsTruncated', String(list.truncated)) +
    rows +
    commonPrefixes(list.commonPrefixes, name)
  )
}

/** In one template, because there may be a thousand of them in each answer. */
function objectElement(row: ObjectRow, name: NameWriter): XmlText {
  const checksum =
    row.checksumAlgorithm === undefined
      ? ''
      : `<ChecksumAlgorithm>${row.checksumAlgorithm}</ChecksumAlgorithm>${optional('ChecksumType', row.checksumType)}`
  const owner = row.owner === undefined ? '' : ownerElement('Owner', row.owner)
  return `<Contents><Key>${name(row.key)}</Key><LastModified>${formatIsoDate(row.modifiedMs)}</LastModified>${etagElement(row.etag)}${checksum}<Size>${row.size}</Size>${owner}<StorageClass>STANDARD</StorageClass></Contents>`
}

function commonPrefixes(prefixes: readonly string[], name: NameWriter): XmlText {
  let text = ''
  for (const prefix of prefixes) text += `<CommonPrefixes><Prefix>${name(prefix)}</Prefix></CommonPrefixes>`
  return text
}

function encodingElement(encoding: ListEncoding): XmlText {
  return encoding === 'url' ? '<EncodingType>url</EncodingType>' : ''
}

function ownerElement(name: 'Owner' | 'Initiator', owner: OwnerRow): XmlText {
  return `<${name}>${element('ID', owner.id)}${element('DisplayName', owner.displayName)}</${name}>`
}

function dateElement(name: string, ms: number): XmlText {
  return `<${name}>${formatIsoDate(ms)}</${name}>`
}

/** In quotes, as the header has it. */
function etagElement(etag: string): XmlText {
  return `<ETag>&quot;${escapeText(etag)}&quot;</ETag>`
}

function optional(name: string, text: string | undefined): XmlText {
  return text === undefined ? '' : element(name, text)
}

function optionalWrap(name: string, content: XmlText): XmlText {
  return content === '' ? '' : wrap(name, content)
}
