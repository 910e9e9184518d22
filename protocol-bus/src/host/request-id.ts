/** Names requests. */

import type { Random } from '@o3/common/env'

const instanceBytes = 4
const counterDigits = 8

/**
 * Sixteen hexadecimal digits, upper-case: eight at random for this listener, eight that count. Unique and cheap; they tell
 * nothing and protect nothing.
 */
export function requestIds(random: Pick<Random, 'bytes'>): () => string {
  const instance = [...random.bytes(instanceBytes)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
  let count = 0
  return () => {
    count = (count + 1) % 0x1_0000_0000
    return instance + count.toString(16).toUpperCase().padStart(counterDigits, '0')
  }
}
