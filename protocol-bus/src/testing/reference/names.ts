/** Which names are legal: S3's bucket rules for buckets and volumes, 1 to 1,024 bytes of UTF-8 for keys. */

import { utf8Length } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'

const maxKeyBytes = 1024
const bucketShape = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const ipShape = /^\d+\.\d+\.\d+\.\d+$/
const userShape = /^[A-Za-z0-9][A-Za-z0-9._@+=,-]{0,63}$/
const accessKeyShape = /^[A-Za-z0-9._-]{3,128}$/

/** `InvalidName`. */
export function checkBucketName(name: string): void {
  if (!bucketShape.test(name) || name.includes('..') || ipShape.test(name)) invalid('bucket or volume', name)
}

/** `InvalidName` for what is no text, `KeyTooLong`. */
export function checkKeyName(name: string): void {
  if (name === '' || !name.isWellFormed()) invalid('key', name)
  if (utf8Length(name) > maxKeyBytes) throw new StoreError('KeyTooLong', 'the key name is longer than 1,024 bytes')
}

/** `InvalidName`. */
export function checkUserName(name: string): void {
  if (!userShape.test(name)) invalid('user', name)
}

/** `InvalidName`. */
export function checkAccessKeyId(id: string): void {
  if (!accessKeyShape.test(id)) invalid('access key id', id)
}

function invalid(what: string, name: string): never {
  throw new StoreError('InvalidName', `not a valid ${what} name`, { details: { name: name.toWellFormed() } })
}
