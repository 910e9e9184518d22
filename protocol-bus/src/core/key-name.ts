/** Which key names there can be. OM judges again at commit; here it spares reading a body for a name that cannot be. */

import { utf8Length } from '@o3/common/codec'
import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import { maxKeyBytes } from '@o3/om/api'

// In a `u` expression a pair is one character, so this finds only what has lost its partner.
const loneSurrogate = /\p{Surrogate}/u

/** `InvalidName` for the empty name and for what is no Unicode text, `KeyTooLong`. */
export function judgeKeyName(key: string): Refusal | undefined {
  if (key === '' || loneSurrogate.test(key)) return refuse('InvalidName', 'not a valid key name')
  // At most three bytes for each unit: most names need no scan.
  if (key.length * 3 <= maxKeyBytes || utf8Length(key) <= maxKeyBytes) return undefined
  return refuse('KeyTooLong', `the key name is longer than ${maxKeyBytes} bytes`)
}
