/** The other documents that operations answer. */

import { formatIsoDate } from '../request/http-date.ts'
import { element, s3Document, wrap } from './text.ts'
import type { XmlText } from './text.ts'

/** `ChecksumCRC32` … and its value as shown (a composite one with `-N`). */
export interface ShownChecksum {
  readonly element: string
  readonly value: string
  /** `FULL_OBJECT` or `COMPOSITE`; left out where the document has no place for it. */
  readonly type?: string
}

export interface DeletedRow {
  readonly key: string
  readonly versionId?: string
}

export interface DeleteErrorRow {
  readonly key: string
  readonly versionId?: string
  readonly code: string
  readonly message: string
}

export interface ObjectAttributesDocument {
  /** Without quotes; this document shows it without. */
  readonly etag?: string
  readonly checksum?: ShownChecksum
  readonly parts?: {
    readonly total: number
    readonly partNumberMarker: number
    readonly nextPartNumberMarker?: number
    readonly maxParts: number
    readonly truncated: boolean
    /** Only where the parts carry checksums, as S3 does. */
    readonly rows: readonly { readonly number: number; readonly size: number; readonly checksum?: ShownChecksum }[]
  }
  readonly storageClass?: string
  readonly size?: number
}

/** Empty for us-east-1, the region that is older than its name. */
export function locationDocument(region: string): string {
  // Its content is the region itself: there is no element inside.
  return s3Document('LocationConstraint', region === 'us-east-1' ? '' : region)
}

export function initiateUploadDocument(result: {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}): string {
  return s3Document(
    'InitiateMultipartUploadResult',
    element('Bucket', result.bucket) + element('Key', result.key) + element('UploadId', result.uploadId),
  )
}

export function completeUploadDocument(result: {
  readonly location: string
  readonly bucket: string
  readonly key: string
  /** Without quotes. */
  readonly etag: string
  readonly checksum?: ShownChecksum
}): string {
  return s3Document(
    'CompleteMultipartUploadResult',
    element('Location', result.location) +
      element('Bucket', result.bucket) +
      element('Key', result.key) +
      element('ETag', `"${result.etag}"`) +
      checksumElements(result.checksum),
  )
}

export interface CopyResult {
  /** Without quotes. */
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: ShownChecksum
}

export function copyObjectDocument(result: CopyResult): string {
  return s3Document('CopyObjectResult', copyElements(result))
}

export function copyPartDocument(result: CopyResult): string {
  return s3Document('CopyPartResult', copyElements(result))
}

export function deleteDocument(deleted: readonly DeletedRow[], errors: readonly DeleteErrorRow[]): string {
  let rows = ''
  for (const { key, versionId } of deleted) {
    rows += wrap('Deleted', element('Key', key) + optional('VersionId', versionId))
  }
  for (const { key, versionId, code, message } of errors) {
    rows += wrap(
      'Error',
      element('Key', key) + optional('VersionId', versionId) + element('Code', code) + element('Message', message),
    )
  }
  return s3Document('DeleteResult', rows)
}

/** In the order of their keys. */
export function taggingDocument(tags: Readonly<Record<string, string>>): string {
  const rows = Object.keys(tags)
    .toSorted()
    .map((key) => wrap('Tag', element('Key', key) + element('Value', tags[key] as string)))
  return s3Document('Tagging', wrap('TagSet', rows.join('')))
}

export function objectAttributesDocument(attributes: ObjectAttributesDocument): string {
  const { etag, checksum, parts, storageClass, size } = attributes
  return s3Document(
    'GetObjectAttributesResponse',
    optional('ETag', etag) +
      (checksum === undefined ? '' : wrap('Checksum', checksumElements(checksum))) +
      (parts === undefined ? '' : partsElement(parts)) +
      optional('StorageClass', storageClass) +
      optional('ObjectSize', size?.toString()),
  )
}

function partsElement(parts: NonNullable<ObjectAttributesDocument['parts']>): XmlText {
  const rows = parts.rows.map(({ number, size, checksum }) =>
    wrap('Part', element('PartNumber', String(number)) + element('Size', String(size)) + checksumElements(checksum)),
  )
  return wrap(
    'ObjectParts',
    element('PartsCount', String(parts.total)) +
      element('PartNumberMarker', String(parts.partNumberMarker)) +
      optional('NextPartNumberMarker', parts.nextPartNumberMarker?.toString()) +
      element('MaxParts', String(parts.maxParts)) +
      element('IsTruncated', String(parts.truncated)) +
      rows.join(''),
  )
}

function copyElements({ etag, modifiedMs, checksum }: CopyResult): XmlText {
  return element('LastModified', formatIsoDate(modifiedMs)) + element('ETag', `"${etag}"`) + checksumElements(checksum)
}

function checksumElements(checksum: ShownChecksum | undefined): XmlText {
  if (checksum === undefined) return ''
  return element(checksum.element, checksum.value) + optional('ChecksumType', checksum.type)
}

function optional(name: string, text: string | undefined): XmlText {
  return text === undefined ? '' : element(name, text)
}
