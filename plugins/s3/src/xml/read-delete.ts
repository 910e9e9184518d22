/** The body of DeleteObjects. */

import { S3Error } from '../core/errors/s3-error.ts'
import { childText, parseXml } from './parse.ts'
import type { XmlElement } from './parse.ts'
import { unquoted } from './text-value.ts'

export interface DeleteDocument {
  readonly quiet: boolean
  /** 1 to 1,000. */
  readonly objects: readonly DeleteEntry[]
}

export interface DeleteEntry {
  /** Not empty. */
  readonly key: string
  readonly versionId?: string
  /** Without quotes. */
  readonly etag?: string
  readonly lastModifiedTime?: string
  readonly size?: string
}

export const maxDeleteBytes = 2 * 1024 * 1024
export const maxDeleteObjects = 1000

/** `MalformedXML`. Elements that it does not know are passed over. */
export function readDelete(document: Uint8Array): DeleteDocument | S3Error {
  const root = parseXml(document, 'Delete', { maxElements: 8 * maxDeleteObjects })
  if (root instanceof S3Error) return root
  const quiet = childText(root, 'Quiet')
  if (quiet instanceof S3Error) return quiet
  const objects: DeleteEntry[] = []
  for (const child of root.children) {
    if (child.name !== 'Object') continue
    const entry = readEntry(child)
    if (entry instanceof S3Error) return entry
    objects.push(entry)
  }
  if (objects.length === 0 || objects.length > maxDeleteObjects) return new S3Error('MalformedXML')
  return { quiet: quiet?.trim().toLowerCase() === 'true', objects }
}

function readEntry(object: XmlElement): DeleteEntry | S3Error {
  const key = childText(object, 'Key')
  const versionId = childText(object, 'VersionId')
  const etag = childText(object, 'ETag')
  const lastModifiedTime = childText(object, 'LastModifiedTime')
  const size = childText(object, 'Size')
  for (const text of [key, versionId, etag, lastModifiedTime, size]) if (text instanceof S3Error) return text
  // An empty key names the bucket, which this operation must never touch.
  if (typeof key !== 'string' || key === '') return new S3Error('MalformedXML')
  return {
    key,
    ...(typeof versionId === 'string' && { versionId }),
    ...(typeof etag === 'string' && { etag: unquoted(etag.trim()) }),
    ...(typeof lastModifiedTime === 'string' && { lastModifiedTime: lastModifiedTime.trim() }),
    ...(typeof size === 'string' && { size: size.trim() }),
  }
}
