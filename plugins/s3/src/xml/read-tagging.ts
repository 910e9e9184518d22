/** Tags as they come: the body of PutObjectTagging and PutBucketTagging, and the header `x-amz-tagging`. */

import { invalidArgument, S3Error } from '../core/errors/s3-error.ts'
import { textOfHeader } from '../core/request/header-text.ts'
import { parsePairs } from '../core/request/query.ts'
import { parseXml } from './parse.ts'
import { checkTags, readTags } from './tags.ts'
import type { TagOwner, Tags } from './tags.ts'

export type { TagOwner, Tags }

export const maxTaggingBytes = 64 * 1024

/** At most 10 tags for an object, 50 for a bucket; keys 1–128, values 0–256 characters. `MalformedXML`, `InvalidTag`. */
export function readTagging(document: Uint8Array, owner: TagOwner): Tags | S3Error {
  const root = parseXml(document, 'Tagging', { maxElements: 1024 })
  if (root instanceof S3Error) return root
  const [tagSet] = root.children
  if (root.children.length !== 1 || tagSet?.name !== 'TagSet') return new S3Error('MalformedXML')
  return readTags(tagSet.children, owner)
}

/** `a=1&b=2`, percent-encoded; the rules of an object's tags. `InvalidArgument`, `InvalidTag`. */
export function parseTaggingHeader(value: string): Tags | S3Error {
  const pairs = parsePairs(textOfHeader(value))
  if (pairs === undefined) {
    return invalidArgument(
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      'x-amz-tagging',
      value,
    )
  }
  return checkTags(
    pairs.map((pair) => [pair.name, pair.value] as const),
    'object',
  )
}
