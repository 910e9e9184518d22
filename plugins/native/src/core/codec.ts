/**
 * How the payloads of the native protocol are put together: as all of O3's records, but for text, which must be well-formed.
 * A property that is added to the native interface and forgotten here does not compile.
 */

import { mapOf as mapWith } from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import { StoreError } from '@o3/common/errors'

export {
  bytes,
  count,
  decode,
  encode,
  flag,
  integer,
  listOf,
  nothing,
  nullable,
  oneOf,
  optional,
  record,
  word,
} from '@o3/common/codec/record'
export type { Codec } from '@o3/common/codec/record'

/** Well-formed Unicode: half a character would arrive as another one in the languages of other clients. */
export const text: Codec<string> = {
  write(writer, value) {
    if (/\p{Surrogate}/u.test(value)) throw new StoreError('InvalidName', 'text must be well-formed Unicode')
    writer.utf8(value)
  },
  read: (reader) => reader.utf8(),
}

/** By name, in insertion order. */
export const mapOf = <T>(codec: Codec<T>): Codec<Readonly<Record<string, T>>> => mapWith(codec, text)
