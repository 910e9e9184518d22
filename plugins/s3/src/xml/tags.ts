/**
 * The rules of tags.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
 */

import { S3Error } from '../core/errors/s3-error.ts'
import { childText } from './parse.ts'
import type { XmlElement } from './parse.ts'

export type Tags = Readonly<Record<string, string>>
export type TagOwner = 'object' | 'bucket'

export const maxTags: Readonly<Record<TagOwner, number>> = { object: 10, bucket: 50 }
const maxKeyLength = 128
const maxValueLength = 256

/** `InvalidTag`, in the order of the tags. */
export function checkTags(tags: readonly (readonly [key: string, value: string])[], owner: TagOwner): Tags | S3Error {
  if (tags.length > maxTags[owner]) {
    return invalidTag(`${owner === 'object' ? 'Object' : 'Bucket'} tags cannot be greater than ${maxTags[owner]}`)
  }
  const seen = new Set<string>()
  for (const [key, value] of tags) {
    if (key.length === 0 || key.length > maxKeyLength || !allowed.test(key)) {
      return invalidTag('The TagKey you have provided is invalid', { TagKey: key })
    }
    if (value.length > maxValueLength || !allowed.test(value)) {
      return invalidTag('The TagValue you have provided is invalid', { TagKey: key, TagValue: value })
    }
    if (key.startsWith('aws:')) return invalidTag('System tags cannot be added/updated by requester', { TagKey: key })
    if (seen.has(key)) return invalidTag('Cannot provide multiple Tags with the same key', { TagKey: key })
    seen.add(key)
  }
  // fromEntries defines properties, so that a name such as `__proto__` is only a name.
  return Object.fromEntries(tags)
}

/** From `<Tag><Key/><Value/></Tag>` elements; others among them are `MalformedXML`. */
export function readTags(elements: readonly XmlElement[], owner: TagOwner): Tags | S3Error {
  const tags: (readonly [string, string])[] = []
  for (const element of elements) {
    const key = childText(element, 'Key')
    const value = childText(element, 'Value')
    if (element.name !== 'Tag' || typeof key !== 'string' || typeof value !== 'string')
      return new S3Error('MalformedXML')
    tags.push([key, value])
  }
  return checkTags(tags, owner)
}

/** Letters, white space, digits and a few signs, in any script. */
const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

function invalidTag(message: string, elements: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('InvalidTag', { message, elements })
}
