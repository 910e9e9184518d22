/** Which names are legal: S3's bucket rules for buckets and volumes, 1 to 1,024 bytes of UTF-8 for keys. */

import { utf8Length, utf8ToBinary } from '@o3/common/codec'
import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import { maxKeyBytes } from '../api/api.ts'

const bucketShape = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const ipShape = /^\d+\.\d+\.\d+\.\d+$/
const userShape = /^[A-Za-z0-9][A-Za-z0-9._@+=,-]{0,63}$/
const accessKeyShape = /^[A-Za-z0-9._-]{3,128}$/

/** Of a volume or a bucket. `InvalidName`. */
export function checkBucketName(name: string): Refusal | undefined {
  if (bucketShape.test(name) && !name.includes('..') && !ipShape.test(name)) return undefined
  return refuse('InvalidName', 'not a valid name of a bucket or volume')
}

/** `InvalidName`. */
export function checkUserName(name: string): Refusal | undefined {
  return userShape.test(name) ? undefined : refuse('InvalidName', 'not a valid user name')
}

/** `InvalidName`. */
export function checkAccessKeyId(id: string): Refusal | undefined {
  return accessKeyShape.test(id) ? undefined : refuse('InvalidName', 'not a valid access key id')
}

/** The key as row keys hold it. `InvalidName` when it is empty or no well-formed text, `KeyTooLong`. */
export function binaryKeyName(key: string): BinaryKey | Refusal {
  if (key === '' || !isText(key)) return refuse('InvalidName', 'not a valid key')
  if (key.length > maxKeyBytes || utf8Length(key) > maxKeyBytes) return keyTooLong
  return utf8ToBinary(key)
}

export const keyTooLong: Refusal = refuse('KeyTooLong', `a key has at most ${maxKeyBytes} bytes`)

/** Well-formed: no half of a surrogate pair stands alone. What is not, UTF-8 cannot say, and would come back changed. */
export function isText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = text.charCodeAt(i + 1)
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false
    i++
  }
  return true
}
