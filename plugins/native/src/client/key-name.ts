import { utf8Length } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'

/** Of a key's name, in UTF-8. */
const maxKeyBytes = 1024

/**
 * What the server will say of a name that cannot be, said before the first byte of a body is read: a source may be one
 * that can be read only once.
 */
export function checkKeyName(key: string): void {
  if (key === '') throw new StoreError('InvalidName', 'a key has a name')
  if (/\p{Surrogate}/u.test(key)) throw new StoreError('InvalidName', 'the name of a key is well-formed Unicode')
  const bytes = utf8Length(key)
  if (bytes > maxKeyBytes) {
    throw new StoreError('KeyTooLong', `the name of a key has at most ${maxKeyBytes} bytes`, { details: { bytes } })
  }
}
