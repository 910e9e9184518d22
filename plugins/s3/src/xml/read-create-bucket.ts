/** The body of CreateBucket. */

import { S3Error } from '../core/errors/s3-error.ts'
import { childText, parseXml } from './parse.ts'
import { readTags } from './tags.ts'
import type { Tags } from './tags.ts'

export interface CreateBucketDocument {
  /** Undefined when absent or empty. */
  readonly locationConstraint?: string
  readonly tags: Tags
}

export const maxCreateBucketBytes = 64 * 1024

/** An empty document is a document that says nothing. `MalformedXML`, `InvalidTag`, `NotImplemented`. */
export function readCreateBucket(document: Uint8Array): CreateBucketDocument | S3Error {
  if (document.length === 0) return { tags: {} }
  const root = parseXml(document, 'CreateBucketConfiguration', { maxElements: 256 })
  if (root instanceof S3Error) return root
  // Directory buckets: another kind of bucket, so not one to make an ordinary bucket of.
  if (root.children.some(({ name }) => name === 'Location' || name === 'Bucket')) return new S3Error('NotImplemented')
  const constraint = childText(root, 'LocationConstraint')
  if (constraint instanceof S3Error) return constraint
  const tagSet = root.children.filter(({ name }) => name === 'Tags')
  if (tagSet.length > 1) return new S3Error('MalformedXML')
  const tags = readTags(tagSet[0]?.children ?? [], 'bucket')
  if (tags instanceof S3Error) return tags
  const locationConstraint = constraint?.trim()
  return locationConstraint ? { locationConstraint, tags } : { tags }
}
